/**
 * Questions about the causal order of a log, by id; and the one that projection asks of records as they are applied.
 *
 * @module
 */
import { causesOf, type IntentionId } from '@lattice/model'
import { createDagQuestions, type DagQuestions } from './dag-questions.ts'
import type { IntentionMeta, LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'

export interface DagQueries extends DagQuestions {
  /** True when `ancestor` is among the causes of `entry`, at any distance. `entry` need not be appended. Costs a look-up. */
  readonly follows: (entry: LogEntry, ancestor: IntentionId) => boolean
}

export function createDagQueries(log: LogStore): DagQueries {
  const isAtOrAfter = (ancestor: IntentionMeta, place: IntentionMeta): boolean =>
    place.seq === ancestor.seq || log.reach.isAncestor(ancestor, place)

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
    follows: ({ meta, parsed }, ancestorId) => {
      const ancestor = log.find(ancestorId)
      if (ancestor === undefined || ancestor.seq >= meta.seq) return false
      if (ancestor.seq === 1) return true
      if (meta.seq <= log.meta().headSeq) return log.reach.isAncestor(ancestor, meta)
      return causesOf(parsed.intention).some((id) => {
        const cause = log.find(id)
        return cause !== undefined && isAtOrAfter(ancestor, cause)
      })
    },
  }
}
