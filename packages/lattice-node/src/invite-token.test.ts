import { createSeededRandom } from '@lattice/model/testing'
import { system } from '@lattice/proto'
import { toPublicKey, toStoreId } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeInviteToken,
  encodeInviteToken,
  type InviteToken,
  MAX_TOKEN_ADDRESSES,
  MAX_TOKEN_CHARS,
} from './invite-token.ts'

const random = createSeededRandom('token')
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })

function sample(changes: Partial<InviteToken> = {}): InviteToken {
  return {
    storeId: toStoreId(random.bytes(32)),
    secret: random.bytes(32),
    inviter: toPublicKey(random.bytes(32)),
    addresses: ['127.0.0.1:4433', '[::1]:4433'],
    expiresAt: 1_795_000_000_000,
    uses: 1,
    role: system.Role.WRITER,
    ...changes,
  }
}

function refusal(text: string): string {
  const decoded = decodeInviteToken(text)
  return decoded.ok ? 'accepted' : decoded.error.code
}

describe('invite token', () => {
  test('round trips', () => {
    fc.assert(
      fc.property(
        bytes32,
        bytes32,
        bytes32,
        fc.array(fc.string({ maxLength: 40 }), { maxLength: 4 }),
        fc.nat(),
        (storeId, secret, inviter, addresses, expiresAt) => {
          const token = sample({
            storeId: toStoreId(storeId),
            secret,
            inviter: toPublicKey(inviter),
            addresses,
            expiresAt,
          })
          expect(decodeInviteToken(encodeInviteToken(token))).toEqual({ ok: true, value: token })
        },
      ),
    )
  })

  test('is one lower-case line that begins with lattice1', () => {
    expect(encodeInviteToken(sample())).toMatch(/^lattice1[a-z0-9]+$/)
  })

  test('is read in upper case, with white space around and within', () => {
    const token = sample()
    const text = encodeInviteToken(token).toUpperCase()
    expect(decodeInviteToken(`  ${text.slice(0, 50)}\n ${text.slice(50)}\r\n`)).toEqual({ ok: true, value: token })
  })

  test('any mistyped character is noticed', () => {
    const text = encodeInviteToken(sample())
    const alphabet = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
    fc.assert(
      fc.property(fc.nat({ max: text.length - 9 }), fc.nat({ max: 31 }), (offset, pick) => {
        const at = offset + 8
        const typed = alphabet[pick] ?? 'q'
        fc.pre(text[at] !== typed)
        expect(refusal(text.slice(0, at) + typed + text.slice(at + 1))).toBe('mistyped')
      }),
    )
    expect(refusal(text.slice(0, -1))).toBe('mistyped')
    expect(refusal(`${text.slice(0, 20)}b${text.slice(21)}`)).toBe('bad_character')
  })

  test('the position of a character that no token has is named', () => {
    const text = encodeInviteToken(sample())
    const decoded = decodeInviteToken(`${text.slice(0, 20)}b${text.slice(21)}`)
    expect(decoded).toMatchObject({ ok: false, error: { message: expect.stringContaining('"b" at position 21') } })
  })

  test('what is no token is refused, whatever it is', () => {
    expect(refusal('')).toBe('wrong_prefix')
    expect(refusal('lattice')).toBe('wrong_prefix')
    expect(refusal('lattice1')).toBe('mistyped')
    expect(refusal(`lattice1${'q'.repeat(MAX_TOKEN_CHARS)}`)).toBe('too_long')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(decodeInviteToken(text).ok).toBe(false)
        expect(decodeInviteToken(`lattice1${text}`).ok).toBe(false)
      }),
    )
  })

  test('addresses beyond the limits are left out, never refused later', () => {
    const addresses = Array.from({ length: 40 }, (_, index) => `10.0.0.${index}:1`)
    const decoded = decodeInviteToken(encodeInviteToken(sample({ addresses: ['x'.repeat(300), ...addresses] })))
    expect(decoded).toMatchObject({ ok: true, value: { addresses: addresses.slice(0, MAX_TOKEN_ADDRESSES) } })
  })

  test('a checksummed text with other content is refused by its content', () => {
    const wrong = { ...sample(), secret: random.bytes(31) }
    expect(refusal(encodeInviteToken(wrong))).toBe('bad_content')
  })
})
