/**
 * What epochs come to on a node: who is out, since when, and that nothing of it is in state.
 *
 * Where a write lies is asked of the DAG, and what must follow is worked out here anew: what the node itself says it left
 * out has to be that and no more.
 *
 * @module
 */
import type { EpochStatus, Kernel } from '@lattice/kernel'
import { openKv } from '@lattice/kvstore'
import {
  equalBytes,
  type IdKey,
  idKey,
  type IntentionId,
  isLatticeError,
  type PublicKey,
  type StoreId,
  toHex,
} from '@lattice/model'
import type { MembershipView } from '@lattice/store-base'
import { wasGiven } from '@lattice/systemstore'
import { isCurrent } from '../replica-digest.ts'
import { isTold } from './check-history.ts'
import { BY_NO_ADMIN } from './forge-epochs.ts'
import { standingOf } from './gathering.ts'
import type { Acknowledged } from './run-record.ts'
import { find } from './run-record.ts'
import { storeIn, type World } from './world.ts'

/** More than a run has. */
const ALL = 4096

/** A store with the nodes that have it and have come together in it. */
export interface Held {
  readonly name: string
  readonly id: World['stores']['team']
  readonly nodes: readonly number[]
}

/** What the records of a store come to, as text: the same on nodes that have the same records. */
export function viewText(kernel: Kernel): string {
  const view = kernel.membership()
  const known = viewTexts.get(view)
  if (known !== undefined) return known
  const limited = view.limited()
  // What is without effect and by somebody who is cut off may be left out of the set, and is here or not.
  const isShared = ({ author, fault }: EpochStatus): boolean =>
    fault === undefined || !limited.some((key) => equalBytes(key, author))
  const epochs = kernel
    .epochs()
    .filter(isShared)
    // Of a parent's epoch without effect the same goes.
    .map(({ id, fault }) => `${toHex(id)} ${fault === 'parent_void' ? 'parent_unknown' : (fault ?? 'counts')}`)
  const cutoffs = limited.flatMap((author) => cutoffTexts(view, author))
  const text = [...epochs.toSorted(), ...cutoffs, ...view.active().map(toHex)].join('\n')
  viewTexts.set(view, text)
  return text
}

const viewTexts = new WeakMap<MembershipView, string>()

function cutoffTexts(view: MembershipView, author: PublicKey): readonly string[] {
  const cutoffs = view
    .cutoffsOf(author)
    .map(
      ({ epoch, remains, readmissions }) =>
        `${toHex(author)} ${toHex(epoch)} ${remains} ${readmissions.map(toHex).toSorted().join()}`,
    )
  // What admitted one that is only not heard is beyond a cutoff, so it is no part of the set, and is here or not.
  if (cutoffs.length === 0 && !view.isHeard(author)) return []
  return [`${toHex(author)} ${String(view.isHeard(author))}`, ...cutoffs.toSorted()]
}

/** What is beyond a cutoff and kept as a link: a part of the set, so the same on nodes that hold the same. */
export function linksText(kernel: Kernel): string {
  if (kernel.membership().limited().length === 0) return ''
  const links = kernel.excluded(ALL).filter(({ isLink }) => isLink)
  return links
    .map(({ id }) => toHex(id))
    .toSorted()
    .join(' ')
}

/** Nothing that a node says is left out is in its state. */
export function checkExcludedNow(world: World): void {
  for (const index of world.honest) checkExcludedOn(world, index)
}

function checkExcludedOn(world: World, index: number): void {
  const kernel = storeIn(world, index, world.stores.watched)?.kernel()
  if (kernel === undefined || kernel.membership().limited().length === 0) return
  if (!isCurrent(kernel)) return
  for (const { id, author } of kernel.excluded(ALL)) {
    if (kernel.tables().app.get(id) === undefined) continue
    const who = world.indexOf(author) ?? '?'
    const what = `node-${index} has ${toHex(id)} of node-${who} in its state, which it left out`
    find(world.record, 'nothing_beyond_a_cutoff', what)
  }
}

/** What holds of epochs, and of what they cut, once everybody has come together. */
export async function checkEpochs(world: World, held: Held): Promise<void> {
  const [first] = held.nodes
  if (first === undefined) return
  for (const index of held.nodes) {
    checkWritten(world, held, index)
    checkSettled(world, held, index)
  }
  checkWatchedRows(world, held)
  checkVerdicts(world, held, first)
  await checkKeys(world, held, first)
}

