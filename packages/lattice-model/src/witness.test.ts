import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { weaver } from '@lattice/proto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytesOf, crypto, errorOf, signerOf, valueOf } from '../test/support.ts'
import { concatBytes } from './bytes.ts'
import { type Hash, toHash, toIntentionId, toStoreId, toWitnessSeq, ZERO_HASH } from './ids.ts'
import { MAX_WALL_MS } from './limits.ts'
import {
  decodeWitnessContent,
  encodeWitnessContent,
  hashWitnessContent,
  signWitness,
  type WitnessContent,
  witnessHash,
  type WitnessRecord,
} from './witness-content.ts'
import { checkWitnessPage, type WitnessPageCheck } from './witness-page.ts'

const seqs = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  fc.constantFrom(1, 127, 128, 16383, 16384, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER),
)
const walls = fc.oneof(fc.nat({ max: MAX_WALL_MS }), fc.constantFrom(0, 1, 127, 128, 2 ** 32, MAX_WALL_MS))
const contents: fc.Arbitrary<WitnessContent> = fc.record({
  storeId: bytesOf(32).map(toStoreId),
  seq: seqs.map(toWitnessSeq),
  intentionId: bytesOf(32).map(toIntentionId),
  wallTime: walls,
  prevHash: bytesOf(32).map(toHash),
})

function toMessage(content: WitnessContent): weaver.WitnessContent {
  const { storeId, seq, intentionId, wallTime, prevHash } = content
  const init = { storeId, seq: BigInt(seq), intentionId, wallTime: BigInt(wallTime), prevHash }
  return create(weaver.WitnessContentSchema, init)
}

describe('witness content', () => {
  test('is byte-equal to the generated codec, and reads back', () => {
    fc.assert(
      fc.property(contents, (content) => {
        const bytes = encodeWitnessContent(content)
        expect(bytes).toEqual(toBinary(weaver.WitnessContentSchema, toMessage(content)))
        expect(valueOf(decodeWitnessContent(bytes))).toEqual(content)
        expect(hashWitnessContent(crypto, content)).toEqual(witnessHash(crypto, bytes))
      }),
      { numRuns: 500 },
    )
  })

  test('has one encoding: whatever is accepted encodes to the same bytes', () => {
    const edits = fc.record({ at: fc.nat(), drop: fc.nat({ max: 3 }), insert: fc.uint8Array({ maxLength: 3 }) })
    fc.assert(
      fc.property(contents, edits, (content, { at, drop, insert }) => {
        const bytes = encodeWitnessContent(content)
        const index = at % (bytes.length + 1)
        const edited = concatBytes(bytes.subarray(0, index), insert, bytes.subarray(index + drop))
        const decoded = decodeWitnessContent(edited)
        if (decoded.ok) expect(encodeWitnessContent(decoded.value)).toEqual(edited)
      }),
      { numRuns: 2000 },
    )
  })

  const plain = valueOf(
    decodeWitnessContent(
      encodeWitnessContent({
        storeId: toStoreId(new Uint8Array(32).fill(1)),
        seq: toWitnessSeq(5),
        intentionId: toIntentionId(new Uint8Array(32).fill(2)),
        wallTime: 6,
        prevHash: toHash(new Uint8Array(32).fill(3)),
      }),
    ),
  )
  const encoded = encodeWitnessContent(plain)
  const splice = (at: number, drop: number, insert: readonly number[]): Uint8Array =>
    concatBytes(encoded.subarray(0, at), Uint8Array.from(insert), encoded.subarray(at + drop))

  // Every one of these is read as the same message, or as a valid one, by an ordinary protobuf decoder.
  test.each<[string, Uint8Array]>([
    ['a varint that is not the shortest', splice(35, 1, [0x85, 0x00])],
    ['a seq of zero', splice(35, 1, [0])],
    ['a wall time of zero, written out', splice(71, 1, [0])],
    ['a seq left out', splice(34, 2, [])],
    ['a seq twice', splice(36, 0, [0x10, 5])],
    ['an unknown field', concatBytes(encoded, Uint8Array.of(0x30, 1))],
    ['an unknown field in front', concatBytes(Uint8Array.of(0x30, 1), encoded)],
    ['fields out of order', concatBytes(encoded.subarray(34), encoded.subarray(0, 34))],
    ['a message twice', concatBytes(encoded, encoded)],
    ['nothing', new Uint8Array()],
    ['a hash of 31 bytes', splice(1, 2, [31])],
    ['a length that is not the shortest', splice(1, 1, [0xa0, 0x00])],
    ['a seq beyond 2^53', splice(35, 1, [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10])],
    ['a seq of 10 bytes', splice(35, 1, [255, 255, 255, 255, 255, 255, 255, 255, 255, 1])],
    ['a wall time beyond its bound', splice(71, 1, [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40])],
  ])('refuses %s', (_name, bytes) => {
    expect(errorOf(decodeWitnessContent(bytes)).code).toBe('witness_malformed')
  })

  test('refuses it cut at any place', () => {
    for (let length = 0; length < encoded.length; length += 1) {
      expect(decodeWitnessContent(encoded.subarray(0, length)).ok).toBe(false)
    }
    expect(fromBinary(weaver.WitnessContentSchema, encoded)).toEqual(toMessage(plain))
  })
})

const witness = signerOf(5)
const storeId = toStoreId(crypto.blake3(Uint8Array.of(1)))

