/**
 * What holds of history that is cut: where it begins moves forward alone, by epochs that all who write have seen and whose
 * state they agree on, and nothing that was acknowledged goes without a word.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type EpochStatus, FETCHING, type Kernel, QUORUM, type SignedRoot, signedStateOf } from '@lattice/kernel'
import {
  compareEpochs,
  equalBytes,
  type IntentionId,
  type NumberedEpoch,
  type PublicKey,
  type StoreId,
  toHex,
} from '@lattice/model'
import { areCutApart, stateIn } from './gathering.ts'
import type { Acknowledged } from './run-record.ts'
import { find } from './run-record.ts'
import { storeIn, type World } from './world.ts'

/** Records read at once. */
const RECORDS = 4096

/**
 * The base of a node moves to a later epoch or stays, and the epoch is one that history may be cut at. Of two with one number,
 * which know nothing of each other, the one gives way to the other.
 */
export function checkBases(world: World): void {
  for (const index of world.honest) {
    for (const [name, id] of Object.entries(world.stores)) checkBase(world, index, { name, id })
  }
}

function checkBase(world: World, index: number, { name, id }: { readonly name: string; readonly id: StoreId }): void {
  const { bases, record } = world
  const key = `${index} ${name}`
  const kernel = storeIn(world, index, id)?.kernel()
  const seen = bases.get(key)
  if (kernel === undefined) {
    if (seen !== undefined && hasLeft(world, index, id)) bases.delete(key)
    return
  }
  const base = kernel.base()
  if (base === undefined || seen === undefined) {
    if (base === undefined && seen !== undefined) {
      find(
        record,
        'bases_move_forward',
        `${name} on node-${index} has a whole history, and had the base ${toHex(seen.epoch)}`,
      )
    }
  } else if (equalBytes(base.epoch, seen.epoch)) return
  else if (compareEpochs(base, seen) > 0 || !kernel.has(seen.epoch) || !isReached(kernel, seen, base)) {
    find(
      record,
      'bases_move_forward',
      `${name} on node-${index} has the base ${toHex(base.epoch)} after ${toHex(seen.epoch)}`,
    )
  }
  if (base === undefined) return
  bases.set(key, base)
  // Its own word may have been among those that it cut by, and counts no more.
  if (stateIn(world, index, id) === 'revoked') return
  // Also who has fetched the store just now: what it begins with has to be borne out before.
  const why = whyNoBase(world, kernel, base.epoch)
  if (why !== undefined)
    find(record, 'cuts_are_agreed', `${name} on node-${index} is cut at ${toHex(base.epoch)}, ${why}`)
}

function isReached(kernel: Kernel, from: NumberedEpoch, to: NumberedEpoch): boolean {
  return from.seq === to.seq || kernel.isAncestor(from.epoch, to.epoch)
}

function hasLeft(world: World, index: number, id: StoreId): boolean {
  return world.mesh.peers[index]?.isUp() === true && stateIn(world, index, id) === undefined
}

/** Why history may not be cut there, as far as it is known on the node. */
function whyNoBase(world: World, kernel: Kernel, base: IntentionId): string | undefined {
  const epochs = kernel.epochs()
  const status = epochs.find(({ id }) => equalBytes(id, base))
  if (status === undefined) return 'which it does not have'
  // Who was away may outrank what the others had all agreed on: what they had cut by then is gone.
  if (status.fault !== undefined && status.fault !== 'outranked') return `which does not count: ${status.fault}`
  const awaited = unseenBy(kernel, status).filter((key) => !world.record.unsteady.has(world.indexOf(key) ?? -1))
  if (awaited.length > 0)
    return `which ${awaited.map((key) => `node-${world.indexOf(key) ?? '?'}`).join()} has not seen`
  const later = epochs.filter(({ id }) => equalBytes(id, base) || kernel.isAncestor(base, id))
  if (!later.some(isVouchedFor) && !isVouchedFor(withGone(kernel, status))) return 'whose state too few have signed'
  return honestRoots(world, status).size > 1 ? 'at which peers have come to different states' : undefined
}

/** Whoever it names, is active, and has not seen it. Of what is outranked nobody is told to be waited for. */
function unseenBy(kernel: Kernel, { required, acked }: EpochStatus): readonly PublicKey[] {
  const isIn = (keys: readonly PublicKey[], key: PublicKey): boolean => keys.some((other) => equalBytes(other, key))
  const active = kernel.membership().active()
  return required.filter((key) => isIn(active, key) && !isIn(acked, key))
}

