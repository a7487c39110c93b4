import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { errorOf, hashes, intentions, valueOf } from '../test/support.ts'
import { concatBytes, fromHex, toHex, utf8Encode } from './bytes.ts'
import { toHash, toIntentionId, toPublicKey, ZERO_HASH } from './ids.ts'
import { decodeIntention, encodedIntentionBytes, encodeIntention } from './intention-codec.ts'
import { causesOf, type Intention, isGenesis, sortDeps } from './intention.ts'
import { MAX_INTENTION_BYTES, MAX_KERNEL_CAUSAL_DEPS, MAX_OPS_BYTES } from './limits.ts'

const filled = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

const PLAIN: Intention = {
  author: toPublicKey(filled(0xaa)),
  timestamp: { wall: 0x0102030405, counter: 0x06070809 },
  storePrev: toHash(filled(0xbb)),
  causalDeps: [toIntentionId(filled(1)), toIntentionId(filled(2))],
  hints: { supersedesAll: true, ephemeral: true },
  ops: Uint8Array.of(0xde, 0xad),
}

const WALL_OFFSET = 33
const DEPS_OFFSET = 77
const FIRST_DEP_OFFSET = 81
const HINTS_OFFSET: number = FIRST_DEP_OFFSET + 64

function changed(edit: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = encodeIntention(PLAIN)
  edit(bytes)
  return bytes
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24)
}

describe('the Borsh form', () => {
  test('is fixed-width, little-endian, with u32 lengths, in the order of the specification', () => {
    expect(toHex(encodeIntention(PLAIN))).toBe(
      [
        '01',
        'aa'.repeat(32),
        '0504030201000000',
        '09080706',
        'bb'.repeat(32),
        '02000000',
        '01'.repeat(32),
        '02'.repeat(32),
        '03',
        '02000000',
        'dead',
      ].join(''),
    )
  })

  test('has the public example of Borsh in it: { x: 3301 as u64, y: "liber primus" }', () => {
    const intention: Intention = {
      ...PLAIN,
      timestamp: { wall: 3301, counter: 0 },
      ops: utf8Encode('liber primus'),
    }
    const bytes = encodeIntention(intention)
    expect(toHex(bytes.subarray(WALL_OFFSET, WALL_OFFSET + 8))).toBe('e50c000000000000')
    expect(toHex(bytes.subarray(HINTS_OFFSET + 1))).toBe('0c0000006c69626572207072696d7573')
  })

  test('reads back every intention', () => {
    fc.assert(
      fc.property(intentions, (intention) => {
        const bytes = encodeIntention(intention)
        expect(bytes).toHaveLength(encodedIntentionBytes(intention))
        expect(valueOf(decodeIntention(bytes))).toEqual(intention)
      }),
    )
  })

  test('has one encoding: whatever is accepted encodes to the same bytes', () => {
    fc.assert(
      fc.property(intentions, fc.nat(), fc.integer({ min: 1, max: 255 }), (intention, position, change) => {
        const bytes = encodeIntention(intention)
        const index = position % bytes.length
        bytes[index] = (bytes[index] ?? 0) ^ change
        const decoded = decodeIntention(bytes)
        if (decoded.ok) expect(encodeIntention(decoded.value)).toEqual(bytes)
      }),
      { numRuns: 1000 },
    )
  })

  test('answers any bytes without throwing, and accepts only what it would write', () => {
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.uint8Array({ minLength: 86, maxLength: 400 }).map((bytes) => {
        bytes.set([1])
        bytes.set([0, 0], WALL_OFFSET + 6)
        bytes.set(u32((bytes[2] ?? 0) % 4), DEPS_OFFSET)
        return bytes
      }),
    )
    fc.assert(
      fc.property(hostile, (bytes) => {
        const decoded = decodeIntention(bytes)
        if (decoded.ok) expect(encodeIntention(decoded.value)).toEqual(bytes)
      }),
      { numRuns: 1000 },
    )
  })

  test('is refused when cut anywhere, and when anything follows', () => {
    fc.assert(
      fc.property(intentions, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 4 }), (intention, cut, tail) => {
        const bytes = encodeIntention(intention)
        expect(errorOf(decodeIntention(bytes.subarray(0, cut % bytes.length))).code).toBe('truncated')
        expect(errorOf(decodeIntention(concatBytes(bytes, tail)))).toEqual({
          code: 'trailing_bytes',
          bytes: tail.length,
        })
      }),
    )
  })

  test('gives views, not copies', () => {
    const bytes = encodeIntention(PLAIN)
    const intention = valueOf(decodeIntention(bytes))
    for (const view of [intention.author, intention.storePrev, intention.ops, ...intention.causalDeps]) {
      expect(view.buffer).toBe(bytes.buffer)
    }
  })
})

