import { concatBytes } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Bound, INFINITY_BOUND, MAX_TIMESTAMP } from './item.ts'
import { createMessageReader, type WireRange } from './message-reader.ts'
import { createMessageWriter } from './message-writer.ts'
import type { ReconcileError } from './reconcile-error.ts'
import { toFingerprint } from './accumulator.ts'
import { encodeVarint } from './varint.ts'

function readAll(...tail: readonly (number | Uint8Array)[]): readonly WireRange[] | ReconcileError {
  const parts = tail.map((part) => (typeof part === 'number' ? Uint8Array.of(part) : part))
  const reader = createMessageReader(concatBytes(Uint8Array.of(0x61), ...parts))
  const ranges: WireRange[] = []
  for (;;) {
    const range = reader.next()
    if (!range.ok) return range.error
    if (range.value === undefined) return ranges
    ranges.push(range.value)
  }
}

describe('reading a message', () => {
  test('what the writer wrote is read back, up to the largest timestamp', () => {
    const bounds = fc.array(
      fc.tuple(
        fc.maxSafeNat().map((drawn) => Math.min(drawn, MAX_TIMESTAMP)),
        fc.uint8Array({ maxLength: 32 }),
      ),
      { maxLength: 8 },
    )
    fc.assert(
      fc.property(bounds, (drawn) => {
        const ascending = drawn
          .filter(([timestamp], at) => drawn.findIndex(([other]) => other === timestamp) === at)
          .sort(([a], [b]) => a - b)
          .map(([timestamp, prefix]): Bound => ({ timestamp, prefix }))
        const writer = createMessageWriter()
        const expected: WireRange[] = [...ascending, INFINITY_BOUND].map((bound, at) =>
          at % 2 === 0
            ? { mode: 'skip', bound }
            : { mode: 'fingerprint', bound, fingerprint: toFingerprint(new Uint8Array(16).fill(at)) },
        )
        for (const range of expected) {
          if (range.mode === 'skip') writer.skip(range.bound)
          else if (range.mode === 'fingerprint') writer.fingerprint(range.bound, range.fingerprint)
        }
        expect(readAll(writer.finish().subarray(1))).toEqual(expected)
      }),
    )
  })

  test('every malformed message has its own refusal', () => {
    const id = new Uint8Array(32)
    expect(readAll(0x81)).toEqual({ code: 'truncated', offset: 2 })
    expect(readAll(5)).toEqual({ code: 'truncated', offset: 2 })
    expect(readAll(5, 3, 1, 2)).toEqual({ code: 'truncated', offset: 5 })
    expect(readAll(5, 0)).toEqual({ code: 'truncated', offset: 3 })
    expect(readAll(5, 0, 1, new Uint8Array(15))).toEqual({ code: 'truncated', offset: 19 })
    expect(readAll(5, 0, 2)).toEqual({ code: 'truncated', offset: 4 })
    expect(readAll(new Uint8Array(9).fill(255), 0, 0, 0)).toEqual({ code: 'varint_overflow', offset: 1 })
    expect(readAll(0x80, 5, 0, 0)).toEqual({ code: 'varint_not_minimal', offset: 1 })
    const largest = encodeVarint(Number.MAX_SAFE_INTEGER)
    expect(readAll(largest, 0, 0, 2, 0, 0)).toEqual({ code: 'timestamp_overflow', offset: 11 })
    expect(readAll(5, 33, new Uint8Array(33), 0)).toEqual({ code: 'prefix_too_long', offset: 1, length: 33 })
    expect(readAll(0, 1, 7, 0)).toEqual({ code: 'infinity_with_prefix', offset: 1 })
    expect(readAll(5, 1, 7, 0, 1, 1, 6, 0)).toEqual({ code: 'bound_backwards', offset: 5 })
    expect(readAll(5, 1, 7, 0, 1, 0, 0)).toEqual({ code: 'bound_backwards', offset: 5 })
    expect(readAll(0, 0, 0, 5, 0, 0)).toEqual({ code: 'range_after_infinity', offset: 4 })
    expect(readAll(0, 0, 3)).toEqual({ code: 'bad_mode', offset: 3, mode: 3 })
    expect(readAll(0, 0, 2, 2, id)).toEqual({ code: 'id_list_too_long', offset: 4, declared: 2, available: 1 })
    expect(readAll(0, 0, 2, largest, id)).toMatchObject({ code: 'id_list_too_long', available: 1 })
    expect(readAll(0, 0, 2, 1, id, 9)).toEqual({ code: 'truncated', offset: 38 })
  })

  test('an empty range is legal, also at the end of the order', () => {
    expect(readAll(5, 1, 7, 0, 1, 2, 7, 0, 0)).toMatchObject([{ mode: 'skip' }, { mode: 'skip' }])
    expect(readAll(0, 0, 0, 0, 0, 0)).toHaveLength(2)
  })
})