function checkWritten(world: World, { name, id }: Pick<Held, 'name' | 'id'>, index: number): void {
  const kernel = world.mesh.store(index, id).kernel()
  const excluded = new Set(kernel.excluded(ALL).map((each) => idKey(each.id)))
  for (const written of acknowledgedIn(world, id)) {
    const isHere = kernel.has(written.id)
    if (!isHere && kernel.base() !== undefined) {
      checkGone(world, { name, kernel, written })
      continue
    }
    const counts = isHere && !excluded.has(idKey(written.id))
    const isBeyond = isBeyondCutoff(world, index, written)
    if (isBeyond === undefined || counts === !isBeyond) continue
    const what = `${name} on node-${index}: ${toHex(written.id)}, which node-${written.node} acknowledged, is ${
      isHere ? (counts ? 'there' : 'left out') : 'lacking'
    } although it is ${isBeyond ? '' : 'not '}beyond a cutoff`
    find(world.record, isBeyond ? 'nothing_beyond_a_cutoff' : 'acknowledged_is_kept', what)
  }
}

/** Of what is not in a cut log the watched machine has a row, or its author is told of it. */
function checkGone(
  world: World,
  { name, kernel, written }: { readonly name: string; readonly kernel: Kernel; readonly written: Acknowledged },
): void {
  if (!equalBytes(written.storeId, world.stores.watched)) return
  if (kernel.tables().app.get(written.id) !== undefined || isTold(world, kernel, written)) return
  const what = `${name}: ${toHex(written.id)}, which node-${written.node} acknowledged, is not in state, and nobody is told`
  find(world.record, 'nothing_goes_silently', what)
}

function acknowledgedIn({ record }: World, storeId: Held['id']): readonly Acknowledged[] {
  return record.acknowledged.filter((written) => equalBytes(written.storeId, storeId))
}

/** Undefined where nobody who is up knows where it lies. */
function isBeyondCutoff(world: World, index: number, { id, node, storeId }: Acknowledged): boolean | undefined {
  const kernel = world.mesh.store(index, storeId).kernel()
  const author = world.keyOf(node)
  if (author === undefined) return undefined
  const view = kernel.membership()
  if (!view.isHeard(author)) return true
  // Who has left by force, though nobody who is in had it all, keeps what it has.
  if (!kernel.has(id) && storeIn(world, node, storeId) === undefined) return undefined
  const cutoffs = view.cutoffsOf(author).filter(({ remains }) => remains !== 'writer')
  // Who is out is served by nobody, also below where no admin is left that would have the store follow (`whyUnfollowed`).
  if (!kernel.has(id) && cutoffs.length === 0 && isOutside(world, index, author)) return undefined
  // Of what was cut nobody knows where it lay.
  if (kernel.base() !== undefined && !kernel.has(id)) return cutoffs.length > 0 ? undefined : false
  const after = cutoffs.filter(({ epoch }) => !isBefore(kernel, id, epoch))
  if (after.length === 0 || after.some(({ readmissions }) => readmissions.length === 0)) return after.length > 0
  // What was never taken in here is known to who wrote it.
  const witness = kernel.has(id) ? kernel : storeIn(world, node, storeId)?.kernel()
  if (witness?.has(id) !== true) return undefined
  return !after.every(({ readmissions }) => readmissions.some((admission) => isBefore(witness, admission, id)))
}

/** By the root as a node has it: it was removed, or let in by nobody or by somebody who was out by then. */
function isOutside(world: World, index: number, author: PublicKey): boolean {
  const view = world.mesh.store(index, world.stores.team).kernel().membership()
  const isOut = view
    .cutoffsOf(author)
    .some(({ remains, readmissions }) => remains !== 'writer' && readmissions.length === 0)
  return isOut || !view.isHeard(author) || standingOf(world, index, world.indexOf(author) ?? index) === 'stranger'
}

/** Of what is not here nothing is known, so it is before nothing. */
function isBefore(kernel: Kernel, ancestor: IntentionId, id: IntentionId): boolean {
  return kernel.has(ancestor) && kernel.has(id) && kernel.isAncestor(ancestor, id)
}

/** The watched machine has a row for each operation that counts and for no other. */
function checkWatchedRows(world: World, { id, nodes }: Held): void {
  const [first] = nodes
  if (first === undefined || !equalBytes(id, world.stores.watched)) return
  const kernel = world.mesh.store(first, id).kernel()
  const excluded = new Set(kernel.excluded(ALL).map((each) => idKey(each.id)))
  for (let seq = kernel.base()?.fromSeq ?? 1; ;) {
    const page = kernel.scanWitness(seq, ALL)
    for (const { parsed } of page) {
      if (parsed.op.kind !== 'appData') continue
      const isRow = kernel.tables().app.get(parsed.id) !== undefined
      if (isRow === !excluded.has(idKey(parsed.id))) continue
      const what = `watched on node-${first}: ${toHex(parsed.id)} is ${isRow ? '' : 'not '}in state`
      find(world.record, isRow ? 'nothing_beyond_a_cutoff' : 'all_that_counts_is_applied', what)
    }
    if (page.length === 0) return
    seq += page.length
  }
}

