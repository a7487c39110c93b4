/**
 * Compares the range index with the records: its nodes with each other, and its items with what is witnessed.
 *
 * @module
 */
import { type Item, openRangeIndex, type PersistentRangeIndex } from '@lattice/sync'
import type { CheckedRecords } from './check-records.ts'
import type { ExcludedRow } from './excluded-rows.ts'
import { rangeTableOf } from './prune-schema.ts'
import { nodeStoreOf } from './range-nodes.ts'
import { reasonOf } from './record-scan.ts'
import type { VerifiableIndex, VerifiableIndexDeps } from './verifiable-index.ts'

/** Sentences at most, and items per slice. */
const PROBLEMS_MAX = 4
const ITEMS_PER_SLICE = 512

export function createRangeCheck({ database, range, base, excluded }: VerifiableIndexDeps): VerifiableIndex {
  // One in use has changes that the disk does not have yet; of another the disk is all there is.
  const open = (): PersistentRangeIndex =>
    range ?? openRangeIndex({ store: nodeStoreOf(database, rangeTableOf(base?.base.number() ?? 0)) })

  function* verify(records: CheckedRecords, upto: number): Generator<number, readonly string[]> {
    try {
      const index = open()
      const nodes = yield* checkNodes(index)
      if (nodes.length > 0) return nodes
      const uptoSeq = range === undefined ? upto : undefined
      const rows = excluded()
      const goneCount = base?.goneCount ?? 0
      const items = yield* checkItems(index, { records, uptoSeq, goneCount, rows })
      if (items.length === 0 || isSame(rows, excluded())) return items
      // What counts has changed while it was looked at.
      return yield* checkItems(index, { records, uptoSeq, goneCount, rows: excluded() })
    } catch (error) {
      return [reasonOf(error)]
    }
  }

  return { name: 'range', verify }
}

function isSame(before: readonly ExcludedRow[], after: readonly ExcludedRow[]): boolean {
  return before.length === after.length && before.every((row, index) => row === after[index])
}

function* checkNodes(index: PersistentRangeIndex): Generator<number, readonly string[]> {
  const problems: string[] = []
  for (const { node, problem } of index.verify()) {
    if (problem !== undefined) problems.push(`node ${node}: ${problem}`)
    if (problems.length >= PROBLEMS_MAX) break
    yield 1
  }
  return problems
}

interface ItemCheck {
  readonly records: CheckedRecords
  readonly uptoSeq: number | undefined
  readonly goneCount: number
  readonly rows: readonly ExcludedRow[]
}

/**
 * Every record up to the checkpoint that is not excluded is an item, or of an index in use every one that was looked at.
 */
function* checkItems(
  index: PersistentRangeIndex,
  { records: { seen, setSize, lanes }, uptoSeq, goneCount, rows }: ItemCheck,
): Generator<number, readonly string[]> {
  const firsts = new Map(rows.map(({ lane, first }) => [lane, first] as const))
  const lastOf = ({ lane, last }: ExcludedRow): number =>
    uptoSeq === undefined ? (lanes[lane]?.head.position ?? -1) : last
  const out = rows.reduce((sum, row) => sum + Math.max(0, lastOf(row) - row.first + 1), 0)
  const expected = (uptoSeq === undefined ? setSize : uptoSeq - goneCount) - out
  let found = 0
  let last: Item | undefined
  for (;;) {
    const begin: number = last === undefined ? 0 : index.lowerBound({ timestamp: last.timestamp, prefix: last.id }) + 1
    const end = Math.min(index.size(), begin + ITEMS_PER_SLICE)
    if (begin >= end) break
    for (const item of index.items(begin, end)) {
      last = { timestamp: item.timestamp, id: item.id }
      const place = seen.find(item.id)
      // What was witnessed while this goes on is no part of the comparison.
      if (place === undefined && uptoSeq === undefined) continue
      if (place === undefined || (uptoSeq !== undefined && place.seq > uptoSeq))
        return ['it holds an id that no record has']
      if (place.position >= (firsts.get(place.lane) ?? Infinity))
        return [`it holds record ${place.seq}, which is excluded`]
      if (place.timestamp.wall !== item.timestamp) return [`record ${place.seq} stands in it under another time`]
      found += 1
    }
    yield end - begin
  }
  return found === expected ? [] : [`${found} of ${expected} records are in it`]
}
