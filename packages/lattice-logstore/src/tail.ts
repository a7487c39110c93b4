/**
 * The newest entries of a range.
 *
 * @module
 */
import type { ReadTable, TableRow } from '@lattice/model'
import { LimitExceeded } from '@lattice/store-base'
import { type EntryRange, isOfAuthor, walkRange } from './entry-range.ts'
import { MAX_TAIL, MAX_TAIL_BYTES, MAX_TAIL_ROWS } from './limits.ts'

export function checkTail(tail: number): number {
  if (tail > MAX_TAIL)
    throw new LimitExceeded(`at most the newest ${MAX_TAIL} entries are asked for at once: ask for fewer`, {
      limit: MAX_TAIL,
      actual: tail,
    })
  return tail
}

/**
 * At most `count` rows, the newest last. Throws `LimitExceeded` where they hold more than may be held at once, or lie too
 * far back among those of others.
 */
export function readTail(read: ReadTable, range: EntryRange, count: number): readonly TableRow[] {
  const rows: TableRow[] = []
  if (count === 0) return rows
  let [walked, bytes] = [0, 0]
  for (const row of walkRange(read, range, { reverse: true })) {
    walked += 1
    bytes += row.value.length
    if (walked > MAX_TAIL_ROWS || bytes > MAX_TAIL_BYTES) throw tooFar(walked, bytes)
    if (!isOfAuthor(range, row.key)) continue
    rows.push(row)
    if (rows.length === count) break
  }
  return rows.reverse()
}

function tooFar(walked: number, bytes: number): LimitExceeded {
  const tooMany = walked > MAX_TAIL_ROWS
  return new LimitExceeded(
    'the newest entries asked for lie too far back or hold too much: ask for fewer, or read in reverse, page by page',
    tooMany ? { limit: MAX_TAIL_ROWS, actual: walked } : { limit: MAX_TAIL_BYTES, actual: bytes },
  )
}
