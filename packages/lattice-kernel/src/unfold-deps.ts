/**
 * What an operation counts as cited: its deps, and those of the ack that folds more of them.
 *
 * The ack is the operation's `store_prev` and among its deps: both facts of its bytes and of the DAG, so every node
 * unfolds alike, for own and foreign operations, live and when state is rebuilt. One ack and one level: an operation
 * costs one look-up and at most 4,096 ids, whatever a peer sends; many that share an ack read it once.
 *
 * @module
 */
import { equalBytes, type IdKey, idKey, type IntentionId, type ParsedIntention, toIntentionId } from '@lattice/model'
import { unfoldCitations } from '@lattice/store-base'
import type { LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'

export interface Unfolding {
  /** Sorted, unique. */
  readonly depsOf: (entry: LogEntry) => readonly IntentionId[]
}

/** The last that was projected of a lane: a chain whose writes cite the one before must not read it again. */
interface Last {
  readonly id: IntentionId
  /** Where it is an ack. */
  readonly deps: readonly IntentionId[] | undefined
}

/** Lanes whose last is remembered: as many as grow at about the same time. */
const LANES_MAX = 4096
/** Acks looked up and remembered, and those that turned out to be none. */
const LOOKED_UP_MAX = 64

export function createUnfolding(log: Pick<LogStore, 'find' | 'entryAt' | 'base'>): Unfolding {
  // Compared by id, so what is remembered holds whatever becomes of a commit.
  const lastOf = new Map<number, Last>()
  const lookedUp = new Map<IdKey, Last['deps']>()

  function remember({ parsed, meta }: LogEntry): void {
    if (lastOf.size >= LANES_MAX && !lastOf.has(meta.lane)) lastOf.clear()
    lastOf.set(meta.lane, { id: parsed.id, deps: ackDeps(parsed) })
  }

  function lookUp(prev: IntentionId): Last['deps'] {
    const key = idKey(prev)
    if (lookedUp.has(key)) return lookedUp.get(key)
    const meta = log.find(prev)
    if (meta === undefined) return undefined
    const deps = log.base.isGone(meta) ? log.base.foldedBy(meta.seq) : ackDeps(log.entryAt(meta.seq).parsed)
    if (lookedUp.size >= LOOKED_UP_MAX) lookedUp.clear()
    lookedUp.set(key, deps)
    return deps
  }

  function foldedBy(entry: LogEntry): Last['deps'] {
    const prev = citedPrev(entry.parsed)
    if (prev === undefined) return undefined
    const last = lastOf.get(entry.meta.lane)
    return last !== undefined && equalBytes(last.id, prev) ? last.deps : lookUp(prev)
  }

  return {
    depsOf: (entry) => {
      const folded = foldedBy(entry)
      remember(entry)
      const { causalDeps } = entry.parsed.intention
      return folded === undefined ? causalDeps : unfoldCitations(causalDeps, folded)
    },
  }
}

/** What one operation counts as cited, read by itself: `find` looks up what is witnessed. Sorted, unique. */
export function unfoldDeps(
  parsed: ParsedIntention,
  find: (id: IntentionId) => ParsedIntention | undefined,
): readonly IntentionId[] {
  const { causalDeps } = parsed.intention
  const prev = citedPrev(parsed)
  const ack = prev && find(prev)
  const folded = ack && ackDeps(ack)
  return folded === undefined ? causalDeps : unfoldCitations(causalDeps, folded)
}

/** The `store_prev` of an operation that cites it, too: only that may be an ack that folds. */
function citedPrev({ intention: { storePrev, causalDeps } }: ParsedIntention): IntentionId | undefined {
  return causalDeps.some((dep) => equalBytes(dep, storePrev)) ? toIntentionId(storePrev) : undefined
}

function ackDeps({ op, intention }: ParsedIntention): Last['deps'] {
  return op.kind === 'ack' ? intention.causalDeps : undefined
}
