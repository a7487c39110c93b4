import { MAX_FRAME_BYTES } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeFrame, encodeFrame, type FrameInit } from './frame.ts'
import { createFrameDecoder } from './frame-decoder.ts'
import { MAX_FRAME_FIELDS } from './limits.ts'

const frames = fc.oneof(
  fc.record({ count: fc.nat({ max: 2 ** 32 - 1 }) }).map((value): FrameInit => ({ case: 'ingested', value })),
  fc
    .array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 40 })
    .map((ids): FrameInit => ({ case: 'want', value: { ids } })),
  fc.uint8Array({ maxLength: 5_000 }).map((message): FrameInit => ({ case: 'reconcile', value: { message } })),
)
const cuts = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 20 })

function decodeAll(bytes: Uint8Array, sizes: readonly number[]): unknown[] {
  const decoder = createFrameDecoder()
  const decoded: unknown[] = []
  let offset = 0
  for (let turn = 0; offset < bytes.length; turn += 1) {
    const end = offset + (sizes[turn % sizes.length] ?? 1)
    decoder.push(bytes.subarray(offset, end))
    offset = end
    for (let next = decoder.next(); next.ok && next.value !== undefined; next = decoder.next()) {
      decoded.push(encodeFrame(next.value))
    }
  }
  expect(decoder.end().ok).toBe(true)
  return decoded
}

describe('frames', () => {
  test('come out as they went in, whatever the sizes in which the bytes arrive', () => {
    fc.assert(
      fc.property(fc.array(frames, { maxLength: 8 }), cuts, (list, sizes) => {
        const encoded = list.map(encodeFrame)
        const all = Uint8Array.from(encoded.flatMap((bytes) => [...bytes]))
        expect(decodeAll(all, sizes)).toEqual(encoded)
      }),
    )
  })

  test('a frame at the limit passes, one beyond it is a bug of the sender', () => {
    const overhead = 9
    const message = new Uint8Array(MAX_FRAME_BYTES - overhead)
    const bytes = encodeFrame({ case: 'reconcile', value: { message } })
    expect(bytes.length).toBe(MAX_FRAME_BYTES + 3)
    const longer = new Uint8Array(message.length + 1)
    expect(() => encodeFrame({ case: 'reconcile', value: { message: longer } })).toThrow('within its limit')
  })

  test.each<[string, number[], string]>([
    ['a length beyond the limit', [0x81, 0x80, 0x40], 'frame_too_large'],
    ['a length that never ends', [0x80, 0x80, 0x80, 0x80], 'frame_too_large'],
    ['a length of zero', [0], 'frame_length_malformed'],
    ['a length with leading zeros', [0x81, 0x00], 'frame_length_malformed'],
    ['garbage', [3, 0xff, 0xff, 0xff], 'frame_malformed'],
    ['a group', [2, 0x0b, 0x0c], 'frame_malformed'],
    ['a field that runs over its end', [3, 0x12, 0x7f, 0x00], 'frame_malformed'],
    ['a case nobody knows', [3, 0x9a, 0x3f, 0x00], 'frame_unknown'],
  ])('%s is refused, for ever', (_, bytes, code) => {
    const decoder = createFrameDecoder()
    decoder.push(Uint8Array.from(bytes))
    expect(decoder.next()).toMatchObject({ ok: false, error: { code } })
    decoder.push(encodeFrame({ case: 'ingested', value: { count: 1 } }))
    expect(decoder.next()).toMatchObject({ ok: false, error: { code } })
    expect(decoder.end()).toMatchObject({ ok: false, error: { code } })
  })

  test('a length is refused before its bytes are there', () => {
    const decoder = createFrameDecoder()
    decoder.push(Uint8Array.from([0xff, 0xff, 0x7f]))
    expect(decoder.next()).toMatchObject({ error: { code: 'frame_too_large' } })
  })

  test('an end in the middle of a frame is a truncation', () => {
    const decoder = createFrameDecoder()
    const bytes = encodeFrame({ case: 'reconcile', value: { message: new Uint8Array(100) } })
    decoder.push(bytes.subarray(0, 50))
    expect(decoder.next()).toEqual({ ok: true, value: undefined })
    expect(decoder.partial()).toBe(true)
    expect(decoder.end()).toMatchObject({ error: { code: 'frame_truncated', missing: bytes.length - 50 } })
  })

  test('fields are counted before they are decoded', () => {
    // Empty ids: two bytes each, an array each if they were decoded.
    const inner = new Uint8Array(2 * (MAX_FRAME_FIELDS + 1)).map((_, index) => (index % 2 === 0 ? 0x0a : 0))
    const { length } = inner
    const head = [0xb2, 0x01, (length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14]
    const body = Uint8Array.from([...head, ...inner])
    expect(decodeFrame(body)).toMatchObject({ error: { code: 'frame_too_many_fields' } })
  })

  test('bytes of any kind are decoded or refused, never thrown at', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const decoder = createFrameDecoder()
        decoder.push(bytes)
        for (let next = decoder.next(); next.ok && next.value !== undefined; next = decoder.next());
        decoder.end()
      }),
      { numRuns: 500 },
    )
  })

  test('a good frame with one byte changed is decoded or refused, never thrown at', () => {
    fc.assert(
      fc.property(frames, fc.nat(), fc.integer({ min: 1, max: 255 }), (frame, at, flip) => {
        const bytes = encodeFrame(frame)
        const index = at % bytes.length
        bytes[index] = (bytes[index] ?? 0) ^ flip
        const decoder = createFrameDecoder()
        decoder.push(bytes)
        decoder.next()
      }),
      { numRuns: 500 },
    )
  })
})
