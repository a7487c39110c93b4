/**
 * What must always hold, as far as it can be told from outside a node.
 *
 * Those of a step are cheap and are asked after each act; the others read whole stores and are asked once everybody has
 * come together.
 *
 * @module
 */
import { equalBytes, type IdKey, idKey, type StoreId, toHex } from '@lattice/model'
import { AUTHOR_SHARE, MAX_FLOATING, MAX_FLOATING_BYTES } from '@lattice/kernel'
import { allEqual, heldDigests, setDigest, tablesDigest } from '../replica-digest.ts'
import { checkBases, checkEpochRoots, whyDeleting, whyFetching } from './check-history.ts'
import {
  checkEpochs,
  checkExcludedNow,
  type Held,
  linksText,
  viewText,
  whyUnfollowed,
  whyUnsettled,
} from './check-membership.ts'
import { checkPeerSync, checkStatus } from './check-synced.ts'
import { gather, members } from './gathering.ts'
import { find } from './run-record.ts'
import { storeIn, type World } from './world.ts'

/** Connections of one pair of nodes at most: two that cross, and repetitions that are being turned away. */
const MAX_LINKS_PER_PAIR = 6
/** Timers of all nodes at once: those of sessions, stores and connections, and messages on their way. */
const MAX_TIMERS = 20_000

/** What holds between any two events: asked after each act, and at each look while everybody comes together. */
export function checkStep(world: World): void {
  const { record, watch, mesh, honest } = world
  for (const violation of watch.violations()) find(record, 'applied_once_after_causes', violation)
  for (const index of honest) {
    for (const storeId of Object.values(world.stores)) checkBounds(world, index, storeId)
    checkOwnWrites(world, index)
  }
  checkEqualDigests(world)
  checkExcludedNow(world)
  checkBases(world)
  checkPeerSync(world)
  const nodes = mesh.peers.length
  const links = mesh.network.connectionCount()
  if (links > (nodes * (nodes - 1) * MAX_LINKS_PER_PAIR) / 2) {
    find(record, 'connections_are_bounded', `${links} connections among ${nodes} nodes`)
  }
  const timers = mesh.time.scheduler.pending()
  if (timers > MAX_TIMERS) find(record, 'timers_are_bounded', `${timers} timers wait`)
}

function checkBounds(world: World, index: number, storeId: StoreId): void {
  const kernel = storeIn(world, index, storeId)?.kernel()
  if (kernel === undefined) return
  const { witnessCount, appliedSeq, floatingCount, floatingBytes } = kernel.stats()
  const { headSeq } = kernel.projection()
  const goneCount = kernel.base()?.goneCount ?? 0
  if (appliedSeq > headSeq || headSeq !== witnessCount + goneCount) {
    find(world.record, 'cursor_within_log', `node-${index} applied ${appliedSeq} of ${witnessCount} records`)
  }
  // Records that are left out stay in the log, and are no part of what is told to others.
  const told = kernel.digest().witnessCount
  if (told > headSeq || told !== kernel.rangeIndex().size()) {
    find(world.record, 'told_is_held', `node-${index} tells of ${told} of ${headSeq} records`)
  }
  // A hostile peer fills its own share and no more; what honest ones have waiting is far less.
  if (floatingCount > MAX_FLOATING * AUTHOR_SHARE * 2 || floatingBytes > MAX_FLOATING_BYTES * AUTHOR_SHARE * 2) {
    find(world.record, 'floating_is_bounded', `node-${index} holds ${floatingCount} floating intentions`)
  }
}

/**
 * Replicas that say that they hold the same set have the same tables, and say the same of who may write, whoever they are
 * and whatever goes on. Below the root, of those that say the same of the root. Read once per set and node, and only where
 * two hold it: reading tables costs more than all else of a step.
 */
export function checkEqualDigests(world: World): void {
  const { mesh, record, stores } = world
  for (const [name, storeId] of Object.entries(stores)) {
    for (const [digest, indices] of holdersOf(world, storeId)) {
      if (indices.length < 2) continue
      const key = `${name} ${digest}`
      const seen = world.tables.get(key) ?? { tables: '', view: '', nodes: new Set() }
      world.tables.set(key, seen)
      for (const index of indices) {
        if (seen.nodes.has(index)) continue
        const kernel = mesh.store(index, storeId).kernel()
        const now = {
          tables: tablesDigest(mesh.node(index), storeId),
          view: `${viewText(kernel)} ${linksText(kernel)}`,
        }
        const others = [...seen.nodes].join()
        if (seen.nodes.size > 0 && now.view !== seen.view) {
          find(record, 'equal_sets_equal_views', `${name} on node-${index} is not as on ${others}: ${digest}`)
        }
        if (seen.nodes.size > 0 && now.tables !== seen.tables) {
          find(record, 'equal_sets_equal_tables', `${name} on node-${index} is not as on ${others}: ${digest}`)
        }
        Object.assign(seen, now)
        seen.nodes.add(index)
      }
    }
  }
}

