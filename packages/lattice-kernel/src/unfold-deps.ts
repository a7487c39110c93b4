/**
 * What an operation counts as cited: its deps, and those of the ack that folds more of them.
 *
 * The ack is the operation's `store_prev` and among its deps: both facts of its bytes and of the DAG, so every node
 * unfolds alike, for own and foreign operations, live and when state is rebuilt. One ack and one level: an operation
 * costs one look-up and at most 4,096 ids, whatever a peer sends; many that share an ack read it once.
 *
 * @module
 */
import { equalBytes, type IdKey, idKey, type IntentionId, toIntentionId } from '@lattice/model'
import { unfoldCitations } from '@lattice/store-base'
import type { LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'

export interface Unfolding {
  /** Sorted, unique. */
  readonly depsOf: (entry: LogEntry) => readonly IntentionId[]
}

/** Ids remembered to be no acks: a chain whose writes cite the one before must not read it again. */
const PLAIN_MAX = 4096

export function createUnfolding(log: Pick<LogStore, 'find' | 'entryAt'>): Unfolding {
  // By id, so what is remembered holds whatever becomes of a commit.
  const plain = new Set<IdKey>()
  let latest: { readonly key: IdKey; readonly deps: readonly IntentionId[] } | undefined

  function remember({ parsed }: LogEntry): void {
    if (parsed.op.kind === 'ack') return
    if (plain.size >= PLAIN_MAX) plain.clear()
    plain.add(idKey(parsed.id))
  }

  function ackDepsOf(prev: IntentionId): readonly IntentionId[] | undefined {
    const key = idKey(prev)
    if (plain.has(key)) return undefined
    if (latest?.key === key) return latest.deps
    const meta = log.find(prev)
    if (meta === undefined) return undefined
    const entry = log.entryAt(meta.seq)
    remember(entry)
    const { op, intention } = entry.parsed
    if (op.kind !== 'ack') return undefined
    latest = { key, deps: intention.causalDeps }
    return latest.deps
  }

  return {
    depsOf: (entry) => {
      remember(entry)
      const { storePrev, causalDeps } = entry.parsed.intention
      if (!causalDeps.some((dep) => equalBytes(dep, storePrev))) return causalDeps
      const folded = ackDepsOf(toIntentionId(storePrev))
      return folded === undefined ? causalDeps : unfoldCitations(causalDeps, folded)
    },
  }
}
