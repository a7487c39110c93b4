/**
 * Questions about the causal order of a log, by id; and the one that projection asks of records as they are applied.
 *
 * @module
 */
import { causesOf, compareHlc, type Hlc, type IntentionId } from '@lattice/model'
import { createDagQuestions, type DagQuestions } from './dag-questions.ts'
import type { BookEpoch } from './epoch-book.ts'
import type { IntentionMeta, LogEntry, LogTip } from './log-entry.ts'
import type { LogStore } from './log-store.ts'
import { belowOf } from './prune-cause.ts'

export interface DagQueries extends DagQuestions {
  /** True when `ancestor` is among the causes of `entry`, at any distance. `entry` need not be appended. Costs a look-up. */
  readonly follows: (entry: LogEntry, ancestor: IntentionId) => boolean
  /** The same of what is appended, also where its record is gone. */
  readonly followsTip: (tip: LogTip, ancestor: IntentionId) => boolean
}

export function createDagQueries(log: LogStore): DagQueries {
  const isAtOrAfter = (ancestor: IntentionMeta, place: IntentionMeta): boolean =>
    place.seq === ancestor.seq || log.reach.isAncestor(ancestor, place)

  const isAfterBase = (place: IntentionMeta): boolean => {
    const [epoch, fromSeq] = [log.base.epoch(), log.base.fromSeq()]
    const base = epoch && place.seq > fromSeq ? log.find(epoch) : undefined
    return base !== undefined && log.reach.isAncestor(base, place)
  }

  return {
    ...createDagQuestions({
      graph: {
        index: log.reach,
        firstPosition: (lane) => {
          const { parent } = log.authors.lane(lane)
          return parent === undefined ? 0 : parent.position + 1
        },
        depsAt: (seq) => log.entryAt(seq).parsed.intention.causalDeps.flatMap((id) => log.find(id) ?? []),
      },
      find: log.find,
      idAt: (seq) => log.entryAt(seq).parsed.id,
    }),
    followsTip: ({ meta }, ancestorId) => {
      const ancestor = log.find(ancestorId)
      return ancestor === undefined ? isAfterBase(meta) : log.reach.isAncestor(ancestor, meta)
    },
    follows: ({ meta, parsed }, ancestorId) => {
      const ancestor = log.find(ancestorId)
      if (ancestor === undefined) return followsBase(log, { meta, parsed })
      if (ancestor.seq >= meta.seq) return false
      if (ancestor.seq === 1) return true
      if (meta.seq <= log.meta().headSeq) return log.reach.isAncestor(ancestor, meta)
      return causesOf(parsed.intention).some((id) => {
        const cause = log.find(id)
        return cause !== undefined && isAtOrAfter(ancestor, cause)
      })
    },
  }
}

type BaseLog = Pick<LogStore, 'base' | 'find' | 'reach' | 'meta' | 'book'>

/**
 * The answer for an ancestor that is not here: true for what has the base of a pruned log in its past, or what was the base
 * before it. What is in the past of those may be gone; of what else an operation asks about the place is kept, if it was here
 * by then. `at`: the time of the ancestor, where it is known: what is no earlier than an epoch is not in its past.
 */
export function followsBase(log: BaseLog, { meta, parsed }: Pick<LogEntry, 'meta' | 'parsed'>, at?: Hlc): boolean {
  const epoch = log.base.epoch()
  if (epoch === undefined) return false
  const causes =
    meta.seq <= log.meta().headSeq ? [meta] : causesOf(parsed.intention).flatMap((id) => log.find(id) ?? [])
  const isAtOrAfter = (base: IntentionMeta): boolean =>
    causes.some((cause) => (cause.seq === base.seq && cause !== meta) || log.reach.isAncestor(base, cause))
  const base = log.find(epoch)
  if (base === undefined) return false
  const mayCover = (epoch: IntentionMeta): boolean => at === undefined || compareHlc(at, epoch.timestamp) < 0
  return [base, ...formerBases(log, base).map((former) => former.meta)].some(
    (each) => mayCover(each) && isAtOrAfter(each),
  )
}

/** Epochs in the past of the base that a prune named: what was the base once is among them. */
function formerBases({ book }: BaseLog, base: IntentionMeta): readonly BookEpoch[] {
  return book.valid().flatMap((by) => {
    const below = belowOf(by)
    const named = below === undefined ? undefined : below === 'itself' ? by : book.epochOf(below)
    return named !== undefined && book.isBefore(named.meta, base) ? [named] : []
  })
}
