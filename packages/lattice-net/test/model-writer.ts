/**
 * Makes a model store anew from what peers send, in memory: what a foundation would prove is given to it.
 *
 * @module
 */
import { type Crypto, equalBytes, type Hash, idKey, type IntentionId, toHex } from '@lattice/model'
import type { PrunedStoreWriter, SnapshotRow, WriterPosition } from '@lattice/net-types'
import { compareRows, decodeItem, rootOf } from './model-base.ts'

export interface ModelWriter extends PrunedStoreWriter {
  readonly items: () => readonly Uint8Array[]
  readonly rows: () => readonly SnapshotRow[]
  readonly isFinished: () => boolean
  /** Calls so far, by name. */
  readonly calls: string[]
}

export interface ModelWriterOptions {
  readonly crypto: Crypto
  /** The items of a right foundation, whatever their order. */
  readonly right: readonly Uint8Array[]
  readonly epoch: IntentionId
  /** What a quorum signed. */
  readonly root: Hash
}

const keysOf = (items: readonly Uint8Array[]): string => items.map(toHex).sort().join()

export function createModelWriter({ crypto, right, epoch, root }: ModelWriterOptions): ModelWriter {
  let begun: Pick<WriterPosition, 'base' | 'peer'> | undefined
  let isWhole = false
  let isFinished = false
  let items: Uint8Array[] = []
  let rows: SnapshotRow[] = []
  const calls: string[] = []
  function clear(): void {
    begun = undefined
    isWhole = false
    items = []
    rows = []
  }
  return {
    items: () => items,
    rows: () => rows,
    isFinished: () => isFinished,
    calls,
    position: () => {
      const last = rows.at(-1)
      const after = last && { table: last.table, key: last.key }
      return begun && { ...begun, items: items.length, snapshot: isWhole ? { epoch, root } : undefined, after }
    },
    begin: async (base, peer) => {
      calls.push('begin')
      clear()
      begun = { base, peer }
    },
    addItems: async (more) => {
      calls.push(`items ${more.length}`)
      for (const bytes of more) {
        const item = decodeItem(bytes)
        const isFirst = items.length === 0
        if (item === undefined || isFirst !== (item.kind === 'base')) {
          clear()
          return { code: item === undefined ? 'malformed' : 'out_of_order' }
        }
        items.push(bytes)
      }
      return undefined
    },
    endItems: async () => {
      calls.push('end_items')
      const isRight = keysOf(items) === keysOf(right) && begun !== undefined && idKey(begun.base) === idKey(epoch)
      if (!isRight) clear()
      isWhole = isRight
      return isRight ? { epoch, root } : { code: 'no_quorum' }
    },
    addRows: async (more) => {
      calls.push(`rows ${more.length}`)
      for (const row of more) {
        const last = rows.at(-1)
        if (last !== undefined && compareRows(row, last) <= 0) return { code: 'row_out_of_order' }
        rows.push(row)
      }
      return undefined
    },
    drop: async () => {
      calls.push('drop')
      clear()
    },
    dropRows: async () => {
      calls.push('drop_rows')
      rows = []
    },
    finish: async () => {
      calls.push('finish')
      if (!equalBytes(rootOf(crypto, rows), root)) return { code: 'root_mismatch' }
      isFinished = true
      return undefined
    },
  }
}
