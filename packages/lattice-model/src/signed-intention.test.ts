import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { weaver } from '@lattice/proto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crypto, errorOf, genesisOf, signerOf, STORE_TYPE, valueOf, writeOf } from '../test/support.ts'
import { concatBytes, toHex } from './bytes.ts'
import { createGenesis, genesisStoreId, readGenesis } from './genesis.ts'
import { toIntentionId, ZERO_HASH } from './ids.ts'
import { encodeIntention } from './intention-codec.ts'
import { type Intention, NO_HINTS, sortDeps } from './intention.ts'
import { MAX_CAUSAL_DEPS, MAX_INTENTION_BYTES, MAX_KERNEL_CAUSAL_DEPS, MAX_OPS_BYTES } from './limits.ts'
import { intentionId, mustClose, parseSignedIntention, signIntention, verifyParsed } from './signed-intention.ts'
import { decodeUniversalOp, encodeUniversalOp, isKernelOp, type KnownOp } from './universal-op.ts'
import { maxDepsOf, validateIntention } from './validate-intention.ts'

const author = signerOf(1)
const genesis = genesisOf(author)
const write = signIntention(crypto, author, { intention: writeOf(author, { storePrev: genesis.id }), close: true })

const OPS: readonly KnownOp[] = [
  { kind: 'appData', schema: 3, value: Uint8Array.of(1, 2) },
  { kind: 'epoch', schema: 0, value: create(weaver.EpochOpSchema, { seq: 1n }) },
  { kind: 'epochAck', schema: 0, value: create(weaver.EpochAckOpSchema, { epoch: new Uint8Array(32) }) },
  { kind: 'ack', schema: 0, value: create(weaver.AckOpSchema) },
  { kind: 'sealed', schema: 0, value: create(weaver.SealedOpSchema, { keyId: Uint8Array.of(1) }) },
  {
    kind: 'genesis',
    schema: 0,
    value: create(weaver.GenesisOpSchema, { storeType: 'a:b', nonce: new Uint8Array(16) }),
  },
]

function manyDeps(count: number): Intention['causalDeps'] {
  return sortDeps(
    Array.from({ length: count }, (_, index) => {
      const id = new Uint8Array(32).fill(1)
      id.set([index >> 8, index & 255])
      return toIntentionId(id)
    }),
  )
}