/** Each key that was put once is there if its write counts, and else it is not. */
async function checkKeys(world: World, { name, id }: Held, index: number): Promise<void> {
  const store = world.mesh.store(index, id)
  const kernel = store.kernel()
  for (const written of acknowledgedIn(world, id)) {
    if (written.key === undefined) continue
    const isBeyond = isBeyondCutoff(world, index, written)
    const { value } = await world.mesh.complete(openKv(store).get(written.key))
    if (isBeyond === undefined || (value === undefined) === isBeyond) continue
    const isCut = kernel.base() !== undefined && !kernel.has(written.id)
    if (isCut && value === undefined && isTold(world, kernel, written)) continue
    const what = `${name} on node-${index}: ${written.key} is ${value === undefined ? 'lacking' : 'there'}`
    find(
      world.record,
      isBeyond ? 'nothing_beyond_a_cutoff' : isCut ? 'nothing_goes_silently' : 'acknowledged_is_kept',
      what,
    )
  }
}

/**
 * What was settled stays so, but for who was out or away meanwhile and has not seen it. And but for who has come back to where
 * others cut without its author, while they were waited for by nobody there.
 */
function checkSettled(world: World, { name, id }: Held, index: number): void {
  const { record } = world
  const told = record.settled.filter((each) => each.node === index && equalBytes(each.storeId, id))
  if (told.length === 0) return
  const kernel = world.mesh.store(index, id).kernel()
  const epochs = new Map(kernel.epochs().map((epoch) => [idKey(epoch.id), epoch]))
  for (const { epoch, author } of told) {
    const now = epochs.get(idKey(epoch))
    if (now === undefined && !isCutWithout(kernel, author))
      find(record, 'settled_stays', `${name} on node-${index} lacks the epoch ${toHex(epoch)}`)
    if (now === undefined || now.fault !== undefined || now.isSettled || isBelowBase(kernel, now.id)) continue
    const holders = now.waitingFor.filter((key) => !record.unsteady.has(world.indexOf(key) ?? -1))
    if (holders.length === 0) continue
    find(record, 'settled_stays', `${name} on node-${index}: ${toHex(epoch)} waits for ${holders.map(toHex).join()}`)
  }
}

/** History is cut at an epoch that its author made alone, or waiting for others. */
function isCutWithout(kernel: Kernel, author: PublicKey | undefined): boolean {
  const base = kernel.base()
  const cut = base && kernel.epochs().find(({ id }) => equalBytes(id, base.epoch))
  if (cut === undefined) return false
  return author === undefined || ![cut.author, ...cut.required].some((key) => equalBytes(key, author))
}

/**
 * In a store that has its parent's peers, what only an admin may do counts as soon as its author is one there: the order of
 * the two is in no store's history.
 */
function hasBecomeAdmin({ mesh, stores }: World, id: StoreId, index: number, author: PublicKey): boolean {
  if (equalBytes(id, stores.team)) return false
  return wasGiven(mesh.store(index, stores.team).kernel().tables().system, author, 'admin')
}

/** Epochs of nodes that keep to the rules count, or were made at the same time as a senior's; forged ones never do. */
function checkVerdicts(world: World, { name, id }: Held, index: number): void {
  const kernel = world.mesh.store(index, id).kernel()
  const forged = new Map<IdKey, string>(world.record.forged.map((each) => [idKey(each.id), each.what]))
  for (const epoch of kernel.epochs()) {
    const author = world.indexOf(epoch.author)
    const forgery = forged.get(idKey(epoch.id))
    const say = (what: string): void =>
      find(world.record, 'epochs_are_judged', `${name}: ${toHex(epoch.id)} of node-${author ?? '?'} ${what}`)
    const isForged =
      forgery !== undefined && !(forgery === BY_NO_ADMIN && hasBecomeAdmin(world, id, index, epoch.author))
    if (isForged && epoch.fault === undefined) say(`counts although it is ${forgery}`)
    if (author !== world.hostile && !isHonestVerdict(epoch)) say(`does not count: ${epoch.fault ?? ''}`)
    for (const { root } of epoch.roots) {
      if (world.record.forgedRoots.has(toHex(root)))
        say(`has the root ${toHex(root)} of an ack that does not follow it`)
    }
    // The acks of what lies below the base are gone with it.
    if (isBelowBase(kernel, epoch.id)) continue
    for (const key of epoch.required) {
      const hasSeen = hasFollowed(kernel, epoch, key)
      if (hasSeen !== epoch.acked.some((each) => equalBytes(each, key))) {
        say(`is shown as ${hasSeen ? 'not ' : ''}seen by node-${world.indexOf(key) ?? '?'}`)
      }
    }
  }
}

