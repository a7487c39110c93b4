import { type IntentionId, toHex, toIntentionId } from '@lattice/model'
import { createMemoryRangeIndex } from '@lattice/sync'
import { describe, expect, test } from 'vitest'
import { READ_SLICE_IDS } from './limits.ts'
import { createSendOrder } from './send-order.ts'

/** Ids whose order by bytes is not that of their making. */
function idOf(index: number): IntentionId {
  const bytes = new Uint8Array(32)
  new DataView(bytes.buffer).setUint32(0, Math.imul(index + 1, 0x9e3779b1) >>> 0)
  new DataView(bytes.buffer).setUint32(4, index)
  return toIntentionId(bytes)
}

/** The slices that items are sent in, as indexes of the items. */
function slicesOf(timestamps: readonly number[]): readonly (readonly number[])[] {
  const items = timestamps.map((timestamp, index) => ({ timestamp, id: idOf(index) }))
  const indexes = new Map(items.map(({ id }, index) => [toHex(id), index]))
  const order = createSendOrder(
    createMemoryRangeIndex(items),
    items.map(({ id }) => id),
  )
  const slices: number[][] = []
  for (let ids = order.next(); ids === undefined || ids.length > 0; ids = order.next()) {
    if (ids !== undefined) slices.push(ids.map((id) => indexes.get(toHex(id)) ?? -1))
  }
  return slices
}

describe('the order in which a difference is sent', () => {
  test('no slice has a cause in a later one, however many intentions one millisecond has', () => {
    // Each depends on the one before it.
    const timestamps = [
      ...Array.from({ length: 100 }, () => 1),
      ...Array.from({ length: 3 * READ_SLICE_IDS }, () => 2),
      ...Array.from({ length: 100 }, () => 3),
    ]
    let sent = 0
    for (const slice of slicesOf(timestamps)) {
      expect(slice.toSorted((a, b) => a - b)).toEqual(slice.map((_, index) => sent + index))
      sent += slice.length
    }
    expect(sent).toBe(timestamps.length)
  })

  test('a slice is no larger than it has to be', () => {
    const slices = slicesOf(Array.from({ length: 3 * READ_SLICE_IDS }, (_, index) => index))
    expect(slices.map(({ length }) => length)).toEqual([READ_SLICE_IDS, READ_SLICE_IDS, READ_SLICE_IDS])
  })
})
