import { describe, expect, test } from 'vitest'
import { crypto, genesisOf, signerOf, valueOf, writeOf } from '../test/support.ts'
import { createIntentionReader } from './intention-reader.ts'
import { parseSignedIntention, signIntention } from './signed-intention.ts'

const author = signerOf(1)
const genesis = genesisOf(author)
const write = signIntention(crypto, author, { intention: writeOf(author, { storePrev: genesis.id }), close: true })

/** Counts what is hashed. */
function counting() {
  const counts = { hashed: 0 }
  const blake3: typeof crypto.blake3 = (...parts) => {
    counts.hashed += 1
    return crypto.blake3(...parts)
  }
  return { counts, crypto: { ...crypto, blake3 } }
}

describe('a reader of intentions', () => {
  test('answers as parsing does, good and bad', () => {
    const read = createIntentionReader(crypto)
    const bad = { bytes: write.bytes.slice(1), signature: write.signature }
    const short = { bytes: write.bytes, signature: write.signature.slice(1) }
    expect({ ...valueOf(read(write)) }).toEqual(valueOf(parseSignedIntention(crypto, write)))
    for (const one of [bad, short]) expect(read(one)).toEqual(parseSignedIntention(crypto, one))
  })

  test('hashes an intention once, whichever reader is asked again', () => {
    const counted = counting()
    const first = valueOf(createIntentionReader(counted.crypto)(write))
    expect(valueOf(createIntentionReader(counted.crypto)(first))).toBe(first)
    expect(counted.counts.hashed).toBe(1)
  })

  test('takes nothing for read that only looks like it', () => {
    const counted = counting()
    const read = createIntentionReader(counted.crypto)
    const honest = valueOf(read(write))
    // Parsed by nobody, copied from one that was, or made to inherit from it: each is hashed, and keeps its own id.
    const lies = [
      { ...honest, id: genesis.id },
      Object.assign(Object.create(Object.getPrototypeOf(honest)), { ...honest, id: genesis.id }),
      Object.assign(Object.create(honest), { id: genesis.id }),
    ]
    for (const lie of lies) expect(valueOf(read(lie)).id).toEqual(write.id)
    expect(counted.counts.hashed).toBe(1 + lies.length)
  })

  test('keeps bytes of its own', () => {
    const bytes = Uint8Array.from(write.bytes)
    const signature = Uint8Array.from(write.signature)
    const read = valueOf(createIntentionReader(crypto)({ bytes, signature }))
    bytes.fill(0)
    signature.fill(0)
    expect({ ...read }).toEqual(valueOf(parseSignedIntention(crypto, write)))
  })
})