describe('refused', () => {
  test.each([
    ['another version', changed((bytes) => bytes.set([2])), { code: 'bad_version', version: 2 }],
    ['an empty input', new Uint8Array(), { code: 'truncated', needed: 86, available: 0 }],
    ['a wall beyond 48 bits', changed((bytes) => bytes.set([1], WALL_OFFSET + 6)), { code: 'timestamp_out_of_range' }],
    ['a wall beyond 56 bits', changed((bytes) => bytes.set([1], WALL_OFFSET + 7)), { code: 'timestamp_out_of_range' }],
    ['unsorted deps', changed((bytes) => bytes.set([3], FIRST_DEP_OFFSET)), { code: 'unsorted_deps', index: 1 }],
    [
      'a duplicate dep',
      changed((bytes) => bytes.set(filled(1), FIRST_DEP_OFFSET + 32)),
      { code: 'duplicate_dep', index: 1 },
    ],
    ['a zero dep', changed((bytes) => bytes.set(ZERO_HASH, FIRST_DEP_OFFSET)), { code: 'zero_dep' }],
    ['a reserved hint', changed((bytes) => bytes.set([4], HINTS_OFFSET)), { code: 'reserved_hints', hints: 4 }],
    ['all hints', changed((bytes) => bytes.set([255], HINTS_OFFSET)), { code: 'reserved_hints', hints: 255 }],
    [
      'too many deps, before looking for them',
      changed((bytes) => bytes.set(u32(MAX_KERNEL_CAUSAL_DEPS + 1), DEPS_OFFSET)),
      { code: 'too_many_deps', deps: MAX_KERNEL_CAUSAL_DEPS + 1, limit: MAX_KERNEL_CAUSAL_DEPS },
    ],
    [
      'a length of 4 GiB, before allocating',
      changed((bytes) => bytes.set(u32(0xffffffff), HINTS_OFFSET + 1)),
      { code: 'ops_too_large', bytes: 0xffffffff, limit: MAX_OPS_BYTES },
    ],
    [
      'more than the limit as a whole',
      new Uint8Array(MAX_INTENTION_BYTES + 1),
      { code: 'intention_too_large', bytes: MAX_INTENTION_BYTES + 1, limit: MAX_INTENTION_BYTES },
    ],
    ['a genesis with deps', changed((bytes) => bytes.set(ZERO_HASH, DEPS_OFFSET - 32)), { code: 'genesis_with_deps' }],
    [
      'no deps outside a genesis',
      fromHex(['01', 'aa'.repeat(32), '00'.repeat(12), 'bb'.repeat(32), '00000000', '00', '00000000'].join('')) ??
        new Uint8Array(),
      { code: 'missing_deps' },
    ],
  ])('%s', (_name, bytes, error) => {
    expect(errorOf(decodeIntention(bytes))).toEqual(error)
  })

  test('at the limits it is accepted', () => {
    const deps = Array.from({ length: MAX_KERNEL_CAUSAL_DEPS }, (_, index) => {
      const id = new Uint8Array(32)
      id.set([1, index >> 8, index & 255])
      return toIntentionId(id)
    })
    const most = MAX_INTENTION_BYTES - encodedIntentionBytes({ ...PLAIN, causalDeps: deps, ops: new Uint8Array() })
    const widest: Intention = { ...PLAIN, causalDeps: deps, ops: new Uint8Array(most) }
    expect(valueOf(decodeIntention(encodeIntention(widest)))).toEqual(widest)
    const largest: Intention = { ...PLAIN, ops: new Uint8Array(MAX_OPS_BYTES) }
    expect(valueOf(decodeIntention(encodeIntention(largest)))).toEqual(largest)
  })
})

describe('encoding what is not canonical is a bug', () => {
  test.each<[string, Partial<Intention>, string]>([
    ['unsorted deps', { causalDeps: [...PLAIN.causalDeps].reverse() }, 'ascending'],
    ['duplicate deps', { causalDeps: [toIntentionId(filled(1)), toIntentionId(filled(1))] }, 'unique'],
    ['a zero dep', { causalDeps: [toIntentionId(ZERO_HASH)] }, 'not zero'],
    ['no deps', { causalDeps: [] }, 'only there'],
    ['a genesis with deps', { storePrev: ZERO_HASH }, 'only there'],
    ['a timestamp out of range', { timestamp: { wall: 2 ** 48, counter: 0 } }, 'within range'],
    ['large ops', { ops: new Uint8Array(MAX_OPS_BYTES + 1) }, 'within their limit'],
  ])('%s', (_name, change, message) => {
    expect(() => encodeIntention({ ...PLAIN, ...change })).toThrow(message)
  })
})

describe('causes', () => {
  test('are store_prev and the deps, each once, and nothing for a genesis', () => {
    fc.assert(
      fc.property(intentions, hashes, (intention, prev) => {
        const causes = causesOf(intention).map(toHex)
        if (isGenesis(intention)) {
          expect(causes).toEqual([])
          return
        }
        expect(new Set(causes).size).toBe(causes.length)
        expect(new Set(causes)).toEqual(new Set([intention.storePrev, ...intention.causalDeps].map(toHex)))
        const citing = { ...intention, storePrev: prev, causalDeps: [toIntentionId(prev)] }
        expect(causesOf(citing)).toEqual([prev])
      }),
    )
  })

  test('sorting deps gives the canonical order whatever it was given', () => {
    fc.assert(
      fc.property(fc.array(hashes, { minLength: 1, maxLength: 8 }), (ids) => {
        const deps = sortDeps([...ids, ...ids].map((id) => toIntentionId(id)))
        expect(valueOf(decodeIntention(encodeIntention({ ...PLAIN, causalDeps: deps }))).causalDeps).toEqual(deps)
        expect(new Set(deps.map(toHex))).toEqual(new Set(ids.map(toHex)))
      }),
    )
  })
})
