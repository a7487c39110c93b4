/**
 * Pasts found by reading the log from its beginning.
 *
 * @module
 */
import { causesOf } from '@lattice/model'
import type { LogStore } from './log-store.ts'
import type { ReachPort } from './observer.ts'

export function createWalkedReach(log: LogStore): ReachPort {
  const read = (): { vectors: Map<number, Map<number, number>>; seqs: Map<string, number> } => {
    const vectors = new Map<number, Map<number, number>>()
    const seqs = new Map<string, number>()
    for (let seq = 1; seq <= log.meta().headSeq; seq += 1) {
      const { parsed, meta } = log.entryAt(seq)
      const vector = new Map<number, number>()
      for (const cause of causesOf(parsed.intention)) {
        for (const [lane, position] of vectors.get(log.find(cause)?.seq ?? 0) ?? []) {
          vector.set(lane, Math.max(position, vector.get(lane) ?? -1))
        }
      }
      vector.set(meta.lane, meta.position)
      vectors.set(seq, vector)
      seqs.set(`${meta.lane} ${meta.position}`, seq)
    }
    return { vectors, seqs }
  }
  return {
    vectorOf: ({ seq }) => read().vectors.get(seq) ?? [],
    seqAt: (lane, position) => read().seqs.get(`${lane} ${position}`) ?? 0,
  }
}
