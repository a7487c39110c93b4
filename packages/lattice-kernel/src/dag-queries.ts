/**
 * Questions about the causal order of a log, by id; and the one that projection asks of records as they are applied.
 *
 * @module
 */
import { causesOf, type IntentionId } from '@lattice/model'
import { createDagQuestions, type DagQuestions } from './dag-questions.ts'
import type { IntentionMeta, LogEntry, LogTip } from './log-entry.ts'
import type { LogStore } from './log-store.ts'

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

/**
 * True for what has the base of a pruned log in its past. What is in the past of the base may be gone, so it answers for
 * whatever is not here any more.
 */
export function followsBase(
  log: Pick<LogStore, 'base' | 'find' | 'reach' | 'meta'>,
  { meta, parsed }: Pick<LogEntry, 'meta' | 'parsed'>,
): boolean {
  const epoch = log.base.epoch()
  if (epoch === undefined || meta.seq <= log.base.fromSeq()) return false
  const base = log.find(epoch)
  if (base === undefined) return false
  if (meta.seq <= log.meta().headSeq) return log.reach.isAncestor(base, meta)
  return causesOf(parsed.intention).some((id) => {
    const cause = log.find(id)
    return cause !== undefined && (cause.seq === base.seq || log.reach.isAncestor(base, cause))
  })
}
