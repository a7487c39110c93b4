/**
 * Listens to a node from its start to its end: what it says of its sessions has to be true.
 *
 * @module
 */
import {
  createAbortController,
  equalBytes,
  type IntentionId,
  isLagged,
  type PublicKey,
  type StoreId,
  toHex,
} from '@lattice/model'
import type { Node, NodeEvent } from '@lattice/node'
import { kernelOf } from '../replica-digest.ts'
import { isFetching } from './check-history.ts'
import { find } from './run-record.ts'
import type { World } from './world.ts'

/** More than a run leaves out. */
const MAX_EXCLUDED = 10_000

export function followNode(world: Omit<World, 'stores'>, index: number, node: Node): void {
  const { record, mesh } = world
  const { generation } = mesh.life(index)
  for (const { id, state } of node.stores()) {
    // One that it was removed from is in use as well.
    if (state === 'active' || state === 'revoked') watchDigests(world, index, { node, storeId: id })
  }
  const follow = async (): Promise<void> => {
    for await (const event of node.events(createAbortController().signal)) {
      // A node that has crashed may say what it likes.
      if (mesh.life(index).generation !== generation) return
      if (!isLagged(event)) takeIn(world, index, { node, event })
    }
  }
  // Its end, good or bad, ends the events.
  follow().catch((error: unknown) =>
    find(record, 'events_end_well', `the events of node-${index} failed: ${String(error)}`),
  )
}

function takeIn(world: Omit<World, 'stores'>, index: number, { node, event }: { node: Node; event: NodeEvent }): void {
  const { record, plan } = world
  if (index === plan.nodes) return
  switch (event.kind) {
    case 'store_ready':
      watchDigests(world, index, { node, storeId: event.storeId })
      return
    case 'fork_detected': {
      const author = world.indexOf(event.author)
      if (author === plan.nodes || isBeyondReturn(world, index, { author, storeId: event.storeId })) return
      find(record, 'own_chain_never_forks', `node-${index} saw a fork of node-${author ?? '?'}, which is honest`)
      return
    }
    case 'returned':
      record.returned.add(digestsKey(index, event.storeId))
      return
    case 'stalled':
      // It goes on of itself once there is room: one that does not is never together with the others.
      if (record.hadFullDisk.has(index)) return
      find(record, 'projection_never_stalls', `node-${index} stalled at ${event.seq}: ${event.error}`)
      return
    case 'store_failed':
      if (record.hadFullDisk.has(index)) return
      find(record, 'stores_stay_whole', `node-${index}: ${event.failure.code} ${event.failure.message}`)
      return
    case 'epoch_settled':
      record.settled.push({ node: index, storeId: event.storeId, epoch: event.epoch, author: authorOf(node, event) })
      return
    case 'sync_result':
      sessionEnded(world, index, event.outcome)
      return
    default:
  }
}

function authorOf(
  node: Node,
  { storeId, epoch }: { readonly storeId: StoreId; readonly epoch: IntentionId },
): PublicKey | undefined {
  return kernelOf(node, storeId)?.get(epoch)?.parsed.intention.author
}

/**
 * Whether a node has not come behind the cut yet at which the author of a chain began anew. It may hold what that could not take
 * over, and whoever is away is not waited for: the branch goes once the node comes back itself. Nor is a branch known to anybody
 * else that the node leaves out: its author wrote it while it was removed, and could not place it any more as it came back.
 */
function isBeyondReturn(
  world: Omit<World, 'stores'>,
  index: number,
  { author, storeId }: { readonly author: number | undefined; readonly storeId: StoreId },
): boolean {
  const { record, mesh } = world
  if (author === undefined || author === index || !record.returned.has(digestsKey(author, storeId))) return false
  const [here, there] = [index, author].map((node) =>
    mesh.peers[node]?.isUp() === true ? kernelOf(mesh.node(node), storeId)?.base()?.epoch : undefined,
  )
  if (here === undefined || there === undefined || !equalBytes(here, there)) return true
  const kernel = mesh.peers[index]?.isUp() === true ? kernelOf(mesh.node(index), storeId) : undefined
  return kernel?.excluded(MAX_EXCLUDED).some((each) => !each.isLink && world.indexOf(each.author) === author) === true
}

