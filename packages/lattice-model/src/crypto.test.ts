import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import publicVectors from '../test/public.vectors.json' with { type: 'json' }
import { bytesOf } from '../test/support.ts'
import { fromHex, toHex } from './bytes.ts'
import { openCrypto, type OpenedCrypto } from './crypto.ts'
import { toHash, toPublicKey, toSeed } from './ids.ts'
import { MAX_XOF_BYTES } from './limits.ts'
import { createSigner, SIGNATURE_TAGS, verifyTagged } from './signing.ts'

const wasm = await openCrypto({ backend: 'wasm' })
const native = await openCrypto({ backend: 'native' })
const backends: readonly [string, OpenedCrypto][] = [
  ['wasm', wasm],
  ['native', native],
]

const hex = (text: string): Uint8Array => fromHex(text) ?? new Uint8Array()

/** The order of the Ed25519 group, little-endian. */
const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n

/** The eight points of small order, and the other encodings of them. */
const SMALL_ORDER_KEYS: readonly string[] = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '0000000000000000000000000000000000000000000000000000000000000000',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
]

function addToScalar(signature: Uint8Array, addend: bigint): Uint8Array {
  let scalar = addend
  for (let index = 0; index < 32; index += 1) scalar += BigInt(signature[32 + index] ?? 0) << BigInt(8 * index)
  const changed = signature.slice()
  for (let index = 0; index < 32; index += 1) changed[32 + index] = Number((scalar >> BigInt(8 * index)) & 255n)
  return changed
}

describe.each(backends)('%s', (backend, crypto) => {
  test('says which backend it is', () => {
    expect(crypto.backend).toBe(backend)
  })

  test.each(publicVectors.blake3.cases)('BLAKE3 of $inputLength bytes is the published one', (vector) => {
    const input = Uint8Array.from({ length: vector.inputLength }, (_, index) => index % 251)
    const published = hex(vector.output)
    expect(toHex(crypto.blake3(input))).toBe(vector.output.slice(0, 64))
    expect(crypto.blake3Xof(published.length, input)).toEqual(published)
    expect(crypto.blake3Xof(published.length, input.subarray(0, 700), input.subarray(700))).toEqual(published)
    expect(crypto.blake3(input.subarray(0, 700), new Uint8Array(), input.subarray(700))).toEqual(crypto.blake3(input))
  })

  test('extended output of any length is a prefix of the longest', () => {
    const longest = crypto.blake3Xof(MAX_XOF_BYTES, hex('00'))
    for (const length of [0, 1, 32, 33, 64, 2047]) {
      expect(crypto.blake3Xof(length, hex('00'))).toEqual(longest.slice(0, length))
    }
    expect(() => crypto.blake3Xof(MAX_XOF_BYTES + 1, hex('00'))).toThrow('within its bound')
  })

  test.each(publicVectors.ed25519.cases)('Ed25519 of $message is the published one', (vector) => {
    const pair = crypto.keyPairFromSeed(toSeed(hex(vector.seed)))
    expect(toHex(pair.publicKey)).toBe(vector.publicKey)
    const signature = crypto.sign(pair.secretKey, hex(vector.message))
    expect(toHex(signature)).toBe(vector.signature)
    expect(crypto.verify(pair.publicKey, hex(vector.message), signature)).toBe(true)
  })

  test('refuses a small-order key, whatever it signs', () => {
    // With the identity as key and R, S = 0 satisfies the equation for every message.
    for (const key of SMALL_ORDER_KEYS) {
      for (const r of [key, SMALL_ORDER_KEYS[0] ?? '']) {
        const signature = hex(r + '00'.repeat(32))
        expect({ key, accepted: crypto.verify(toPublicKey(hex(key)), hex('aabb'), signature) }).toEqual({
          key,
          accepted: false,
        })
      }
    }
  })

  test('refuses a non-canonical S', () => {
    const pair = crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(1)))
    const signature = crypto.sign(pair.secretKey, hex('aabb'))
    expect(crypto.verify(pair.publicKey, hex('aabb'), addToScalar(signature, 0n))).toBe(true)
    for (const times of [1n, 2n, 8n]) {
      expect(crypto.verify(pair.publicKey, hex('aabb'), addToScalar(signature, times * GROUP_ORDER))).toBe(false)
    }
  })

  test('refuses a signature or key of another length', () => {
    const pair = crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(1)))
    const signature = crypto.sign(pair.secretKey, hex('aabb'))
    for (const length of [0, 63])
      expect(crypto.verify(pair.publicKey, hex('aabb'), signature.slice(0, length))).toBe(false)
    expect(crypto.verify(pair.publicKey, hex('aabb'), new Uint8Array(65))).toBe(false)
    const cut: Uint8Array = pair.publicKey.slice(0, 31)
    expect(crypto.verify(cut as typeof pair.publicKey, hex('aabb'), signature)).toBe(false)
  })

  test('compares secrets by all of their bytes', () => {
    expect(crypto.constantTimeEqual(hex('0102'), hex('0102'))).toBe(true)
    expect(crypto.constantTimeEqual(hex('0102'), hex('0103'))).toBe(false)
    expect(crypto.constantTimeEqual(hex('0102'), hex('9902'))).toBe(false)
    expect(crypto.constantTimeEqual(hex('0102'), hex('010200'))).toBe(false)
  })
})

