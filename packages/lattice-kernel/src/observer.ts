/**
 * What every author has seen, by what its intentions cite.
 *
 * An author has seen what is in the past of its tips, of all of them when it forked. Nobody has to say so: every node
 * that holds the same intentions derives the same. What acks alone would tell, that an ack was seen, counts nowhere as
 * something to catch up with, for nobody answers an ack.
 *
 * A past is one position per lane, so a question costs about authors × lanes, whatever the length of the log. What an
 * author has seen changes with its tips alone, and is kept until they do.
 *
 * @module
 */
import type { IntentionId, PublicKey } from '@lattice/model'
import type { AuthorLag, Observations, SeenOf, StabilityFrontier } from './observation-types.ts'
import type { Author, Lane, LaneBook, LaneHead } from './lane-book.ts'
import type { LogEntry, LogTip } from './log-entry.ts'
import type { QuietSpans } from './quiet-spans.ts'

/** Where an intention stands, in its lane and in the log. */
export interface ReachPlace {
  readonly lane: number
  readonly position: number
  readonly seq: number
}

/** What the observer asks of the reachability index. */
export interface ReachPort {
  /** The past of a place, itself included: each lane in it with its highest position. */
  readonly vectorOf: (place: ReachPlace) => Iterable<readonly [lane: number, position: number]>
  /** The seq of the intention at a position of a lane. */
  readonly seqAt: (lane: number, position: number) => number
}

export interface ObserverDeps {
  readonly lanes: Pick<LaneBook, 'find' | 'byNumber' | 'all' | 'size' | 'lane' | 'lanes'>
  readonly quiet: Pick<QuietSpans, 'countUpTo' | 'nextLoud'>
  readonly reach: ReachPort
  readonly entryAt: (seq: number) => Pick<LogEntry, 'witnessedMs'>
  /** Also where the record is gone. */
  readonly tipAt: (seq: number) => LogTip
  /** The last position of a lane that a prune took, -1 for none: all who matter have seen what comes before. */
  readonly lastGone: (lane: number) => number
}

/** A past: by lane, the highest position in it. */
type Past = ReadonlyMap<number, number>

const NOTHING: Past = new Map()

/** Authors in the matrix, those that wrote last: it grows with their square. Lag and stability know no such bound. */
export const OBSERVED_AUTHORS_MAX = 256

export interface Observer {
  /** What every author has seen, and what all of `members` have. */
  readonly observe: (members: readonly PublicKey[]) => Observations
  /** How far an author is behind this log, as far as its intentions here tell. */
  readonly lagOf: (author: PublicKey) => AuthorLag
  /** What none of these authors has shown to have seen: all of it, where there are none. */
  readonly unseenByAll: (authors: readonly PublicKey[]) => AuthorLag
}

export function createObserver(deps: ObserverDeps): Observer {
  const pasts = createPasts(deps)

  function pastOf(key: PublicKey): Past {
    const author = deps.lanes.find(key)
    return author === undefined ? NOTHING : pasts(author)
  }

  return {
    lagOf: (key) => lagOf(deps, pastOf(key)),
    unseenByAll: (authors) => lagOf(deps, unite(authors.map(pastOf))),
    observe: (members) => {
      const authors = latestAuthors(deps)
      const shown = new Set(authors.map(({ number }) => number))
      return {
        authors: authors.map((author) => ({
          author: author.key,
          ...lagOf(deps, pasts(author)),
          seen: seenIn(deps, pasts(author))
            .filter(({ number }) => shown.has(number))
            .map(({ cell }) => cell),
        })),
        omitted: Math.max(0, deps.lanes.size() - authors.length),
        stability: stabilityOf(deps, members.map(pastOf)),
      }
    },
  }
}

/** Those that wrote last, in the order of their first intentions. */
function latestAuthors({ lanes }: ObserverDeps): readonly Author[] {
  const latest = (author: Author): number => Math.max(...author.tips)
  const authors = [...lanes.all()].filter(({ tips }) => tips.size > 0)
  if (authors.length <= OBSERVED_AUTHORS_MAX) return authors
  return authors
    .toSorted((a, b) => latest(b) - latest(a))
    .slice(0, OBSERVED_AUTHORS_MAX)
    .sort((a, b) => a.number - b.number)
}

/** What an author has seen, derived anew once the ends of its lanes are others. */
function createPasts({ lanes, reach }: ObserverDeps): (author: Author) => Past {
  const known = new Map<number, { readonly heads: readonly LaneHead[]; readonly past: Past }>()

  return ({ number, lanes: own }) => {
    const heads = own.map((lane) => lanes.lane(lane).head)
    const last = known.get(number)
    if (last?.heads.length === heads.length && last.heads.every((head, index) => head === heads[index])) {
      return last.past
    }
    const past = new Map<number, number>()
    // The latest first: it may have joined the others, which then have nothing to add.
    for (const lane of own.toSorted((a, b) => lanes.lane(b).head.seq - lanes.lane(a).head.seq)) {
      const { position, seq } = lanes.lane(lane).head
      if ((past.get(lane) ?? -1) >= position) continue
      for (const [other, reached] of reach.vectorOf({ lane, position, seq })) {
        if (reached > (past.get(other) ?? -1)) past.set(other, reached)
      }
    }
    known.set(number, { heads, past })
    return past
  }
}

