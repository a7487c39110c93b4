import { toPublicKey } from '@lattice/model'
import type { ChainSpan } from '@lattice/net-types'
import { describe, expect, test } from 'vitest'
import { createUnasked } from './unasked.ts'
import { createUnaskedSpans } from './unasked-spans.ts'

const span = (author: number, after: number, through: number): ChainSpan => ({
  author: toPublicKey(new Uint8Array(32).fill(author)),
  after,
  through,
})

describe('spans that were sent unasked', () => {
  test('are not sent again, but what comes after them is', () => {
    const unasked = createUnaskedSpans()
    expect(unasked.fresh([span(1, 0, 5), span(2, 3, 4)])).toEqual([span(1, 0, 5), span(2, 3, 4)])
    unasked.sent({ synced: false, sent: 6 })
    expect(unasked.fresh([span(1, 0, 5), span(2, 3, 9), span(3, 0, 1)])).toEqual([span(2, 4, 9), span(3, 0, 1)])
  })

  test('are sent again when the session did not send all of them, or failed', () => {
    const unasked = createUnaskedSpans()
    unasked.fresh([span(1, -1, 5)])
    unasked.sent({ synced: false, sent: 4 })
    expect(unasked.fresh([span(1, -1, 5)])).toEqual([span(1, -1, 5)])

    const book = createUnasked()
    book.begin()
    book.spans.fresh([span(1, 0, 5)])
    // That session failed; the next sends nothing by spans.
    book.begin()
    book.ended({ synced: false, sent: 100 })
    expect(book.spans.fresh([span(1, 0, 5)])).toEqual([span(1, 0, 5)])
  })

  test('are forgotten once nothing is lacking', () => {
    const unasked = createUnaskedSpans()
    unasked.fresh([span(1, 0, 5)])
    unasked.sent({ synced: false, sent: 5 })
    expect(unasked.fresh([span(1, 0, 5)])).toEqual([])
    unasked.sent({ synced: true, sent: 0 })
    expect(unasked.fresh([span(1, 0, 5)])).toEqual([span(1, 0, 5)])
  })
})