describe('the backends agree', () => {
  test('on keys, signatures and hashes', () => {
    fc.assert(
      fc.property(bytesOf(32).map(toSeed), fc.uint8Array({ maxLength: 80 }), (seed, message) => {
        const pair = wasm.keyPairFromSeed(seed)
        expect(native.keyPairFromSeed(seed)).toEqual(pair)
        expect(native.sign(pair.secretKey, message)).toEqual(wasm.sign(pair.secretKey, message))
        expect(native.blake3(message)).toEqual(wasm.blake3(message))
      }),
      { numRuns: 50 },
    )
  })

  test('on every verdict: mutated signatures, keys and messages', () => {
    const pair = wasm.keyPairFromSeed(toSeed(new Uint8Array(32).fill(3)))
    const message = hex('00112233')
    const signature = wasm.sign(pair.secretKey, message)
    fc.assert(
      fc.property(fc.nat({ max: 99 }), fc.integer({ min: 1, max: 255 }), (position, change) => {
        const all = Uint8Array.from([...signature, ...pair.publicKey, ...message])
        all[position] = (all[position] ?? 0) ^ change
        const key = toPublicKey(all.slice(64, 96))
        const verdict = wasm.verify(key, all.slice(96), all.slice(0, 64))
        expect(native.verify(key, all.slice(96), all.slice(0, 64))).toBe(verdict)
        expect(verdict).toBe(false)
      }),
      { numRuns: 200 },
    )
  })

  test('on the edge cases of points and scalars', () => {
    const verdicts = publicVectors.edgeCases.cases.map((vector) => {
      const [key, message, signature] = [toPublicKey(hex(vector.publicKey)), hex(vector.message), hex(vector.signature)]
      const verdict = wasm.verify(key, message, signature)
      expect(native.verify(key, message, signature)).toBe(verdict)
      return verdict
    })
    // Case 3 has points of mixed order that satisfy the equation exactly; all others are refused.
    expect(verdicts).toEqual([false, false, false, true, false, false, false, false, false, false])
  })

  test('on random bytes and on small-order keys', () => {
    const keys = fc.oneof(bytesOf(32), fc.constantFrom(...SMALL_ORDER_KEYS).map(hex)).map(toPublicKey)
    fc.assert(
      fc.property(keys, bytesOf(64), (key, signature) => {
        expect(wasm.verify(key, signature, signature)).toBe(false)
        expect(native.verify(key, signature, signature)).toBe(false)
      }),
      { numRuns: 100 },
    )
  })

  test('auto takes the native one where it is installed', async () => {
    expect((await openCrypto()).backend).toBe('native')
  })
})

describe('domain separation', () => {
  test('a signature holds under its own tag only', () => {
    const signer = createSigner(wasm, wasm.keyPairFromSeed(toSeed(new Uint8Array(32).fill(9))))
    const hash = toHash(new Uint8Array(32).fill(4))
    for (const signed of SIGNATURE_TAGS) {
      const signature = signer.sign(signed, hash)
      for (const tag of SIGNATURE_TAGS) {
        expect(verifyTagged(wasm, signer.publicKey, { tag, hash, signature })).toBe(tag === signed)
      }
      expect(wasm.verify(signer.publicKey, hash, signature)).toBe(false)
    }
  })
})
