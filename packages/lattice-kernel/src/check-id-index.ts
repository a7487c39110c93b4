/**
 * Compares the index of ids with the records, both ways: every entry leads to a record with that id, and there is one for
 * every record.
 *
 * @module
 */
import type { BaseSeed } from './check-base.ts'
import type { CheckedRecords } from './check-records.ts'
import { prefixOf } from './id-index.ts'
import { reasonOf } from './record-scan.ts'
import type { VerifiableIndex, VerifiableIndexDeps } from './verifiable-index.ts'

interface IdRow {
  readonly prefix: number
  readonly seq: number
}

/** Entries per slice. */
const ROWS_PER_SLICE = 2048

export function createIdIndexCheck({ database, base }: VerifiableIndexDeps): VerifiableIndex {
  const page = database.prepare<IdRow>(
    'SELECT prefix, seq FROM ids WHERE (prefix, seq) > (?, ?) ORDER BY prefix, seq LIMIT ?',
  )

  function* verify(records: CheckedRecords, uptoSeq: number): Generator<number, readonly string[]> {
    let last: IdRow = { prefix: -1, seq: 0 }
    let indexed = 0
    for (;;) {
      let rows: readonly IdRow[]
      try {
        rows = page.all(last.prefix, last.seq, ROWS_PER_SLICE)
      } catch (error) {
        return [reasonOf(error)]
      }
      for (const { prefix, seq } of rows) {
        // What is indexed while this goes on is no part of the comparison.
        if (seq > uptoSeq) continue
        const id = records.seen.idAt(seq)
        // What is gone may be led to until it is deleted.
        if (base?.isDeleting === true && seq < base.fromSeq && isGone(base, records, seq)) continue
        if (id === undefined || prefixOf(id) !== prefix)
          return [`an entry leads to record ${seq}, which has another id`]
        indexed += 1
      }
      const end = rows.at(-1)
      if (end === undefined) break
      last = end
      yield rows.length
    }
    const expected = uptoSeq - (base === undefined ? 0 : base.goneCount - base.vouching)
    return indexed === expected ? [] : [`${indexed} of ${expected} records are in it`]
  }

  return { name: 'ids', verify }
}

function isGone(base: BaseSeed, { seen }: CheckedRecords, seq: number): boolean {
  const id = seen.idAt(seq)
  const place = id && seen.find(id)
  return id === undefined || place === undefined || base.base.isGone({ ...place, seq })
}
