/**
 * When the room of what was deleted is given back to the disk, and in what parts.
 *
 * @module
 */
import type { Database } from '@lattice/storage'

/** Pages of one part: a millisecond or two. */
const PAGES_PER_PART = 64
/** Free pages that are left to be used again. */
const FREE_PAGES_LEFT = 16
/** Part of a file that is free before it is worth it where rows come and go all the time. */
const FREE_PART = 0.25

/** Gives back a part; true while there is more. Not inside a transaction. */
export function giveBack({ shrink }: Pick<Database, 'shrink'>): boolean {
  return shrink(PAGES_PER_PART) > FREE_PAGES_LEFT
}

/** True for a file of which so much is free that it is given back. */
export function isRoomy({ room }: Pick<Database, 'room'>): boolean {
  const { pages, free } = room()
  return free > Math.max(FREE_PAGES_LEFT, FREE_PART * pages)
}