describe('a signed intention', () => {
  test('parses to what was signed, and verifies', () => {
    for (const signed of [genesis, write]) {
      const parsed = valueOf(parseSignedIntention(crypto, signed))
      expect(parsed).toEqual(signed)
      expect(toHex(parsed.id)).toBe(toHex(crypto.blake3(signed.bytes)))
      expect(verifyParsed(crypto, parsed)).toBe(true)
    }
  })

  test('with any byte changed is another intention that does not verify, or none', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), (position, change) => {
        const all = concatBytes(write.bytes, write.signature)
        const index = position % all.length
        all[index] = (all[index] ?? 0) ^ change
        const signed = { bytes: all.slice(0, write.bytes.length), signature: all.slice(write.bytes.length) }
        const parsed = parseSignedIntention(crypto, signed)
        if (!parsed.ok) return
        expect(verifyParsed(crypto, parsed.value)).toBe(false)
        if (index < write.bytes.length) expect(toHex(parsed.value.id)).not.toBe(toHex(write.id))
      }),
      { numRuns: 300 },
    )
  })

  test('with every single bit of its bytes flipped has another id and does not verify', () => {
    for (let bit = 0; bit < write.bytes.length * 8; bit += 1) {
      const bytes = write.bytes.slice()
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const parsed = parseSignedIntention(crypto, { bytes, signature: write.signature })
      if (!parsed.ok) continue
      expect(toHex(parsed.value.id)).not.toBe(toHex(write.id))
      expect(verifyParsed(crypto, parsed.value)).toBe(false)
    }
  })

  test('cut at any place is refused', () => {
    for (let length = 0; length < write.bytes.length; length += 1) {
      const cut = { bytes: write.bytes.subarray(0, length), signature: write.signature }
      expect(errorOf(parseSignedIntention(crypto, cut)).code).toBe('truncated')
    }
    for (let length = 1; length < 64; length += 1) {
      const cut = { bytes: write.bytes, signature: write.signature.subarray(0, length) }
      expect(errorOf(parseSignedIntention(crypto, cut))).toEqual({ code: 'bad_signature_length', bytes: length })
    }
  })

  test('without a signature is well-formed, and not verified', () => {
    const open = signIntention(crypto, author, { intention: write.intention, close: false })
    expect(open.signature).toHaveLength(0)
    expect(toHex(open.id)).toBe(toHex(write.id))
    expect(verifyParsed(crypto, valueOf(parseSignedIntention(crypto, open)))).toBe(false)
  })

  test('signed by another author does not verify', () => {
    const other = signerOf(2)
    const forged = { ...write, signature: other.sign('lattice/intention/v1', write.id) }
    expect(verifyParsed(crypto, valueOf(parseSignedIntention(crypto, forged)))).toBe(false)
  })

  test('signed under the tag of a witness does not verify', () => {
    for (const tag of ['lattice/witness/v1', 'lattice/attest/v1'] as const) {
      const forged = { ...write, signature: author.sign(tag, write.id) }
      expect(verifyParsed(crypto, valueOf(parseSignedIntention(crypto, forged)))).toBe(false)
    }
  })

  test('is signed only by its author, and only when valid', () => {
    const intention = writeOf(author, { storePrev: genesis.id })
    expect(() => signIntention(crypto, signerOf(2), { intention, close: true })).toThrow('signer is the author')
    const invalid = { ...intention, causalDeps: manyDeps(MAX_CAUSAL_DEPS + 1) }
    expect(() => signIntention(crypto, author, { intention: invalid, close: true })).toThrow('only a valid intention')
  })

  test('closes its run when it is a genesis, epoch or epoch ack', () => {
    for (const op of OPS.filter((candidate) => candidate.kind !== 'genesis')) {
      const intention = { ...write.intention, ops: encodeUniversalOp(op) }
      const sign = (): unknown => signIntention(crypto, author, { intention, op, close: false })
      expect(mustClose(intention, op)).toBe(op.kind === 'epoch' || op.kind === 'epochAck')
      if (mustClose(intention, op)) expect(sign).toThrow('closes its run')
      else expect(sign).not.toThrow()
    }
    expect(mustClose(genesis.intention, genesis.op)).toBe(true)
  })
})

describe('limits by kind of op', () => {
  test.each(OPS.filter((op) => op.kind !== 'genesis'))('deps of $kind', (op) => {
    const limit = ['epoch', 'epochAck', 'ack'].includes(op.kind) ? MAX_KERNEL_CAUSAL_DEPS : MAX_CAUSAL_DEPS
    expect(maxDepsOf(op.kind)).toBe(limit)
    const withDeps = (count: number): Intention => ({
      ...write.intention,
      causalDeps: manyDeps(count),
      ops: encodeUniversalOp(op),
    })
    expect(validateIntention(withDeps(limit), op)).toEqual({ ok: true, value: undefined })
    expect(errorOf(validateIntention(withDeps(limit + 1), op))).toEqual({
      code: 'too_many_deps',
      deps: limit + 1,
      limit,
    })
    const bytes = encodeIntention(withDeps(limit))
    expect(parseSignedIntention(crypto, { bytes, signature: new Uint8Array() }).ok).toBe(true)
  })

  test('an op that cannot be read has the limit of an ordinary one', () => {
    const intention = { ...write.intention, ops: Uint8Array.of(0xff), causalDeps: manyDeps(MAX_CAUSAL_DEPS + 1) }
    const signed = { bytes: encodeIntention(intention), signature: new Uint8Array() }
    expect(errorOf(parseSignedIntention(crypto, signed)).code).toBe('too_many_deps')
  })

  test('submit refuses by the same rules what the codec would not encode', () => {
    const op = { kind: 'unknown' } as const
    const check = (change: Partial<Intention>): string =>
      errorOf(validateIntention({ ...write.intention, ...change }, op)).code
    expect(check({ ops: new Uint8Array(MAX_OPS_BYTES + 1) })).toBe('ops_too_large')
    expect(check({ causalDeps: [] })).toBe('missing_deps')
    expect(check({ timestamp: { wall: 2 ** 48, counter: 0 } })).toBe('timestamp_out_of_range')
    const ack: KnownOp = { kind: 'ack', schema: 0, value: create(weaver.AckOpSchema) }
    const wide = {
      ...write.intention,
      causalDeps: manyDeps(MAX_KERNEL_CAUSAL_DEPS),
      ops: new Uint8Array(MAX_OPS_BYTES),
    }
    expect(errorOf(validateIntention(wide, ack))).toMatchObject({
      code: 'intention_too_large',
      limit: MAX_INTENTION_BYTES,
    })
  })
})

