/**
 * What else goes on from where a record does: the forks of its author there.
 *
 * Whoever keeps a branch whose fork lies below a base has to know what the other branch begins with: else it could not tell
 * an intention that begins a branch from one that is gone.
 *
 * @module
 */
import type { Lane, LaneBook, Place } from './lane-book.ts'
import type { LogStore } from './log-store.ts'

/** The first of each branch of an author from a place on, as far as they lie below. `lastOf`: -1 where nothing does. */
export function branchesFrom(
  lanes: readonly Pick<Lane, 'number' | 'author' | 'parent'>[],
  { author, parent }: { readonly author: number; readonly parent: Place & { readonly author: number } },
  lastOf: (lane: number) => number,
): readonly Place[] {
  const position = parent.position + 1
  const goesOn = parent.author === author && position <= lastOf(parent.lane) ? [{ lane: parent.lane, position }] : []
  const branches = lanes.filter(
    ({ number, author: by, parent: from }) =>
      by === author && from?.lane === parent.lane && from.position === parent.position && position <= lastOf(number),
  )
  return [...goesOn, ...branches.map(({ number: lane }) => ({ lane, position }))]
}

/** The same of a log, without what is gone: a log that begins elsewhere is not told of what nobody had gone on from then. */
export function heldBranchesFrom(
  { authors, base }: Pick<LogStore, 'authors' | 'base'>,
  { author, parent }: { readonly author: number; readonly parent: Place & { readonly author: number } },
  lastOf: (lane: number) => number,
): readonly Place[] {
  const places = branchesFrom(lanesOf(authors, author), { author, parent }, lastOf)
  return places.filter((place) => !base.isBelow(place) || base.isAnchored(place))
}

/** All lanes of an author, of a book. */
export function lanesOf(authors: LaneBook, number: number): readonly Lane[] {
  return authors.byNumber(number).lanes.map((lane) => authors.lane(lane))
}
