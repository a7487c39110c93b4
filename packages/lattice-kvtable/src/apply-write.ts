/**
 * Applies one write to a key.
 *
 * A key holds the writes that no later write of it has replaced: a write drops
 * the heads among its deps, those of its own author in its past, and those below
 * an epoch in its past, and adds itself. Order cannot matter: what is in the past of an intention is applied
 * before it in every causal order, so what is left at the end is the set of
 * writes of the key that no other write of the key replaces, a fact of the DAG.
 * That is also why nothing else may be dropped: dropping what an author merely
 * claims to replace would leave a head behind on the nodes where it arrives
 * later. An author's own are dropped uncited, too, for else one that cites
 * nothing would make a key longer with every write.
 *
 * Pure but for the table; the cost is that of the key's heads.
 *
 * @module
 */
import {
  assert,
  compareBytes,
  equalBytes,
  type Hlc,
  type IntentionId,
  MAX_KEY_BYTES,
  type PublicKey,
  type WriteTable,
} from '@lattice/model'
import { type Resolved, readsTheSame, resolveHeads } from './resolve.ts'
import { compareHeads, decodeHeads, encodeHeads, type KvHead, type KvState } from './value-codec.ts'

export interface KvWrite {
  /** Id of the intention. Each is applied to a key once. */
  readonly id: IntentionId
  readonly timestamp: Hlc
  readonly author: PublicKey
  /** What its author cited, sorted ascending as an operation has it; all of them were applied before. */
  readonly deps: readonly IntentionId[]
  /** True for what is in its past. Asked of heads by the same author that it does not cite. */
  readonly follows?: (ancestor: IntentionId) => boolean
  /** True for what it replaces without citing it: what lies below an epoch in its past. Asked of heads it does not cite. */
  readonly covers?: (id: IntentionId, at: Hlc) => boolean
  /** 1 to 4,096 bytes. */
  readonly key: Uint8Array
  readonly state: KvState
}

export interface KvChange {
  readonly key: Uint8Array
  /** Undefined when the key was never written. */
  readonly before: Resolved | undefined
  readonly after: Resolved
  /** A reader sees a difference: another value, its coming or going, or the start or end of a conflict. */
  readonly changed: boolean
}

/** True for what may be a key. */
export function isKvKey(key: Uint8Array): boolean {
  return key.length >= 1 && key.length <= MAX_KEY_BYTES
}

/** Applies `write` and says what it changed for readers. */
export function applyWrite(table: WriteTable, write: KvWrite): KvChange {
  assert(isKvKey(write.key), 'a key has 1 to 4,096 bytes')
  const stored = table.get(write.key)
  const heads = stored === undefined ? undefined : decodeHeads(stored)
  const before = heads && resolveHeads(heads)
  if (heads !== undefined && before !== undefined && heads.some((head) => equalBytes(head.id, write.id)))
    return { key: write.key, before, after: before, changed: false }

  const { id, timestamp, author, state } = write
  const next = insertHead(withoutReplaced(heads ?? [], write), { id, timestamp, author, state })
  table.set(write.key, encodeHeads(next))
  const after = resolveHeads(next)
  return { key: write.key, before, after, changed: !readsTheSame(before, after) }
}

function withoutReplaced(
  heads: readonly KvHead[],
  { deps, author, follows, covers }: Pick<KvWrite, 'deps' | 'author' | 'follows' | 'covers'>,
): readonly KvHead[] {
  return heads.filter(({ id, timestamp, author: other }) => {
    if (includesSorted(deps, id)) return false
    return !(equalBytes(other, author) && follows?.(id) === true) && covers?.(id, timestamp) !== true
  })
}

/** By halving: a batch over thousands of keys has thousands of deps, and looks them up for each key. */
function includesSorted(ids: readonly IntentionId[], wanted: IntentionId): boolean {
  let low = 0
  let high = ids.length
  while (low < high) {
    const middle = (low + high) >> 1
    const id = ids[middle]
    assert(id !== undefined, 'the middle is within the list')
    const order = compareBytes(id, wanted)
    if (order === 0) return true
    if (order < 0) low = middle + 1
    else high = middle
  }
  return false
}

/** Heads are in winner order already, so one is put in its place. */
function insertHead(heads: readonly KvHead[], head: KvHead): readonly [KvHead, ...KvHead[]] {
  const found = heads.findIndex((other) => compareHeads(head, other) < 0)
  const place = found === -1 ? heads.length : found
  const [winner, ...losers] = [...heads.slice(0, place), head, ...heads.slice(place)]
  assert(winner !== undefined, 'a written key has a head')
  return [winner, ...losers]
}