describe('genesis', () => {
  const genesisWith = (ops: Uint8Array): Intention => ({ ...genesis.intention, ops })
  const parse = (intention: Intention): ReturnType<typeof parseSignedIntention> => {
    const bytes = encodeIntention(intention)
    return parseSignedIntention(crypto, {
      bytes,
      signature: author.sign('lattice/intention/v1', intentionId(crypto, bytes)),
    })
  }

  test('names its store type and its store', () => {
    expect(readGenesis(genesis)).toEqual({
      ok: true,
      value: { storeType: STORE_TYPE, nonce: new Uint8Array(16).fill(7) },
    })
    expect(genesisStoreId(genesis)).toEqual(genesis.id)
    expect(readGenesis(write)).toEqual({ ok: false, error: { code: 'not_genesis' } })
    expect(() => genesisStoreId(write)).toThrow('id of a genesis')
  })

  test('with another nonce is another store', () => {
    const nonce = new Uint8Array(16)
    const other = createGenesis(crypto, author, {
      storeType: STORE_TYPE,
      nonce,
      timestamp: genesis.intention.timestamp,
    })
    expect(toHex(other.id)).not.toBe(toHex(genesis.id))
    const tooShort = { storeType: STORE_TYPE, nonce: new Uint8Array(15), timestamp: genesis.intention.timestamp }
    expect(() => createGenesis(crypto, author, tooShort)).toThrow('16 bytes')
  })

  test.each<[string, Uint8Array, string]>([
    ['no genesis op', encodeUniversalOp({ kind: 'appData', schema: 0, value: new Uint8Array() }), 'op'],
    ['unreadable ops', Uint8Array.of(255), 'op'],
    ['a bad store type', genesisOps('KV', 16), 'store_type'],
    ['a short nonce', genesisOps('a:b', 15), 'nonce'],
  ])('with %s is refused', (_name, ops, why) => {
    expect(errorOf(parse(genesisWith(ops)))).toEqual({ code: 'genesis_malformed', why })
  })

  test('anywhere else is refused', () => {
    const misplaced = { ...write.intention, ops: genesis.intention.ops }
    expect(errorOf(parse(misplaced))).toEqual({ code: 'genesis_misplaced' })
  })

  test('without a signature is refused', () => {
    const open = { bytes: genesis.bytes, signature: new Uint8Array() }
    expect(errorOf(parseSignedIntention(crypto, open))).toEqual({ code: 'genesis_unsigned' })
  })

  function genesisOps(storeType: string, nonceBytes: number): Uint8Array {
    const value = create(weaver.GenesisOpSchema, { storeType, nonce: new Uint8Array(nonceBytes) })
    return encodeUniversalOp({ kind: 'genesis', schema: 0, value })
  }
})