function isVouchedFor({ roots, required }: Vouching): boolean {
  const counts = new Map<string, number>()
  for (const { root } of roots) counts.set(toHex(root), (counts.get(toHex(root)) ?? 0) + 1)
  return Math.max(0, ...counts.values()) >= (required.length > 1 ? QUORUM : 1)
}

type Vouching = Pick<EpochStatus, 'roots' | 'required'>

/** Together with what those signed who were removed since: it may have counted when the history was cut. */
function withGone(kernel: Kernel, { id, author, required, roots }: EpochStatus): Vouching {
  const { cutoffsOf } = kernel.membership()
  const keys = [author, ...required].filter((key) => cutoffsOf(key).length > 0).map(toHex)
  const gone = new Set(keys.filter((key) => roots.every((root) => toHex(root.author) !== key)))
  const signed = new Map<string, SignedRoot>()
  for (let seq = kernel.base()?.fromSeq ?? 1; ;) {
    const page = kernel.scanWitness(seq, RECORDS)
    for (const { op, intention } of page.map(({ parsed }) => parsed)) {
      if (op.kind !== 'epochAck' || !equalBytes(op.value.epoch, id) || !gone.has(toHex(intention.author))) continue
      const state = signedStateOf(op.value)
      const name = `${toHex(intention.author)} ${toHex(op.value.stateRoot)}`
      if (state !== undefined) signed.set(name, { author: intention.author, ...state })
    }
    if (page.length === 0) return { roots: [...roots, ...signed.values()], required }
    seq += page.length
  }
}

function honestRoots({ indexOf, hostile }: World, { roots }: EpochStatus): ReadonlySet<string> {
  return new Set(roots.filter(({ author }) => indexOf(author) !== hostile).map(({ root }) => toHex(root)))
}

/** Whoever keeps to the rules has signed the same state at an epoch, wherever it did. */
export function checkEpochRoots(world: World, { name, kernels }: { name: string; kernels: readonly Kernel[] }): void {
  const roots = new Map<string, string>()
  for (const status of kernels.flatMap((kernel) => kernel.epochs())) {
    for (const root of honestRoots(world, status)) {
      const id = toHex(status.id)
      const other = roots.get(id)
      roots.set(id, root)
      if (other === undefined || other === root) continue
      find(world.record, 'equal_roots_at_epochs', `${name} at ${id}: ${other} and ${root}`)
    }
  }
}

/**
 * Whether a write that is not in a cut log is accounted for: it is told at its author as one to be written anew, or who
 * wrote it lost rights and it may have been beyond that.
 */
export function isTold(
  world: Pick<World, 'mesh' | 'record' | 'keyOf'>,
  kernel: Kernel,
  { id, node, storeId }: Acknowledged,
): boolean {
  const author = world.keyOf(node)
  if (author === undefined || !kernel.membership().isHeard(author)) return true
  const { writtenAnew, beingWrittenAnew } = world.record
  if (kernel.membership().cutoffsOf(author).length > 0) return true
  if (writtenAnew.has(toHex(id)) || beingWrittenAnew.has(toHex(id))) return true
  const store = storeIn(world, node, storeId)
  // Who is down or has left keeps what it has, and so does who was cut apart.
  if (store === undefined || areCutApart(kernel, store.kernel())) return true
  return store.kernel().has(id) || store.stranded().some((write) => equalBytes(write.id, id))
}

/** What is fetched beside a store is gone once it is whole or given up. */
export function whyFetching(
  world: World,
  { name, id, nodes }: { name: string; id: StoreId; nodes: readonly number[] },
): string | undefined {
  const index = nodes.find((each) => isFetching(world, each, id))
  return index === undefined ? undefined : `node-${index} is fetching ${name}`
}

/** Something of a store is fetched beside it, or is whole and not in place yet. */
export function isFetching({ mesh }: Pick<World, 'mesh'>, index: number, id: StoreId): boolean {
  return existsSync(join(mesh.peers[index]?.dataDir() ?? '', 'stores', toHex(id), FETCHING))
}

/** Deleting has ended where it was decided. */
export function whyDeleting(
  world: World,
  { name, id, nodes }: { name: string; id: StoreId; nodes: readonly number[] },
): string | undefined {
  const index = nodes.find((each) => {
    const state = storeIn(world, each, id)?.kernel().pruning().state
    return state === 'pruning' || state === 'failed'
  })
  return index === undefined ? undefined : `node-${index} is deleting history of ${name}`
}
