/**
 * Deletes what a decided prune took, in slices between the writer's other works; goes on where a crash ended it.
 *
 * The index of ids goes first: an id that leads to no record would be damage. Every slice is a transaction of its own, and
 * each finds by itself what is left to delete, so it may begin anew at any point. So none waits for the disk, but the last:
 * what a power cut takes back is deleted again.
 *
 * @module
 */
import type { Core } from './core.ts'
import { earlyTail } from './early-records.ts'
import { baseAnchors } from './log-base.ts'
import { clearOtherPrunes } from './prune-rows.ts'
import { deleteReachBlocks } from './prune-reach.ts'

export interface DeletionProgress {
  readonly done: number
  readonly total: number
}

/** Rows looked at, or seqs deleted, in one transaction. */
const ROWS_PER_SLICE = 512

/** Yields after each transaction, with how far it has come. */
export function* deleteGone({ log }: Core): Generator<DeletionProgress, void, undefined> {
  const { base, database } = log
  const row = base.row()
  if (row === undefined || row.deleted_to === null) return
  const fromSeq = row.from_seq
  const keptEarly = new Set<number>()
  for (const { seq, stays } of baseAnchors(database, row.number)) if (stays > 0) keptEarly.add(seq)
  for (const { meta } of earlyTail(log, fromSeq, base.lastOf)) keptEarly.add(meta.seq)
  const isGone = (seq: number): boolean => seq < fromSeq && !keptEarly.has(seq)
  const total = 2 * fromSeq
  for (const done of deleteIds(log, isGone)) yield { done: Math.min(done, fromSeq), total }
  for (const done of deleteRecords(
    log,
    [...keptEarly].sort((a, b) => a - b),
  ))
    yield { done: fromSeq + done, total }
  const last = { done: total, total }
  for (const _ of deleteReachBlocks(log)) yield last
  for (const _ of deleteQuietSpans(log)) yield last
  database.transaction(() =>
    database
      .prepare(
        `DELETE FROM forks WHERE NOT EXISTS (SELECT 1 FROM intentions WHERE seq = first_seq)
           OR NOT EXISTS (SELECT 1 FROM intentions WHERE seq = second_seq)`,
      )
      .run(),
  )
  yield last
  for (const _ of clearOtherPrunes(database, row.number)) yield last
  log.database.transaction(() => database.prepare('UPDATE log_base SET deleted_to = NULL').run())
  base.load()
}

type Log = Core['log']

/** In the order of the index, so that every page of it is changed once. */
function* deleteIds({ database }: Log, isGone: (seq: number) => boolean): Generator<number, void, undefined> {
  const page = database.prepare<{ readonly prefix: number; readonly seq: number }>(
    'SELECT prefix, seq FROM ids WHERE (prefix, seq) > (?, ?) ORDER BY prefix, seq LIMIT ?',
  )
  const remove = database.prepare('DELETE FROM ids WHERE prefix = ? AND seq = ?')
  let done = 0
  for (let last = { prefix: -1, seq: -1 }; ;) {
    const rows = page.all(last.prefix, last.seq, ROWS_PER_SLICE)
    const end = rows.at(-1)
    if (end === undefined) return
    const gone = rows.filter(({ seq }) => isGone(seq))
    if (gone.length > 0) database.relaxed(() => gone.forEach(({ prefix, seq }) => remove.run(prefix, seq)))
    done += gone.length
    last = end
    yield done
  }
}

/** `kept`: seqs that stay, ascending. */
function* deleteRecords({ database, base }: Log, kept: readonly number[]): Generator<number, void, undefined> {
  const remove = database.prepare('DELETE FROM intentions WHERE seq >= ? AND seq < ?')
  const note = database.prepare('UPDATE log_base SET deleted_to = ?')
  let [from, at] = [base.row()?.deleted_to ?? 0, 0]
  while (from < base.fromSeq()) {
    const to = Math.min(from + ROWS_PER_SLICE, base.fromSeq())
    database.relaxed(() => {
      let begin = from
      for (; (kept[at] ?? Infinity) < to; at += 1) {
        const stays = kept[at] ?? to
        if (stays > begin) remove.run(begin, stays)
        begin = Math.max(begin, stays + 1)
      }
      if (to > begin) remove.run(begin, to)
      note.run(to)
    })
    from = to
    yield from
  }
}

/** Of each lane the last span below the base stays: it knows how many came before. */
function* deleteQuietSpans({ database, base }: Log): Generator<void, void, undefined> {
  const remove = database.prepare(
    `DELETE FROM quiet WHERE lane = ? AND first IN (SELECT first FROM quiet WHERE lane = ?
       AND first < (SELECT max(first) FROM quiet WHERE lane = ? AND first <= ?) LIMIT ?)`,
  )
  for (const { lane, last } of base.lanes()) {
    while (database.relaxed(() => remove.run(lane, lane, lane, last, ROWS_PER_SLICE)) > 0) yield
    yield
  }
}