describe('UniversalOp', () => {
  test.each(OPS)('reads back $kind', (op) => {
    expect(decodeUniversalOp(encodeUniversalOp(op))).toEqual(op)
    expect(isKernelOp(op)).toBe(!['appData', 'sealed'].includes(op.kind))
  })

  test('app data has the bytes of the generated codec', () => {
    const schemas = fc.oneof(fc.nat({ max: 2 ** 32 - 1 }), fc.constantFrom(0, 1, 127, 128, 2 ** 32 - 1))
    const values = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(16383, 16384).map((n) => new Uint8Array(n)),
    )
    fc.assert(
      fc.property(schemas, values, (schema, value) => {
        const message = create(weaver.UniversalOpSchema, { schema, op: { case: 'appData', value } })
        expect(encodeUniversalOp({ kind: 'appData', schema, value })).toEqual(
          toBinary(weaver.UniversalOpSchema, message),
        )
      }),
    )
    for (const schema of [-1, 0.5, 2 ** 32]) {
      expect(() => encodeUniversalOp({ kind: 'appData', schema, value: new Uint8Array() })).toThrow('u32')
    }
  })

  test('is unknown when it does not decode, has no variant, or has a field this version does not know', () => {
    const known = encodeUniversalOp({ kind: 'appData', schema: 1, value: Uint8Array.of(1) })
    const later = Uint8Array.of(0x8a, 0x01, 0x00)
    // A group nested deeper than any decoder follows.
    const bomb = new Uint8Array(10_000).fill(0x1b)
    for (const bytes of [new Uint8Array(), Uint8Array.of(0xff), later, concatBytes(known, later), bomb]) {
      expect(decodeUniversalOp(bytes)).toEqual({ kind: 'unknown' })
    }
  })

  test('reads of app data what the generated codec reads, in any form that it takes', () => {
    const values = fc.record({
      schema: fc.oneof(fc.nat({ max: 2 ** 32 - 1 }), fc.constantFrom(0, 1, 127, 128)),
      value: fc.uint8Array({ maxLength: 200 }),
    })
    const edits = fc.record({ at: fc.nat(), drop: fc.nat({ max: 3 }), insert: fc.uint8Array({ maxLength: 4 }) })
    // Fields twice or in another order, long varints, defaults that are written out.
    const forms = fc.constantFrom<number[]>([], [0x08, 0x00], [0x08, 0x81, 0x00], [0x52, 0x00], [0x52, 0x81, 0x00, 7])
    fc.assert(
      fc.property(values, edits, forms, ({ schema, value }, { at, drop, insert }, form) => {
        const bytes = encodeUniversalOp({ kind: 'appData', schema, value })
        const index = at % (bytes.length + 1)
        const edited = concatBytes(bytes.subarray(0, index), insert, bytes.subarray(index + drop))
        const both = [
          bytes,
          edited,
          concatBytes(Uint8Array.from(form), bytes),
          concatBytes(bytes, Uint8Array.from(form)),
        ]
        for (const one of both) expect(decodeUniversalOp(one)).toEqual(generatedOp(one))
      }),
      { numRuns: 1000 },
    )
  })

  /** What the generated codec reads, where it is app data or nothing. */
  function generatedOp(bytes: Uint8Array): unknown {
    const decoded = decodeOrNothing(bytes)
    if (decoded === undefined || (decoded.$unknown ?? []).length > 0) return { kind: 'unknown' }
    const { schema, op } = decoded
    return op.case === undefined ? { kind: 'unknown' } : { kind: op.case, schema, value: op.value }
  }

  function decodeOrNothing(bytes: Uint8Array): weaver.UniversalOp | undefined {
    try {
      return fromBinary(weaver.UniversalOpSchema, bytes)
    } catch {
      return undefined
    }
  }

  test('answers any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(decodeUniversalOp(bytes).kind).toBeTypeOf('string')
      }),
    )
  })

  test('an intention with ops that cannot be read is valid all the same', () => {
    const intention: Intention = { ...write.intention, hints: NO_HINTS, ops: Uint8Array.of(0xff, 0xff) }
    const signed = signIntention(crypto, author, { intention, close: true })
    const parsed = valueOf(parseSignedIntention(crypto, signed))
    expect(parsed.op).toEqual({ kind: 'unknown' })
    expect(verifyParsed(crypto, parsed)).toBe(true)
    expect(parsed.intention.storePrev).not.toEqual(ZERO_HASH)
  })
})
