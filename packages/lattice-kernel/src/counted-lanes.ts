/**
 * The lanes of a log as others see them: without what is excluded.
 *
 * A lane that is cut ends where it is, and one of which nothing is left is not there. Where a chain forked and all of one
 * branch is cut, it has not forked: nodes that never witnessed that branch say the same. While nothing is excluded these
 * are the lanes of the book.
 *
 * @module
 */
import { assert } from '@lattice/model'
import type { ExcludedSet } from './excluded-set.ts'
import type { Author, Lane, LaneBook, LaneHead } from './lane-book.ts'
import type { LogTip } from './log-entry.ts'
import type { LogReach } from './reach-log.ts'

export interface CountedLanes extends Pick<LaneBook, 'find' | 'byNumber' | 'all' | 'size' | 'lane' | 'lanes'> {
  /** Where the chain of an author ends: in several places where it forked. */
  readonly tipsOf: (author: Author) => readonly LaneHead[]
  /** Lanes from the genesis' side to one of its tips, each with the last of its positions on that way. */
  readonly wayTo: (tip: Lane) => readonly LaneStretch[]
}

/** Positions of a lane that a chain goes along. */
export interface LaneStretch {
  readonly lane: number
  readonly first: number
  readonly last: number
}

export interface CountedLanesDeps {
  readonly authors: LaneBook
  readonly excluded: Pick<ExcludedSet, 'endOf' | 'version' | 'count'>
  readonly reach: Pick<LogReach, 'seqAt'>
  readonly tipAt: (seq: number) => LogTip
  readonly headSeq: () => number
}

interface Counted {
  readonly version: number
  readonly headSeq: number
  readonly lanes: ReadonlyMap<number, Lane>
  readonly authors: ReadonlyMap<number, Author>
}

export function createCountedLanes(deps: CountedLanesDeps): CountedLanes {
  const { authors, excluded } = deps
  let made: Counted | undefined

  /** Undefined while nothing is excluded. */
  function counted(): Counted | undefined {
    if (excluded.count() === 0) return undefined
    const [version, headSeq] = [excluded.version(), deps.headSeq()]
    if (made?.version !== version || made.headSeq !== headSeq) made = countLanes(deps, { version, headSeq })
    return made
  }

  function lane(number: number): Lane {
    const cut = counted()
    if (cut === undefined) return authors.lane(number)
    const found = cut.lanes.get(number)
    assert(found !== undefined, 'only lanes with something that counts are asked about')
    return found
  }

  return {
    find: (key) => {
      const author = authors.find(key)
      const cut = counted()
      return author === undefined || cut === undefined ? author : cut.authors.get(author.number)
    },
    byNumber: (number) => counted()?.authors.get(number) ?? authors.byNumber(number),
    all: () => counted()?.authors.values() ?? authors.all(),
    size: () => counted()?.authors.size ?? authors.size(),
    lane,
    lanes: () => {
      const cut = counted()
      return cut === undefined ? authors.lanes() : [...cut.lanes.values()]
    },
    tipsOf: ({ lanes, tips }) => lanes.map((number) => lane(number).head).filter(({ seq }) => tips.has(seq)),
    wayTo: (tip) => {
      const way: LaneStretch[] = []
      let [at, last]: [Lane, number] = [tip, tip.head.position]
      for (;;) {
        const { parent, number, author } = at
        way.push({ lane: number, first: parent === undefined ? 0 : parent.position + 1, last })
        const before = parent === undefined ? undefined : lane(parent.lane)
        if (parent === undefined || before?.author !== author) return way.reverse()
        ;[at, last] = [before, parent.position]
      }
    },
  }
}

function countLanes(deps: CountedLanesDeps, at: Pick<Counted, 'version' | 'headSeq'>): Counted {
  const lanes = new Map<number, Lane>()
  const byAuthor = new Map<number, Lane[]>()
  for (const lane of deps.authors.lanes()) {
    const cut = cutLane(deps, lane)
    if (cut === undefined) continue
    lanes.set(cut.number, cut)
    const known = byAuthor.get(cut.author)
    if (known === undefined) byAuthor.set(cut.author, [cut])
    else known.push(cut)
  }
  const authors = new Map<number, Author>()
  for (const [number, own] of byAuthor) {
    // What goes on in another lane of the author is no tip.
    const goesOn = new Set(
      own.flatMap(({ parent }) => (parent === undefined ? [] : [`${parent.lane} ${parent.position}`])),
    )
    const isTip = ({ number: lane, head }: Lane): boolean => !goesOn.has(`${lane} ${head.position}`)
    const tips = new Set(own.filter(isTip).map(({ head }) => head.seq))
    authors.set(number, { ...deps.authors.byNumber(number), tips, lanes: own.map((lane) => lane.number) })
  }
  return { ...at, lanes, authors }
}

/** Undefined for a lane of which nothing counts. */
function cutLane({ excluded, reach, tipAt }: CountedLanesDeps, lane: Lane): Lane | undefined {
  const { number, parent, head } = lane
  const position = excluded.endOf(number) - 1
  if (position >= head.position) return lane
  if (position < (parent === undefined ? 0 : parent.position + 1)) return undefined
  const seq = reach.seqAt(number, position)
  return { ...lane, head: { seq, position, id: tipAt(seq).parsed.id } }
}
