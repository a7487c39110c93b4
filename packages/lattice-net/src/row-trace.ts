/**
 * Who sent which page of a snapshot, so that whoever sent a wrong one can be told.
 *
 * The root vouches for all rows together: that something is wrong shows at the end, and not where. The rows are then fetched
 * once more from one peer alone, at the same places. If they are right, pages that differ from them were wrong; if not, that
 * peer is the one.
 *
 * @module
 */
import { type Crypto, equalBytes, type IdKey, type Hash, toHash, toHex } from '@lattice/model'
import type { RowPlace, SnapshotRow } from '@lattice/net-types'
import { SNAPSHOT_TRACED_PAGES_MAX } from './limits.ts'
import type { RowsPage } from './row-window.ts'

interface TracedPage {
  readonly from: IdKey
  readonly through: RowPlace | undefined
  readonly digest: Hash
}

export interface RowTrace {
  /** A page was handed on, in order. */
  readonly note: (page: RowsPage) => void
  /** Whose pages there are. */
  readonly senders: () => ReadonlySet<IdKey>
  /** Where its pages end, but for the last of all. */
  readonly ends: () => readonly RowPlace[]
  /** Who sent pages that are not those of another trace of the same places, which is right. */
  readonly differing: (right: RowTrace) => ReadonlySet<IdKey>
  readonly pages: () => readonly TracedPage[]
}

/** Starts without pages. */
export function createRowTrace(crypto: Crypto): RowTrace {
  const pages: TracedPage[] = []
  const senders = new Set<IdKey>()
  return {
    note: ({ rows, from, through }) => {
      senders.add(from)
      if (pages.length < SNAPSHOT_TRACED_PAGES_MAX) pages.push({ from, through, digest: digestOf(crypto, rows) })
    },
    senders: () => senders,
    ends: () => pages.flatMap(({ through }) => through ?? []),
    differing: (right) => {
      const others = new Map(right.pages().map((page) => [keyOf(page.through), page.digest]))
      const differing = pages.flatMap(({ from, through, digest }) => {
        const other = others.get(keyOf(through))
        return other !== undefined && equalBytes(digest, other) ? [] : [from]
      })
      return new Set(differing)
    },
    pages: () => pages,
  }
}

function keyOf(through: RowPlace | undefined): string {
  return through === undefined ? '' : `${through.table} ${toHex(through.key)}`
}

function digestOf(crypto: Crypto, rows: readonly SnapshotRow[]): Hash {
  const parts: Uint8Array[] = []
  for (const { table, key, value } of rows) {
    const lengths = new Uint8Array(9)
    const view = new DataView(lengths.buffer)
    view.setUint8(0, table === 'system' ? 0 : 1)
    view.setUint32(1, key.length)
    view.setUint32(5, value.length)
    parts.push(lengths, key, value)
  }
  return toHash(crypto.blake3(...parts))
}