/** A log of `length` records from seq 1, of which those at `signedAt` are signed. */
function logOf(
  length: number,
  signedAt: readonly number[],
): { readonly records: WitnessRecord[]; readonly hashes: Hash[] } {
  const records: WitnessRecord[] = []
  const hashes: Hash[] = [ZERO_HASH]
  for (let index = 0; index < length; index += 1) {
    const content = encodeWitnessContent({
      storeId,
      seq: toWitnessSeq(index + 1),
      intentionId: index === 0 ? storeId : toIntentionId(crypto.blake3(Uint8Array.of(index))),
      wallTime: 1_000 + index,
      prevHash: hashes[index] ?? ZERO_HASH,
    })
    hashes.push(witnessHash(crypto, content))
    const record = signWitness(crypto, witness, content)
    records.push(signedAt.includes(index) ? record : { content, signature: new Uint8Array() })
  }
  return { records, hashes }
}

const { records, hashes } = logOf(6, [2, 5])
const check = (change: Partial<WitnessPageCheck>): ReturnType<typeof checkWitnessPage> =>
  checkWitnessPage({
    crypto,
    storeId,
    witness: witness.publicKey,
    fromSeq: toWitnessSeq(1),
    prevHash: ZERO_HASH,
    records,
    ...change,
  })

/** The log with one field of one record changed, the rest chained as before. */
function withRecord(index: number, change: Partial<WitnessContent>): WitnessRecord[] {
  return records.map((record, at) => {
    if (at !== index) return record
    return { ...record, content: encodeWitnessContent({ ...valueOf(decodeWitnessContent(record.content)), ...change }) }
  })
}

describe('a witness page', () => {
  test('that holds together gives its entries and its last hash', () => {
    const page = valueOf(check({}))
    expect(page.entries.map((entry) => entry.seq)).toEqual([1, 2, 3, 4, 5, 6])
    expect(page.lastHash).toEqual(hashes[6])
  })

  test('continues the one before it', () => {
    const first = valueOf(check({ records: records.slice(0, 3) }))
    const rest = { fromSeq: toWitnessSeq(4), prevHash: first.lastHash, records: records.slice(3) }
    expect(valueOf(check(rest)).lastHash).toEqual(hashes[6])
    expect(errorOf(check({ ...rest, prevHash: ZERO_HASH }))).toEqual({ code: 'page_broken_chain', index: 0 })
    expect(errorOf(check({ ...rest, fromSeq: toWitnessSeq(5) }))).toMatchObject({ code: 'page_wrong_seq', actual: 4 })
  })

  test.each<[string, Partial<WitnessPageCheck>, object]>([
    ['is empty', { records: [] }, { code: 'page_empty' }],
    ['does not end signed', { records: records.slice(0, 5) }, { code: 'page_not_closed' }],
    ['is of another store', { storeId: toStoreId(ZERO_HASH) }, { code: 'page_wrong_store', index: 0 }],
    ['is of another witness', { witness: signerOf(6).publicKey }, { code: 'page_bad_signature' }],
    [
      'leaves out a record',
      { records: records.toSpliced(1, 1) },
      { code: 'page_wrong_seq', index: 1, expected: 2, actual: 3 },
    ],
    [
      'repeats a record',
      { records: records.toSpliced(1, 0, ...records.slice(0, 1)) },
      { code: 'page_wrong_seq', index: 1, expected: 2, actual: 1 },
    ],
    [
      'changes what was witnessed',
      { records: withRecord(2, { intentionId: toIntentionId(new Uint8Array(32)) }) },
      { code: 'page_broken_chain', index: 3 },
    ],
    ['changes a time', { records: withRecord(0, { wallTime: 0 }) }, { code: 'page_broken_chain', index: 1 }],
    ['changes its last record', { records: withRecord(5, { wallTime: 9 }) }, { code: 'page_bad_signature' }],
    [
      'does not begin with the genesis',
      { records: withRecord(0, { intentionId: toIntentionId(new Uint8Array(32)) }) },
      { code: 'page_wrong_genesis' },
    ],
    [
      'holds bytes that are no content',
      { records: [{ content: Uint8Array.of(1), signature: new Uint8Array() }] },
      { code: 'page_malformed', index: 0, why: { code: 'witness_malformed', offset: 0 } },
    ],
    [
      'holds a signature of another length',
      { records: records.map((record, at) => (at === 1 ? { ...record, signature: new Uint8Array(63) } : record)) },
      { code: 'page_bad_signature_length', index: 1 },
    ],
  ])('that %s is refused', (_name, change, error) => {
    expect(errorOf(check(change))).toEqual(error)
  })

  test('signed under the tag of an intention is refused', () => {
    const forged = records.map((record, at) =>
      at === 5
        ? { ...record, signature: witness.sign('lattice/intention/v1', witnessHash(crypto, record.content)) }
        : record,
    )
    expect(errorOf(check({ records: forged }))).toEqual({ code: 'page_bad_signature' })
  })

  test('with any byte of its contents or its closing signature changed is refused', () => {
    fc.assert(
      fc.property(fc.nat({ max: 5 }), fc.nat(), fc.integer({ min: 1, max: 255 }), (at, position, change) => {
        const forged = records.map((record, index) => {
          if (index !== at) return record
          const joined = concatBytes(record.content, index === 5 ? record.signature : new Uint8Array())
          const where = position % joined.length
          joined[where] = (joined[where] ?? 0) ^ change
          const content = joined.slice(0, record.content.length)
          return { content, signature: index === 5 ? joined.slice(record.content.length) : record.signature }
        })
        expect(check({ records: forged }).ok).toBe(false)
      }),
      { numRuns: 200 },
    )
  })
})
