/**
 * Deletes the blocks of the reachability index that a prune took: those below the base on which nothing that is kept
 * builds.
 *
 * @module
 */
import type { LogStore } from './log-store.ts'
import { BLOCK_POSITIONS, blockOf, nextRecord, OVER, overBase, walkBlock } from './reach-block.ts'
import { blockKey } from './reach-blocks.ts'

/** Blocks looked at or deleted between two yields. */
const BLOCKS_PER_SLICE = 256

export function* deleteReachBlocks(
  log: Pick<LogStore, 'database' | 'base' | 'authors' | 'reach'>,
): Generator<void, void, undefined> {
  const { database, base } = log
  const needed = new Set<number>()
  for (const _ of collectNeeded(log, needed)) yield
  const page = database.prepare<{ readonly block: number }>(
    'SELECT block FROM reach_blocks WHERE block >= ? AND block < ? ORDER BY block LIMIT ?',
  )
  const remove = database.prepare('DELETE FROM reach_blocks WHERE block = ?')
  for (const { lane, last } of base.lanes()) {
    // The block in which the lane ends below the base may go on above it.
    const isEnd = log.authors.lane(lane).head.position <= last
    const end = blockKey(lane, isEnd ? blockOf(last) + 1 : blockOf(last + 1))
    for (let from = blockKey(lane, 0); ;) {
      const rows = page.all(from, end, BLOCKS_PER_SLICE)
      const lastRow = rows.at(-1)
      if (lastRow === undefined) break
      const gone = rows.filter(({ block }) => !needed.has(block))
      if (gone.length > 0) database.relaxed(() => gone.forEach(({ block }) => remove.run(block)))
      from = lastRow.block + 1
      yield
    }
  }
}

/** What blocks above the base begin with: a vector of another block, which may lie below it. */
function* collectNeeded(
  { base, authors, reach }: Pick<LogStore, 'base' | 'authors' | 'reach'>,
  needed: Set<number>,
): Generator<void, void, undefined> {
  let looked = 0
  for (const { number, parent, head } of authors.lanes()) {
    const first = Math.max(parent === undefined ? 0 : parent.position + 1, base.lastOf(number) + 1)
    for (let position = first; position <= head.position; position = (blockOf(position) + 1) * BLOCK_POSITIONS) {
      const block = blockOf(position)
      const bytes = reach.blockAt(number, block)
      if (bytes === undefined) continue
      const walk = walkBlock(bytes, block)
      while (nextRecord(walk)) {
        if (walk.kind !== OVER) continue
        const built = overBase(walk)
        needed.add(blockKey(built.lane, built.block))
      }
      looked += 1
      if (looked % BLOCKS_PER_SLICE === 0) yield
    }
  }
}