function isBelowBase(kernel: Kernel, epoch: IntentionId): boolean {
  const base = kernel.base()?.epoch
  return base !== undefined && kernel.isAncestor(epoch, base)
}

/**
 * `parent_void`, `parent_unknown`: the epoch that it follows turned out not to stand, and is here or is not. `set_aside`: and
 * history was to be cut above it. `admin_unknown`: whoever made its author an admin above turned out to be removed.
 */
function isHonestVerdict({ fault }: EpochStatus): boolean {
  return (
    fault === undefined || ['outranked', 'parent_void', 'parent_unknown', 'set_aside', 'admin_unknown'].includes(fault)
  )
}

function hasFollowed(kernel: Kernel, { id }: EpochStatus, key: PublicKey): boolean {
  const own = kernel.tips().find(({ author }) => equalBytes(author, key))
  return own?.tips.some((tip) => equalBytes(tip.id, id) || isBefore(kernel, id, tip.id)) === true
}

/**
 * Why the epochs of a store are not at rest yet: several heads, or one that somebody who is here has not seen. Whoever is active
 * joins them: where that is nobody who keeps to the rules it may take for ever. So it may where that is back above alone, and no
 * admin that is active is left to have the store follow.
 */
export function whyUnsettled(world: World, { name, id, nodes }: Held): string | undefined {
  const [first] = nodes
  if (first === undefined) return undefined
  const kernel = world.mesh.store(first, id).kernel()
  const { epochHeads } = kernel.digest()
  if (epochHeads.length > 1) {
    const isActive = kernel
      .membership()
      .active()
      .some((key) => nodes.includes(world.indexOf(key) ?? -1) && kernel.revokedBy(key).length === 0)
    return isActive ? `${name} has ${epochHeads.length} epoch heads` : undefined
  }
  const [head] = epochHeads
  if (head === undefined) return undefined
  const epoch = kernel.epochs().find((each) => equalBytes(each.id, head))
  const awaited = epoch?.waitingFor
    .filter((key) => kernel.revokedBy(key).length === 0)
    .flatMap((key) => world.indexOf(key) ?? [])
    .filter((index) => nodes.includes(index))
  if (awaited === undefined || awaited.length === 0) return undefined
  return `${name}: the epoch ${toHex(head).slice(0, 12)} waits for node-${awaited.join()}`
}

/**
 * Why a store does not follow the root yet: a peer is out there, and not here, or the other way round. An admission that came
 * after the newest epoch there is followed once an admin makes another; where none that is active has the store nobody may: the
 * declaration may have been cut with who made it.
 */
export function whyUnfollowed(world: World, { name, id, nodes }: Held): string | undefined {
  const [first] = nodes
  if (first === undefined || equalBytes(id, world.stores.team)) return undefined
  try {
    const team = world.mesh.store(first, world.stores.team).kernel()
    const { active, isAdmin } = team.membership()
    const isHere = (key: PublicKey): boolean => nodes.includes(world.indexOf(key) ?? -1)
    if (!active().some((key) => isAdmin(key) && isHere(key))) return undefined
    const above = standingRemovals(team)
    const below = standingRemovals(world.mesh.store(first, id).kernel())
    return above === below ? undefined : `${name} has not followed team: ${above} and ${below}`
  } catch (error) {
    if (isLatticeError(error)) return `${name}: ${error.message}`
    throw error
  }
}

function standingRemovals(kernel: Kernel): string {
  const view = kernel.membership()
  const removals = view.limited().flatMap((peer) => {
    const standing = view.cutoffsOf(peer).filter(({ readmissions }) => readmissions.length === 0)
    const least = (['none', 'reader', 'writer'] as const).find((each) =>
      standing.some(({ remains }) => remains === each),
    )
    return least === undefined ? [] : [`${toHex(peer).slice(0, 8)} ${least}`]
  })
  return removals.toSorted().join()
}