type Outcome = Extract<NodeEvent, { readonly kind: 'sync_result' }>['outcome']

/** `synced` is said of equal digests: so the one that the peer named is one that both have had. */
function sessionEnded(world: Omit<World, 'stores'>, index: number, outcome: Outcome): void {
  const { record, plan, mesh } = world
  record.sessions += 1
  if (outcome.kind === 'failed') {
    const peerIndex = world.indexOf(outcome.peer) ?? '?'
    record.journal.note(`node-${index}: a session with node-${peerIndex} failed: ${outcome.error.code}`)
  }
  if (outcome.kind !== 'done' || !outcome.synced) return
  record.synced += 1
  const peer = world.indexOf(outcome.peer)
  const digest = digestText(outcome.theirs)
  const isUnknown = (node: number): boolean =>
    world.digests.get(digestsKey(node, outcome.storeId))?.has(digest) === false
  if ([index, peer].some((node) => node !== undefined && node !== plan.nodes && isUnknown(node)))
    world.cuts.look(outcome.storeId)
  for (const node of [index, peer]) {
    // What a hostile peer says of itself is its own affair.
    if (node === undefined || node === plan.nodes) continue
    // While it says its last its stores may be replaced, and it hands out none of them any more.
    if (mesh.peers[node]?.isUp() !== true) continue
    const known = world.digests.get(digestsKey(node, outcome.storeId))
    if (known === undefined || known.has(digest)) continue
    // A store is followed once it is in use: what it held while it was fetched nobody has noted, also beside what was in use.
    if (isFetching(world, node, outcome.storeId) || kernelOf(mesh.node(node), outcome.storeId) === undefined) continue
    if (outcome.theirs.witnessCount < (record.followedFrom.get(digestsKey(node, outcome.storeId)) ?? 0)) continue
    const what = `node-${index} said that it was synced with node-${peer ?? '?'} at ${digest}, which node-${node} never held`
    find(record, 'synced_is_true', what)
  }
}

/**
 * Remembers every digest of a store from now on; each is there before anybody can be told of it. What is left out, or
 * counts again, changes it without anything new. What was applied without all that it cites is looked into at once: a cut
 * may take what would explain it.
 */
function watchDigests(
  { digests, mesh, cuts, watch, record }: Omit<World, 'stores'>,
  index: number,
  { node, storeId }: { readonly node: Node; readonly storeId: StoreId },
): void {
  const kernel = mesh.peers[index]?.isUp() === true ? kernelOf(node, storeId) : undefined
  // It may be left again by the time that it is told to be ready.
  if (kernel === undefined) return
  const key = digestsKey(index, storeId)
  const known = digests.get(key) ?? new Set<string>()
  digests.set(key, known)
  if (!record.followedFrom.has(key)) record.followedFrom.set(key, kernel.digest().witnessCount)
  const isWatched = (): boolean => mesh.peers[index]?.isUp() === true && kernelOf(node, storeId) === kernel
  const noteDigests = cuts.watch({ key, kernel, isWatched }, (digest) => known.add(digestText(digest)))
  const note = (): void => {
    noteDigests()
    if (watch.lacks()) watch.leaveOut(kernel.excluded(MAX_EXCLUDED).map(({ id }) => id))
  }
  note()
  kernel.onWitnessed(note)
  kernel.onProjected(note)
  kernel.onEvent(note)
}

/** By what the digests that a node's store has had are kept. */
export function digestsKey(index: number, storeId: StoreId): string {
  return `${index} ${toHex(storeId)}`
}

export function digestText({
  witnessCount,
  fingerprint,
}: {
  readonly witnessCount: number
  readonly fingerprint: Uint8Array
}): string {
  return `${witnessCount} ${toHex(fingerprint).slice(0, 16)}`
}