/** What the set of a store below says nothing of: the root, whose peers it has. Undefined while that is not in use. */
function aboveOf(world: World, index: number, storeId: StoreId): string | undefined {
  const { stores } = world
  if (equalBytes(storeId, stores.team)) return ''
  const kernel = storeIn(world, index, stores.team)?.kernel()
  return kernel && ` ${viewText(kernel)}`
}

/** The honest nodes that are up, by the set that they hold. */
function holdersOf(world: World, storeId: StoreId): ReadonlyMap<string, readonly number[]> {
  const { mesh, honest } = world
  const holders = new Map<string, number[]>()
  for (const index of honest) {
    const set = mesh.peers[index]?.isUp() === true ? setDigest(mesh.node(index), storeId) : undefined
    if (set === undefined) continue
    const above = aboveOf(world, index, storeId)
    if (above === undefined) continue
    const digest = `${set}${above}`
    holders.set(digest, [...(holders.get(digest) ?? []), index])
  }
  return holders
}

/** Why it is not so yet that everybody has come together; undefined once it is. */
export function difference(world: World): string | undefined {
  const { mesh, record, honest, late } = world
  for (const index of honest) {
    const isDown = mesh.peers[index]?.isUp() !== true
    if (isDown && !late.includes(index)) return `node-${index} is down`
  }
  if (record.underWay.size > 0) {
    return `acts are under way: ${[...record.underWay.values()].map(({ what, node }) => `${what} of node-${node}`).join(', ')}`
  }
  const gathering = gather(world)
  if (gathering.kind === 'apart') return gathering.why
  const nodes = gathering.nodes.map((index) => ({ index, node: mesh.node(index), states: statesOn(world, index) }))
  const isUndeclared = (id: StoreId): boolean =>
    record.made.some((made) => equalBytes(made.id, id) && record.unsteady.has(made.node))
  for (const { name, id } of [...namedStores(world), ...record.made]) {
    // Where its declaration was cut, or who made it left, whoever had fetched it before keeps it, and nobody else comes to have it.
    const isKept = (states: (typeof nodes)[number]['states']): boolean => {
      const state = states.get(idKey(id))
      return state !== undefined && state !== 'archived' && state !== 'bootstrapping'
    }
    const having = isUndeclared(id) ? nodes.filter(({ states }) => isKept(states)) : nodes
    const states = having.map((each) => each.states.get(idKey(id)))
    if (states.some((state) => state !== states[0])) return `${name} is ${states.join(', ')}`
    if (having.length === 0 || states[0] === 'archived') continue
    if (states[0] !== 'active') return `${name} is ${states[0] ?? 'unknown'} everywhere`
    const sets = heldDigests(
      having.map(({ node }) => node),
      id,
    )
    if (!allEqual(sets)) {
      const told = having.map(({ index }, nth) => `node-${index} ${sets[nth]?.slice(0, 12) ?? 'behind'}`)
      return `${name} differs: ${told.join(', ')}`
    }
    const held = { name, id, nodes: having.map(({ index }) => index) }
    const why =
      whyEarly(world, held) ??
      whyUnsettled(world, held) ??
      whyUnfollowed(world, held) ??
      whyDeleting(world, held) ??
      (world.plan.historyPercent > 0 ? whyFetching(world, held) : undefined)
    if (why !== undefined) return why
  }
  return undefined
}

/** What an honest node wrote with a clock that was ahead, and took over behind a cut, is in no set before its time has come. */
function whyEarly({ mesh, honest, keyOf }: World, { name, id, nodes }: Held): string | undefined {
  const keys = new Set(honest.flatMap((index) => keyOf(index) ?? []).map(idKey))
  const index = nodes.find((each) =>
    mesh
      .store(each, id)
      .kernel()
      .floating(Infinity)
      .some(({ reason, parsed }) => reason === 'future' && keys.has(idKey(parsed.intention.author))),
  )
  return index === undefined ? undefined : `node-${index} holds what is early in ${name}`
}

function namedStores({ stores }: World): readonly { readonly name: string; readonly id: StoreId }[] {
  return Object.entries(stores).map(([name, id]) => ({ name, id }))
}

