/**
 * The chains of authors who did not fork, by position: where they end, what is at a place, and parts of them.
 *
 * What is witnessed is closed under causes, so while nobody forked, the ends of all chains say exactly what is here. All
 * of it comes from the lanes and the index of positions: a few reads for each author asked about, none for the history.
 *
 * @module
 */
import { assert, compareBytes, type IntentionId, type PublicKey, type SignedIntention } from '@lattice/model'
import { closingRun } from './closing-run.ts'
import type { LaneStretch } from './counted-lanes.ts'
import type { Author } from './lane-book.ts'
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
      const { counted } = log
      if (counted.size() > max) return undefined
      const tips: ChainTip[] = []
      for (const author of counted.all()) {
        if (author.tips.size > 1) return undefined
        for (const { position, id } of counted.tipsOf(author)) tips.push({ author: author.key, position, id })
      }
      return tips.sort((a, b) => compareBytes(a.author, b.author))
    },
    chainId: (author, position) => idAt(log, author, position),
    readSpans: (spans, maxBytes) => readSpans(log, spans, maxBytes),
  }
}

function idAt(log: LogStore, key: PublicKey, position: number): IntentionId | undefined {
  const { counted } = log
  const author = counted.find(key)
  if (author?.tips.size !== 1) return undefined
  const [tip] = counted.tipsOf(author)
  if (position === tip?.position) return tip.id
  if (!Number.isSafeInteger(position)) return undefined
  const stretch = wayOf(log, author).find(({ first, last }) => first <= position && position <= last)
  // A chain is known down to where it ends below the base.
  if (stretch === undefined || position < log.base.lastOf(stretch.lane)) return undefined
  return log.tipAt(log.reach.seqAt(stretch.lane, position)).parsed.id
}

/** The lanes that the chain of an author goes along; of one who forked meanwhile, the first keeps what it has. */
function wayOf({ counted }: LogStore, author: Author): readonly LaneStretch[] {
  const lanes = author.lanes.map((number) => counted.lane(number))
  const only = author.tips.size === 1 ? lanes.find(({ head }) => author.tips.has(head.seq)) : lanes[0]
  return only === undefined ? [] : counted.wayTo(only)
}

/** Where the reading of a span is. */
interface Cursor {
  readonly span: ChainSpan
  readonly way: readonly LaneStretch[]
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
function cursorOf(log: LogStore, span: ChainSpan): Cursor | undefined {
  const author = log.counted.find(span.author)
  const way = author === undefined ? [] : wayOf(log, author)
  const [begin, end] = [way[0], way.at(-1)]
  if (begin === undefined || end === undefined) return undefined
  const position = Math.max(span.after + 1, begin.first, ...way.map(({ lane }) => log.base.lastOf(lane) + 1))
  const last = Math.min(span.through, end.last)
  if (position > last) return undefined
  return { span, way, last, position, seq: seqOn(log, way, position) }
}

/** The seq at a position of a way. */
function seqOn({ reach }: LogStore, way: readonly LaneStretch[], position: number): number {
  const stretch = way.find(({ last }) => position <= last)
  assert(stretch !== undefined, 'the position is on the way')
  return reach.seqAt(stretch.lane, position)
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
  if (cursor.position <= cursor.last) cursor.seq = seqOn(log, cursor.way, cursor.position)
  return run
}
