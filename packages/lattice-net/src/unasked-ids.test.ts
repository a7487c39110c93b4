import { type IntentionId, toIntentionId } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import { MAX_UNASKED_IDS } from './limits.ts'
import { createUnaskedIds } from './unasked-ids.ts'

const idOf = (index: number): IntentionId => {
  const bytes = new Uint8Array(32)
  new DataView(bytes.buffer).setUint32(0, index)
  return toIntentionId(bytes)
}
const ids = (from: number, count: number): IntentionId[] => Array.from({ length: count }, (_, at) => idOf(from + at))

describe('what is sent unasked', () => {
  test('is sent once, when the session that sent it ended well', () => {
    const unasked = createUnaskedIds()
    expect(unasked.fresh(ids(0, 3))).toEqual(ids(0, 3))
    expect(unasked.fresh(ids(0, 3))).toEqual(ids(0, 3))
    unasked.sent(false)
    expect(unasked.fresh(ids(1, 4))).toEqual(ids(3, 2))
  })

  test('is forgotten once nothing is lacking', () => {
    const unasked = createUnaskedIds()
    unasked.fresh(ids(0, 3))
    unasked.sent(false)
    unasked.fresh([])
    unasked.sent(true)
    expect(unasked.fresh(ids(0, 3))).toEqual(ids(0, 3))
  })

  test('is remembered up to a bound; beyond it, it is sent again', () => {
    const unasked = createUnaskedIds()
    unasked.fresh(ids(0, MAX_UNASKED_IDS + 5))
    unasked.sent(false)
    expect(unasked.fresh(ids(0, MAX_UNASKED_IDS + 5))).toEqual(ids(MAX_UNASKED_IDS, 5))
    unasked.sent(false)
    expect(unasked.fresh(ids(0, MAX_UNASKED_IDS + 5))).toEqual(ids(MAX_UNASKED_IDS, 5))
  })
})
