/**
 * Where the node's own chain ends: several places once it forked, until a write joins them.
 *
 * A tip that an own later write has in its past is joined: it is never cited again. What was found joined is remembered,
 * so a chain that forked a thousand times and was joined asks about one tip per write; the last tip is, too, so that a
 * write does not read its predecessor from the disk again. Whoever takes records back forgets it.
 *
 * @module
 */
import { compareHlc, type IntentionId, type PublicKey } from '@lattice/model'
import type { DagQueries } from './dag-queries.ts'
import type { LogTip } from './log-entry.ts'
import type { LogStore } from './log-store.ts'

export interface OwnTips {
  /** The tips that no other has in its past, the latest first. Empty before the first own intention. */
  readonly open: () => readonly LogTip[]
  readonly forget: () => void
}

export interface OwnTipsDeps {
  readonly log: LogStore
  readonly dag: Pick<DagQueries, 'followsTip'>
  readonly self: PublicKey
}

/** Tips that a tip is compared with at most: more are open only until the next write. */
const COMPARED_MAX = 16
/** Joined tips remembered; beyond, all are looked at again. */
const JOINED_MAX = 65_536

export function createOwnTips({ log, dag, self }: OwnTipsDeps): OwnTips {
  // Seqs of durable records, joined by durable records: they hold whatever becomes of a commit.
  const joined = new Set<number>()
  let last: LogTip | undefined

  /** A tip is joined for good once what joined it is durable. */
  function remember(tip: LogTip, by: LogTip): void {
    if (by.meta.seq > log.meta().headSeq - log.appended()) return
    if (joined.size >= JOINED_MAX) joined.clear()
    joined.add(tip.meta.seq)
  }

  return {
    open: () => {
      const tips = log.authors.find(self)?.tips ?? []
      const seqs = [...tips].filter((seq) => !joined.has(seq))
      const [only] = seqs
      if (seqs.length > 1) return maximalTips(seqs.map(log.tipAt), dag.followsTip, remember)
      if (only === undefined) return []
      if (last?.meta.seq !== only) last = log.tipAt(only)
      return [last]
    },
    forget: () => {
      last = undefined
    },
  }
}

/** Those that no other of them has in its past, the latest first. Exact for up to a few that are. */
export function maximalTips(
  tips: readonly LogTip[],
  follows: (entry: LogTip, ancestor: IntentionId) => boolean,
  onJoined?: (tip: LogTip, by: LogTip) => void,
): readonly LogTip[] {
  const latestFirst = (a: LogTip, b: LogTip): number =>
    compareHlc(b.meta.timestamp, a.meta.timestamp) || b.meta.seq - a.meta.seq
  const open: LogTip[] = []
  for (const tip of tips.toSorted(latestFirst)) {
    const by = open.slice(0, COMPARED_MAX).find((later) => follows(later, tip.parsed.id))
    if (by === undefined) open.push(tip)
    else onJoined?.(tip, by)
  }
  return open
}
