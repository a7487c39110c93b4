/**
 * Writes that are not in the database yet, over a table that is, in layers:
 *
 *     base, on disk  <  frozen, being written to disk  <  rows, visible  <  what is not published
 *
 * Operations change the topmost layer. A mark remembers a place to go back to: an operation that is rejected, or whose
 * machine throws, is undone without a trace; and everything since the last `publish` can be taken back, for as long as
 * it is not durable elsewhere. Readers of `visible` see nothing of it. Freezing hands the published rows to whoever
 * writes them to disk; they shadow the table below until that is done, so nobody sees a difference, whether it succeeds
 * or not.
 *
 * @module
 */
import { assert, createByteSlab, type IdKey, type ReadTable, type WriteTable } from '@lattice/model'
import { keyBytes, keyText } from './key-text.ts'
import { type PageSource, scanPages } from './merge-rows.ts'
import { createRowChanges, type ReadRowChanges, type RowChange } from './row-changes.ts'
import { createRowLayers, type RowLayers, type TableSnapshot } from './row-layers.ts'
import type { PageTable } from './sqlite-table.ts'

/** A table that is read by point and by page: scans are made of pages, see `scanPages`. */
export interface VisibleTable extends ReadTable {
  readonly peek: (key: Uint8Array) => Uint8Array | undefined
  readonly page: PageSource
  readonly stamp: () => object
}

export interface OverlayTable {
  /** With everything in it: what operations read and change. */
  readonly working: WriteTable
  /** What is published. */
  readonly visible: VisibleTable
  /** From here on, changes can be rolled back. Drops the mark before. */
  readonly mark: () => void
  /** Undoes every change since the mark. */
  readonly rollback: () => void
  /** What was changed is visible, and stays. */
  readonly publish: () => void
  /** Undoes every change since the last `publish`, marks too. */
  readonly discard: () => void
  /** How many rows are changed and not published. */
  readonly unpublished: () => number
  /** Starts a new layer over the published rows; answers those. One is frozen at a time, and nothing is unpublished. */
  readonly freeze: () => ReadRowChanges
  /** The frozen rows are in the table below. */
  readonly thaw: () => void
  /** What is published now; nothing is unpublished. */
  readonly snapshot: () => TableSnapshot
  /** Changed rows and their bytes, not counting frozen ones. */
  readonly size: () => number
  readonly bytes: () => number
}

interface Undo {
  readonly key: IdKey
  readonly change: RowChange | undefined
  /** The first change of the row since the last `publish`. */
  readonly isFirst: boolean
}

/** An empty overlay over `base`, whose rows change by what was frozen alone. */
export function createOverlayTable(base: PageTable): OverlayTable {
  const layers = createRowLayers(base)
  let undo: Undo[] = []
  /** What changed rows were when the last `publish` ended, in the order in which they first changed. */
  const before = new Map<IdKey, RowChange | undefined>()
  // Rows of one layer go together, so they may share buffers.
  const copy = createByteSlab()
  const stamps = { working: createStamp(), visible: createStamp() }

  function put(bytes: Uint8Array, change: RowChange): void {
    const key = keyText(bytes)
    const was = layers.put(key, bytes, change)
    const isFirst = !before.has(key)
    stamps.working.renew()
    undo.push({ key, change: was, isFirst })
    if (isFirst) before.set(key, was)
  }

  function peekWorking(bytes: Uint8Array): Uint8Array | undefined {
    const key = keyText(bytes)
    return layers.below(key, bytes, layers.changeOf(key))
  }

  function peekVisible(bytes: Uint8Array): Uint8Array | undefined {
    const key = keyText(bytes)
    return layers.below(key, bytes, before.size > 0 && before.has(key) ? before.get(key) : layers.changeOf(key))
  }

  function settle(): void {
    before.clear()
    undo = []
  }

  const pageOfWorking: PageSource = (range) => layers.page(range, [])
  const pageOfVisible: PageSource = (range) => layers.page(range, undoneLayer(layers, before))

  return {
    working: {
      ...readTable({ peek: peekWorking, page: pageOfWorking, stamp: stamps.working }),
      set: (key, value) => put(key, copy(value)),
      delete: (key) => put(key, null),
    },
    visible: readTable({ peek: peekVisible, page: pageOfVisible, stamp: stamps.visible }),
    mark: () => {
      undo = []
    },
    rollback: () => {
      stamps.working.renew()
      for (const { key, change, isFirst } of undo.reverse()) {
        layers.restore(key, change)
        if (isFirst) before.delete(key)
      }
      undo = []
    },
    publish: () => {
      // What is not published is shown to nobody, so only this changes what readers see.
      if (before.size > 0) stamps.visible.renew()
      settle()
    },
    discard: () => {
      stamps.working.renew()
      for (const [key, change] of [...before].reverse()) layers.restore(key, change)
      settle()
    },
    unpublished: () => before.size,
    freeze: () => {
      assert(before.size === 0, 'what is frozen is published')
      undo = []
      return layers.freeze()
    },
    thaw: layers.thaw,
    snapshot: () => {
      assert(before.size === 0, 'what a snapshot shows is published')
      return layers.snapshot()
    },
    size: layers.size,
    bytes: layers.bytes,
  }
}

interface TableParts extends Pick<VisibleTable, 'peek' | 'page'> {
  readonly stamp: Stamp
}

function readTable({ peek, page, stamp }: TableParts): VisibleTable {
  return {
    get: (key) => peek(key)?.slice(),
    peek,
    page,
    scan: (range) => scanPages(page, range),
    stamp: stamp.get,
  }
}

interface Stamp {
  readonly get: () => object
  /** The table has changed. */
  readonly renew: () => void
}

function createStamp(): Stamp {
  // Made when it is asked for: most changes are followed by others before anybody asks.
  let stamp: object | undefined
  return {
    get: () => (stamp ??= {}),
    renew: () => {
      stamp = undefined
    },
  }
}

/** A layer that hides what is not published. */
function undoneLayer(
  { below }: RowLayers,
  before: ReadonlyMap<IdKey, RowChange | undefined>,
): readonly ReadRowChanges[] {
  if (before.size === 0) return []
  const undone = createRowChanges()
  for (const [key, change] of before) undone.put(key, below(key, keyBytes(key), change) ?? null)
  return [undone]
}
