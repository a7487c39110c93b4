/**
 * Rows on their way from several peers, put in order.
 *
 * What is still to come is a row of stretches, each asked of one peer at a time, and the rest after them, of which nobody
 * knows yet where its pages end. What came waits for what is before it.
 *
 * Pure and synchronous.
 *
 * @module
 */
import { assert, type IdKey } from '@lattice/model'
import type { RowPlace, SnapshotRow } from '@lattice/net-types'

/** Rows from one peer, all of the state between two places. */
export interface RowsPage {
  readonly rows: readonly SnapshotRow[]
  readonly from: IdKey
  /** The last place that it is about; undefined for the end of the state. */
  readonly through: RowPlace | undefined
}

/** A part of the state that is asked for as a whole. */
export interface Stretch {
  /** What is still lacking of it begins after this. */
  next: RowPlace | undefined
  readonly through: RowPlace | undefined
  /** It is a page of the rest: what follows it is the rest again. */
  readonly isOfRest: boolean
  /** Whom it is asked of now. */
  readonly askedOf: Set<IdKey>
  isWhole: boolean
  readonly held: RowsPage[]
}

export interface RowWindow {
  /** The rest is cut where pages may end. `isAll`: there is nothing beyond the last but one page. */
  readonly plan: (ends: readonly RowPlace[], isAll: boolean) => void
  /** Makes a stretch of the next page of the rest, wherever that ends. */
  readonly takeRest: () => void
  /** Where the rest begins; undefined once there is none. */
  readonly rest: () => { readonly after: RowPlace | undefined } | undefined
  /** The first stretch that is to be asked for and that nobody is asked for now, or that `may` pass. */
  readonly pick: (may: (stretch: Stretch) => boolean) => Stretch | undefined
  /** A page of a stretch came. */
  readonly came: (stretch: Stretch, page: Pick<RowsPage, 'rows' | 'from'> & { readonly isLast: boolean }) => void
  /** The next page in order, if it is here. */
  readonly take: () => RowsPage | undefined
  /** Bytes of what waits. */
  readonly heldBytes: () => number
  readonly isFront: (stretch: Stretch) => boolean
  /** Stretches that are not whole yet. */
  readonly openCount: () => number
  /** Everything came and was taken. */
  readonly isDone: () => boolean
  /** Something of the peer's waits. */
  readonly hasFrom: (peer: IdKey) => boolean
  /** Nobody is asked for anything of the peer's any more. */
  readonly forget: (peer: IdKey) => void
}

/** All rows after a place are still to come. */
export function createRowWindow(after: RowPlace | undefined): RowWindow {
  let rest: { after: RowPlace | undefined } | undefined = { after }
  const stretches: Stretch[] = []
  let bytes = 0

  function add(from: RowPlace | undefined, through: RowPlace | undefined, isOfRest = false): void {
    stretches.push({ next: from, through, isOfRest, askedOf: new Set(), isWhole: false, held: [] })
  }
  return {
    plan: (ends, isAll) => {
      assert(rest !== undefined, 'something is left to plan')
      let from = rest.after
      for (const end of ends) {
        add(from, end)
        from = end
      }
      rest = { after: from }
      if (!isAll) return
      add(from, undefined)
      rest = undefined
    },
    takeRest: () => {
      assert(rest !== undefined, 'something is left')
      add(rest.after, undefined, true)
      rest = undefined
    },
    rest: () => rest,
    pick: (may) => stretches.find((stretch) => !stretch.isWhole && (stretch.askedOf.size === 0 || may(stretch))),
    came: (stretch, { rows, from, isLast }) => {
      const end = rows.at(-1)
      assert(isLast || end !== undefined, 'a page that is not the last has rows')
      stretch.isWhole = isLast || stretch.isOfRest
      if (!isLast && end !== undefined) stretch.next = { table: end.table, key: end.key }
      if (!isLast && stretch.isOfRest) rest = { after: stretch.next }
      stretch.held.push({ rows, from, through: isLast ? stretch.through : stretch.next })
      bytes += bytesOf(rows)
    },
    take: () => {
      const [first] = stretches
      const page = first?.held.shift()
      if (first === undefined || page === undefined) return undefined
      if (first.isWhole && first.held.length === 0) stretches.shift()
      bytes -= bytesOf(page.rows)
      return page
    },
    heldBytes: () => bytes,
    isFront: (stretch) => stretches[0] === stretch,
    openCount: () => stretches.filter(({ isWhole }) => !isWhole).length,
    isDone: () => rest === undefined && stretches.length === 0,
    hasFrom: (peer) => stretches.some(({ held }) => held.some(({ from }) => from === peer)),
    forget: (peer) => {
      for (const { askedOf } of stretches) askedOf.delete(peer)
    },
  }
}

function bytesOf(rows: readonly SnapshotRow[]): number {
  return rows.reduce((sum, { key, value }) => sum + key.length + value.length, 0)
}
