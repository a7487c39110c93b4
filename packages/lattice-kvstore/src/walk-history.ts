/**
 * The writes of one key from the log, newest first.
 *
 * A write of a key is replaced by a write of the key that cites it, as all that this store makes do. So these are reached
 * from the heads by citations through writes of the key alone, and since an intention is later than what it cites, taking
 * the latest of those that are open gives them in order, each once. Not reached is what its own author replaced without
 * citing it, which only a foreign program does.
 *
 * The work of a page is bounded in look-ups and bytes: what a write cites may be thousands of large batches, and all of
 * them have to be read to see which touch the key. Pure but for the log.
 *
 * @module
 */
import { compareHeads, type KvHead, type KvState } from '@lattice/kvtable'
import { equalBytes, type IdKey, idKey, type IntentionId } from '@lattice/model'
import type { LoggedWrite, ReadLog } from '@lattice/store-base'
import { MAX_HISTORY_LOOKUPS, MAX_HISTORY_READ_BYTES, MAX_OPEN_WRITES, MAX_PAGE_BYTES } from './limits.ts'
import { decodePayload } from './payload.ts'

export interface HistoryWalk {
  readonly log: ReadLog
  readonly key: Uint8Array
  /** Writes to begin with: the key's heads, or where a page ended. */
  readonly open: readonly KvHead[]
  readonly limit: number
}

export interface HistoryPage {
  readonly writes: readonly KvHead[]
  /** Writes to go on with, latest last. */
  readonly open: readonly KvHead[]
  /** Something older is out of reach. */
  readonly isCutOff: boolean
}

export function walkHistory({ log, key, open: begin, limit }: HistoryWalk): HistoryPage {
  const budget: Budget = { lookups: MAX_HISTORY_LOOKUPS, bytes: MAX_HISTORY_READ_BYTES }
  const open = begin.toSorted(latestLast)
  const known = new Set<IdKey>(open.map(({ id }) => idKey(id)))
  const writes: KvHead[] = []
  let isCutOff = false
  let pageBytes = 0
  for (let write = open.at(-1); write !== undefined; write = open.at(-1)) {
    pageBytes += sizeOf(write)
    if (writes.length > 0 && (writes.length === limit || pageBytes > MAX_PAGE_BYTES)) break
    const cited = readCited({ log, key }, write, budget)
    // Its turn comes on the next page, with all of a page's work for it.
    if (cited.isOutOfBudget && writes.length > 0) break
    open.pop()
    writes.push(write)
    isCutOff ||= cited.isOutOfReach || cited.isOutOfBudget
    const found = cited.writes.filter(({ id }) => !known.has(idKey(id)))
    if (found.length === 0) continue
    for (const { id } of found) known.add(idKey(id))
    open.push(...found)
    open.sort(latestLast)
    if (open.length <= MAX_OPEN_WRITES) continue
    isCutOff = true
    open.splice(0, open.length - MAX_OPEN_WRITES)
  }
  return { writes, open, isCutOff }
}

/** What `write` leaves under `key`; undefined when it does not touch it. */
export function stateUnder({ payload }: LoggedWrite, key: Uint8Array): KvState | undefined {
  const decoded = decodePayload(payload)
  return decoded.ok ? decoded.value.find((each) => equalBytes(each.key, key))?.state : undefined
}

export function toHead({ id, timestamp, author }: LoggedWrite, state: KvState): KvHead {
  return { id, timestamp, author, state }
}

/** What a page may still cost. */
interface Budget {
  lookups: number
  bytes: number
}

interface Cited {
  /** Writes of the key that the write cites. */
  readonly writes: readonly KvHead[]
  readonly isOutOfReach: boolean
  /** It cites more than the page may still read; `writes` are some of them. */
  readonly isOutOfBudget: boolean
}

function readCited({ log, key }: Pick<HistoryWalk, 'log' | 'key'>, { id }: Pick<KvHead, 'id'>, budget: Budget): Cited {
  const logged = log.get(id)
  budget.lookups -= 1
  if (logged === undefined) return { writes: [], isOutOfReach: true, isOutOfBudget: false }
  const writes: KvHead[] = []
  let isOutOfReach = false
  for (const dep of logged.deps) {
    if (budget.lookups <= 0 || budget.bytes <= 0) return { writes, isOutOfReach, isOutOfBudget: true }
    const write = readWrite({ log, key }, dep, budget)
    if (write === 'out_of_reach') isOutOfReach = true
    else if (write !== undefined) writes.push(write)
  }
  return { writes, isOutOfReach, isOutOfBudget: false }
}

function readWrite(
  { log, key }: Pick<HistoryWalk, 'log' | 'key'>,
  id: IntentionId,
  budget: Budget,
): KvHead | 'out_of_reach' | undefined {
  budget.lookups -= 1
  const logged = log.get(id)
  if (logged === undefined) return log.has(id) ? undefined : 'out_of_reach'
  budget.bytes -= logged.payload.length
  const state = stateUnder(logged, key)
  return state && toHead(logged, state)
}

function sizeOf({ state }: KvHead): number {
  return state.kind === 'value' ? state.value.length : 0
}

function latestLast(a: KvHead, b: KvHead): number {
  return compareHeads(b, a)
}