/** What is in any of these pasts. */
function unite(pasts: readonly Past[]): Past {
  const united = new Map<number, number>()
  for (const past of pasts) {
    for (const [lane, position] of past) if (position > (united.get(lane) ?? -1)) united.set(lane, position)
  }
  return united
}

/** The position before a lane's first. */
function baseOf({ parent }: Lane): number {
  return parent?.position ?? -1
}

/** How many intentions of a lane are in a past. */
function countSeenOf(deps: ObserverDeps, lane: Lane, past: Past): number {
  return Math.max(0, seenUpTo(deps, lane, past) - baseOf(lane))
}

/** How many intentions of a lane that call for an ack are not in a past. */
function countUnseenOf(deps: ObserverDeps, lane: Lane, past: Past): number {
  const { quiet } = deps
  const { number, head } = lane
  const seen = seenUpTo(deps, lane, past)
  if (seen >= head.position) return 0
  const isQuietAll = quiet.nextLoud(number, seen) > head.position
  if (isQuietAll) return 0
  return head.position - seen - (quiet.countUpTo(number, head.position) - quiet.countUpTo(number, seen))
}

function seenUpTo({ lastGone }: ObserverDeps, lane: Lane, past: Past): number {
  return Math.max(baseOf(lane), past.get(lane.number) ?? -1, lastGone(lane.number))
}

function lagOf(deps: ObserverDeps, past: Past): AuthorLag {
  const { lanes, quiet, reach, entryAt } = deps
  let unseen = 0
  let first = Infinity
  for (const lane of lanes.lanes()) {
    const missed = countUnseenOf(deps, lane, past)
    if (missed === 0) continue
    unseen += missed
    first = Math.min(first, reach.seqAt(lane.number, quiet.nextLoud(lane.number, seenUpTo(deps, lane, past))))
  }
  return { unseen, unseenSinceMs: first === Infinity ? undefined : entryAt(first).witnessedMs }
}

/** A past by author. */
function seenIn(deps: ObserverDeps, past: Past): { readonly number: number; readonly cell: SeenOf }[] {
  const { lanes, reach } = deps
  const cells = new Map<number, { count: number; position: number; lane: Lane }>()
  for (const [number, reached] of past) {
    const lane = lanes.lane(number)
    const position = Math.max(reached, deps.lastGone(number))
    const known = cells.get(lane.author)
    const count = (known?.count ?? 0) + countSeenOf(deps, lane, past)
    cells.set(
      lane.author,
      known !== undefined && known.position > position ? { ...known, count } : { count, position, lane },
    )
  }
  return [...cells].map(([number, { count, position, lane }]) => {
    const { head } = lane
    const seq = position === head.position ? head.seq : reach.seqAt(lane.number, position)
    return { number, cell: { author: lanes.byNumber(number).key, count, position, seq } }
  })
}

/** What is in every one of these pasts; a member without one has seen nothing. */
function stabilityOf(deps: ObserverDeps, pasts: readonly Past[]): StabilityFrontier {
  const [first, ...others] = pasts
  const common = new Map<number, number>()
  for (const [lane, position] of first ?? []) {
    const lowest = Math.min(position, ...others.map((past) => past.get(lane) ?? -1))
    if (lowest >= 0) common.set(lane, lowest)
  }
  let count = 0
  const ends: { readonly place: ReachPlace; readonly lane: Lane }[] = []
  for (const lane of deps.lanes.lanes()) {
    const seen = countSeenOf(deps, lane, common)
    if (seen === 0) continue
    count += seen
    const position = seenUpTo(deps, lane, common)
    const seq = position === lane.head.position ? lane.head.seq : deps.reach.seqAt(lane.number, position)
    ends.push({ place: { lane: lane.number, position, seq }, lane })
  }
  return { count, ids: maximal(deps, ends) }
}

/** Of the last of each lane, those that no other has in its past. */
function maximal(
  { reach, tipAt }: ObserverDeps,
  ends: readonly { readonly place: ReachPlace; readonly lane: Lane }[],
): readonly IntentionId[] {
  const covered = new Map<number, number>()
  const ids: IntentionId[] = []
  // The latest first: nothing that comes later has it in its past.
  for (const { place, lane } of ends.toSorted((a, b) => b.place.seq - a.place.seq)) {
    if ((covered.get(place.lane) ?? -1) >= place.position) continue
    for (const [other, position] of reach.vectorOf(place)) {
      if (position > (covered.get(other) ?? -1)) covered.set(other, position)
    }
    ids.push(place.seq === lane.head.seq ? lane.head.id : tipAt(place.seq).parsed.id)
  }
  return ids
}
