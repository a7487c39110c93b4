/**
 * The chains of authors who did not fork, by position: where they end, what is at a place, and parts of them.
 *
 * What is witnessed is closed under causes, so while nobody forked, the ends of all chains say exactly what is here. All
 * of it comes from the lanes and the index of positions: a few reads for each author asked about, none for the history.
 *
 * @module
 */
import { compareBytes, type IntentionId, type PublicKey, type SignedIntention } from '@lattice/model'
import { closingRun } from './closing-run.ts'
import type { Lane } from './lane-book.ts'
import type { LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'

/** Where the chain of an author who did not fork ends. */
export interface ChainTip {
  readonly author: PublicKey
  /** Intentions before it on the way to the genesis. */
  readonly position: number
  readonly id: IntentionId
}

/** Part of such a chain: the positions above `after` (-1: from its first on), up to `through`. */
export interface ChainSpan {
  readonly author: PublicKey
  readonly after: number
  readonly through: number
}

/** What is read of chains; the shapes are those of the network's port. */
export interface ChainReads {
  /** Where every author's chain ends, by author. Undefined for more than `max` authors, and where one forked. */
  readonly chainTips: (max: number) => readonly ChainTip[] | undefined
  /** What an author who did not fork has at a position; undefined for anything else. */
  readonly chainId: (author: PublicKey, position: number) => IntentionId | undefined
  /** Spans of chains, an author once, in witness order and runs closed, up to about `maxBytes` (at least one run). */
  readonly readSpans: (
    spans: readonly ChainSpan[],
    maxBytes: number,
  ) => { readonly intentions: readonly SignedIntention[]; readonly rest: readonly ChainSpan[] }
}

export function createChainReads(log: LogStore): ChainReads {
  return {
    chainTips: (max) => {
      const { authors } = log
      // A fork is a second lane.
      if (authors.size() > max || authors.lanes().length !== authors.size()) return undefined
      const tips = authors.lanes().map(({ author, head }): ChainTip => ({
        author: authors.byNumber(author).key,
        position: head.position,
        id: head.id,
      }))
      return tips.sort((a, b) => compareBytes(a.author, b.author))
    },
    chainId: (author, position) => idAt(log, author, position),
    readSpans: (spans, maxBytes) => readSpans(log, spans, maxBytes),
  }
}

function idAt(log: LogStore, key: PublicKey, position: number): IntentionId | undefined {
  const author = log.authors.find(key)
  const [only] = author?.lanes ?? []
  if (only === undefined || author?.lanes.length !== 1) return undefined
  const lane = log.authors.lane(only)
  if (position === lane.head.position) return lane.head.id
  if (!Number.isSafeInteger(position) || position < firstOf(lane) || position > lane.head.position) return undefined
  return log.entryAt(log.reach.seqAt(only, position)).parsed.id
}

/** Where the reading of a span is. */
interface Cursor {
  readonly span: ChainSpan
  readonly lane: number
  readonly last: number
  position: number
  seq: number
}

function readSpans(log: LogStore, spans: readonly ChainSpan[], maxBytes: number): ReturnType<ChainReads['readSpans']> {
  let open = spans.flatMap((span) => cursorOf(log, span) ?? [])
  const intentions: SignedIntention[] = []
  let bytes = 0
  while (bytes < maxBytes || intentions.length === 0) {
    const first = earliest(open)
    if (first === undefined) break
    for (const { parsed } of runAt(log, first)) {
      intentions.push(parsed)
      bytes += parsed.bytes.length + parsed.signature.length
    }
    open = open.filter((cursor) => cursor.position <= cursor.last)
  }
  return { intentions, rest: open.map(({ span, position }) => ({ ...span, after: position - 1 })) }
}

/** Undefined for a span that has nothing in it. */
function cursorOf({ authors, reach }: LogStore, span: ChainSpan): Cursor | undefined {
  // Who forks meanwhile goes on in other lanes: the first keeps what it has.
  const number = authors.find(span.author)?.lanes[0]
  if (number === undefined) return undefined
  const lane = authors.lane(number)
  const position = Math.max(span.after + 1, firstOf(lane))
  const last = Math.min(span.through, lane.head.position)
  if (position > last) return undefined
  return { span, lane: number, last, position, seq: reach.seqAt(number, position) }
}

function earliest(cursors: readonly Cursor[]): Cursor | undefined {
  let first = cursors[0]
  for (const cursor of cursors) if (first === undefined || cursor.seq < first.seq) first = cursor
  return first
}

/** The record at a cursor, with those that follow it up to the signature that vouches for it. Moves the cursor on. */
function runAt(log: LogStore, cursor: Cursor): readonly LogEntry[] {
  const entry = log.entryAt(cursor.seq)
  // Within the span, which ends on a signature; past it only to reach one.
  const run = [entry, ...closingRun(log, entry)]
  cursor.position += run.length
  if (cursor.position <= cursor.last) cursor.seq = log.reach.seqAt(cursor.lane, cursor.position)
  return run
}

/** The lowest position of a lane: that after where it branched off. */
function firstOf({ parent }: Lane): number {
  return parent === undefined ? 0 : parent.position + 1
}