function statesOn({ mesh }: World, index: number): ReadonlyMap<IdKey, string> {
  const stores = mesh.node(index).stores()
  return new Map(stores.map(({ id, state }) => [idKey(id), state]))
}

/** What holds once everybody has come together. */
export async function checkEnd(world: World): Promise<void> {
  const { record } = world
  checkStep(world)
  for (const { name, id } of [...namedStores(world), ...record.made]) {
    const nodes = members(world).filter((index) => storeIn(world, index, id) !== undefined)
    checkTables(world, { name, id, nodes })
    checkAuthors(world, { name, id, nodes })
    checkForks(world, { name, id, nodes })
    checkEpochRoots(world, { name, kernels: nodes.map((index) => world.mesh.store(index, id).kernel()) })
    await checkEpochs(world, { name, id, nodes })
    await checkRoots(world, { name, id, nodes })
  }
  checkTokens(world)
  checkStatus(world)
}

function checkTables({ mesh, record }: World, { name, id, nodes }: Held): void {
  const tables = nodes.map((index) => tablesDigest(mesh.node(index), id))
  if (nodes.length > 0 && !allEqual(tables)) find(record, 'equal_sets_equal_tables', `${name}: ${tables.join(' ')}`)
}

/** The state roots of two nodes: those of the others follow from the tables, which are read another way. */
async function checkRoots({ mesh, record }: World, { name, id, nodes }: Held): Promise<void> {
  const roots: string[] = []
  for (const index of nodes.slice(-2))
    roots.push(toHex((await mesh.complete(mesh.store(index, id).stateSummary())).digest))
  if (nodes.length > 0 && !allEqual(roots)) find(record, 'equal_sets_equal_roots', `${name}: ${roots.join(' ')}`)
}

/**
 * Whoever wrote something that is witnessed was admitted. What others built upon of who was let in in vain stays as a link. And
 * what admitted a peer may be gone above, where history was cut without it, while what the peer wrote below stays.
 */
function checkAuthors(world: World, { name, id, nodes }: Held): void {
  const { team } = world.stores
  for (const index of nodes) {
    const store = world.mesh.store(index, id)
    const admitted = new Set(store.peers().map(({ publicKey }) => idKey(publicKey)))
    const isCutAbove = !equalBytes(id, team) && storeIn(world, index, team)?.kernel().base() !== undefined
    const { tips, membership } = store.kernel()
    for (const { author } of tips()) {
      if (admitted.has(idKey(author)) || !membership().isHeard(author)) continue
      if (isCutAbove && world.indexOf(author) !== undefined) continue
      find(world.record, 'authors_are_admitted', `${name} on node-${index} holds what ${toHex(author)} wrote`)
    }
  }
}

function checkForks(world: World, { name, id, nodes }: Held): void {
  for (const index of nodes) {
    for (const { author } of world.mesh.store(index, id).kernel().forks(64)) {
      const forker = world.indexOf(author)
      if (forker === world.hostile && forker !== undefined) continue
      find(world.record, 'own_chain_never_forks', `${name} on node-${index} holds a fork of node-${forker ?? '?'}`)
    }
  }
}

/** A token admits at most as many as it has uses. */
function checkTokens(world: World): void {
  const [first] = members(world)
  if (first === undefined) return
  const invites = world.mesh.store(first, world.stores.team).invites()
  for (const { tokenHash, uses } of world.record.tokens) {
    const invite = invites.find((each) => equalBytes(each.tokenHash, tokenHash))
    const claims = invite?.claimedBy.length ?? 0
    if (claims > uses) find(world.record, 'tokens_are_bounded', `a token of ${uses} uses admitted ${claims}`)
  }
  const extra = members(world).filter((index) => world.late.includes(index)).length
  const uses = world.record.tokens.reduce((sum, token) => sum + token.uses, 0)
  if (extra > uses) find(world.record, 'tokens_are_bounded', `${extra} nodes joined by tokens of ${uses} uses`)
}

/** What a node itself acknowledged is in its log, after a start from disk as well, until that is cut. */
function checkOwnWrites(world: World, index: number): void {
  for (const { storeId, id, node } of world.record.acknowledged) {
    if (node !== index) continue
    const store = storeIn(world, index, storeId)
    if (store === undefined || store.kernel().has(id) || store.kernel().base() !== undefined) continue
    find(world.record, 'acknowledged_is_kept', `node-${index} lacks ${toHex(id)}, its own`)
  }
}
