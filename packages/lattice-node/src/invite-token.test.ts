import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { createSeededRandom } from '@lattice/model/testing'
import { node, system } from '@lattice/proto'
import { bech32m } from '@scure/base'
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
        fc.array(fc.stringMatching(/^[\x21-\x7e]{1,40}$/), { maxLength: 4 }),
        fc.nat().map((time) => time + 1),
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

  test('a letter in the other case is a slip: a token is in one case or the other', () => {
    const text = encodeInviteToken(sample())
    fc.assert(
      fc.property(fc.nat({ max: text.length - 1 }), (at) => {
        const letter = text[at] ?? ''
        fc.pre(letter !== letter.toUpperCase())
        expect(refusal(text.slice(0, at) + letter.toUpperCase() + text.slice(at + 1))).toBe('mistyped')
      }),
    )
    expect(refusal(`LATTICE${text.slice(7)}`)).toBe('mistyped')
    expect(decodeInviteToken(text.toUpperCase()).ok).toBe(true)
  })

  test('a letter of another alphabet is none of a token’s, whatever it is in lower case', () => {
    const text = encodeInviteToken(sample()).toUpperCase()
    const at = text.indexOf('K')
    expect(at).toBeGreaterThan(0)
    // The sign of the kelvin is a k in lower case.
    expect(refusal(`${text.slice(0, at)}\u212a${text.slice(at + 1)}`)).toBe('bad_character')
    expect(refusal(`${text.slice(0, 20)}\u200b${text.slice(20)}`)).toBe('bad_character')
    expect(refusal(`lattıce1${text.slice(8)}`)).toBe('wrong_prefix')
  })

  test('one that was cut, added to, or swapped about is noticed', () => {
    const text = encodeInviteToken(sample())
    for (let length = 9; length < text.length; length += 7) expect(refusal(text.slice(0, length))).toBe('mistyped')
    expect(refusal(text + text)).toBe('bad_character')
    expect(refusal(`${text} thanks`)).toBe('mistyped')
    expect(refusal(`lnbc1${text.slice(8)}`)).toBe('wrong_prefix')
    const [at] = Array.from(text, (_, index) => index).filter((index) => index > 20 && text[index] !== text[index + 1])
    expect(at).toBeDefined()
    const place = at ?? 0
    expect(refusal(text.slice(0, place) + text[place + 1] + text[place] + text.slice(place + 2))).toBe('mistyped')
  })

  const message = (changes: MessageInitShape<typeof node.InviteTokenSchema> = {}): Uint8Array =>
    toBinary(node.InviteTokenSchema, create(node.InviteTokenSchema, { ...contentOf(sample()), ...changes }))
  const textOf = (bytes: Uint8Array): string => bech32m.encode('lattice', bech32m.toWords(bytes), false)

  test.each<readonly [string, MessageInitShape<typeof node.InviteTokenSchema>, string]>([
    ['no version', { version: 0 }, 'bad_version'],
    ['a later version', { version: 2 }, 'bad_version'],
    ['no store', { storeId: new Uint8Array() }, 'bad_content'],
    ['a store id of the wrong length', { storeId: new Uint8Array(31) }, 'bad_content'],
    ['a short secret', { secret: new Uint8Array(31) }, 'bad_content'],
    ['a long secret', { secret: new Uint8Array(33) }, 'bad_content'],
    ['an inviter that is no key', { inviter: new Uint8Array(33) }, 'bad_content'],
    ['no expiry', { expiresAt: 0n }, 'bad_content'],
    ['an expiry beyond all clocks', { expiresAt: 2n ** 64n - 1n }, 'bad_content'],
    ['no uses', { uses: 0 }, 'bad_content'],
    ['uses beyond the limit', { uses: 10_001 }, 'bad_content'],
    ['no role', { role: 0 }, 'bad_content'],
    ['a role that is none', { role: 9 as system.Role }, 'bad_content'],
    ['too many addresses', { addresses: Array.from({ length: MAX_TOKEN_ADDRESSES + 1 }, () => 'a:1') }, 'bad_content'],
    ['a long address', { addresses: ['x'.repeat(257)] }, 'bad_content'],
    ['an empty address', { addresses: [''] }, 'bad_content'],
    ['an address with a line break', { addresses: ['a:1\nb:2'] }, 'bad_content'],
    ['an address with an escape', { addresses: ['\u001b[2J'] }, 'bad_content'],
  ])('a checksummed text with %s is refused by its content', (_what, changes, code) => {
    expect(refusal(textOf(message()))).toBe('accepted')
    expect(refusal(textOf(message(changes)))).toBe(code)
  })

  test('a checksummed text that is no message, or more than one, is refused', () => {
    for (const bytes of [new Uint8Array(), new Uint8Array(40).fill(0xff), message().subarray(0, 50)]) {
      expect(['bad_content', 'bad_version']).toContain(refusal(textOf(bytes)))
    }
    // Field 99, which this version does not know.
    expect(refusal(textOf(Uint8Array.of(...message(), 0x9a, 0x06, 0x00)))).toBe('bad_content')
  })

  test('any bytes under a good checksum have a verdict', () => {
    fc.assert(
      fc.property(fc.nat({ max: 200 }), fc.nat({ max: 255 }), (at, byte) => {
        const bytes = message()
        bytes[at % bytes.length] = byte
        const decoded = decodeInviteToken(textOf(bytes))
        if (decoded.ok) expect(decodeInviteToken(encodeInviteToken(decoded.value))).toEqual(decoded)
      }),
      { numRuns: 500 },
    )
  })
})

function contentOf(token: InviteToken): MessageInitShape<typeof node.InviteTokenSchema> {
  return { ...token, addresses: [...token.addresses], version: 1, expiresAt: BigInt(token.expiresAt) }
}
