import { fromHex, toHex, toPublicKey } from '@lattice/model'
import { MAX_FOUND_ADDRESSES } from '@lattice/net-types'
import { type Answer, encode, type Packet } from 'dns-packet'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { instanceName, parseInstanceName, SERVICE_NAME } from './instance-name.ts'
import {
  decodeMessage,
  encodeAnnouncement,
  encodeGoodbye,
  encodeQuery,
  fittingAddresses,
  MAX_PACKET_BYTES,
  MAX_RECORDS,
  TTL_S,
} from './lan-message.ts'

const peer = toPublicKey(new Uint8Array(32).fill(7))
const keys = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toPublicKey)
const address = fc.stringMatching(/^[!-~]{1,300}$/u)
const bytesOf = (packet: Packet): Uint8Array => new Uint8Array(encode(packet))
const text = (data: readonly (string | Buffer)[], more: Partial<Answer> = {}): Answer =>
  ({ name: instanceName(peer), type: 'TXT', class: 'IN', ttl: 120, data: ['v=1', ...data], ...more }) as Answer
const response = (...answers: Answer[]): Uint8Array => bytesOf({ type: 'response', answers })

describe('a message', () => {
  // The format is on the network of every user: what one release says, the next must read.
  test('is these bytes', () => {
    expect(toHex(encodeQuery(undefined))).toBe(
      '000000000001000000000000085f6c617474696365045f756470056c6f63616c00000c0001',
    )
    const announcement = encodeAnnouncement(peer, ['iroh:10.0.0.1:4433'])
    expect(toHex(announcement)).toMatchInlineSnapshot(
      `"000084000000000200000000085f6c617474696365045f756470056c6f63616c00000c000100000078004a34613464716f627968613464716f627968613464716f627968613464716f627968613464716f627968613464716f62796861346471085f6c617474696365045f756470056c6f63616c0034613464716f627968613464716f627968613464716f627968613464716f627968613464716f627968613464716f62796861346471085f6c617474696365045f756470056c6f63616c000010800100000078001a03763d311561303d69726f683a31302e302e302e313a34343333"`,
    )
    expect(decodeMessage(announcement)).toEqual({
      kind: 'announcement',
      peer,
      addresses: ['iroh:10.0.0.1:4433'],
      ttlS: TTL_S,
    })
    expect(decodeMessage(encodeGoodbye(peer))).toEqual({ kind: 'announcement', peer, addresses: [], ttlS: 0 })
    expect(decodeMessage(encodeQuery(undefined))).toEqual({ kind: 'query', known: [] })
    expect(decodeMessage(encodeQuery(peer))).toEqual({ kind: 'query', known: [peer] })
  })

  test('carries the addresses that fit, whatever they are, in one packet', () => {
    fc.assert(
      fc.property(keys, fc.array(address, { maxLength: 40 }), (key, addresses) => {
        const bytes = encodeAnnouncement(key, addresses)
        expect(bytes.length).toBeLessThanOrEqual(MAX_PACKET_BYTES - 100)
        const fitting = fittingAddresses(addresses)
        expect(fitting.length).toBeLessThanOrEqual(MAX_FOUND_ADDRESSES)
        const message = decodeMessage(bytes)
        if (fitting.length === 0) expect(message).toBeUndefined()
        else expect(message).toMatchObject({ peer: key, addresses: [...new Set(fitting)] })
      }),
    )
  })

  test('leaves out what is not printable, and what is longer than a string of DNS', () => {
    expect(fittingAddresses(['ok', '', 'a b', 'ü', '\u0000', 'x'.repeat(300)])).toEqual(['ok'])
  })
})

describe('a name', () => {
  test('reads back, in any case', () => {
    fc.assert(
      fc.property(keys, (key) => {
        expect(parseInstanceName(instanceName(key))).toEqual(key)
        expect(parseInstanceName(instanceName(key).toUpperCase())).toEqual(key)
      }),
    )
  })

  test.each([
    '',
    SERVICE_NAME,
    `.${SERVICE_NAME}`,
    `${'1'.repeat(52)}.${SERVICE_NAME}`,
    `${'a'.repeat(51)}.${SERVICE_NAME}`,
    // Bits beyond the key.
    `${'a'.repeat(51)}b.${SERVICE_NAME}`,
    instanceName(peer).replace('_udp', '_tcp'),
  ])('%s is nobody', (name) => expect(parseInstanceName(name)).toBeUndefined())
})

describe('what is refused', () => {
  test('any bytes at all cost no exception', () => {
    const sound = encodeAnnouncement(peer, ['iroh:10.0.0.1:4433'])
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat({ max: 600 }), fc.nat({ max: 255 }), (noise, at, byte) => {
        decodeMessage(noise)
        const bent = sound.slice()
        bent[at % bent.length] = byte
        decodeMessage(bent)
      }),
      { numRuns: 2_000 },
    )
    for (let length = 0; length < sound.length; length += 1) {
      expect(decodeMessage(sound.subarray(0, length))).toBeUndefined()
    }
  })

  test('counts that promise more than is looked at', () => {
    const huge = fromHex(`00000000${'ffff'.repeat(4)}`)
    expect(decodeMessage(huge ?? new Uint8Array(0))).toBeUndefined()
    const many = Array.from({ length: MAX_RECORDS + 1 }, () => text(['a0=iroh:10.0.0.1:1']))
    expect(decodeMessage(response(...many.slice(1)))).toBeUndefined()
    const short = Array.from({ length: MAX_RECORDS }, () => ({ ...text(['a0=x']), name: 'x.local' }))
    expect(decodeMessage(response(...short.slice(1), text(['a0=iroh:10.0.0.1:1'])))).toMatchObject({ peer })
    expect(decodeMessage(response(...short, text(['a0=iroh:10.0.0.1:1'])))).toBeUndefined()
  })

  test.each<readonly [string, Uint8Array]>([
    [
      'a packet longer than a frame',
      response(text([`a0=${'x'.repeat(200)}`, ...Array.from({ length: 8 }, () => 'y'.repeat(200))])),
    ],
    ['an announcement without addresses', response(text([]))],
    ['a TXT record of another name', response({ ...text(['a0=iroh:10.0.0.1:1']), name: `printer.${SERVICE_NAME}` })],
    ['another version', response(text([], { data: ['v=2', 'a0=iroh:10.0.0.1:1'] }))],
    ['addresses that are no text', response(text([Buffer.from([0x61, 0x30, 0x3d, 0xff, 0xfe])]))],
    ['addresses with a line feed in them', response(text(['a0=iroh:1\nforged log line']))],
    [
      'a question for something else',
      bytesOf({ type: 'query', questions: [{ name: '_ipp._tcp.local', type: 'PTR' }] }),
    ],
    ['a question of another type', bytesOf({ type: 'query', questions: [{ name: SERVICE_NAME, type: 'A' }] })],
    ['an error', bytesOf({ type: 'response', flags: 3, answers: [text(['a0=iroh:10.0.0.1:1'])] })],
  ])('%s', (_, bytes) => expect(decodeMessage(bytes)).toBeUndefined())

  test('a time to live beyond ours is cut down to it', () => {
    expect(decodeMessage(response(text(['a0=x'], { ttl: 4_000_000_000 })))).toMatchObject({ ttlS: TTL_S })
  })

  test('more addresses than are kept', () => {
    const strings = Array.from({ length: 60 }, (_, at) => `a${at}=x${at}`)
    const message = decodeMessage(response(text(strings)))
    expect(message).toMatchObject({
      addresses: strings.slice(0, MAX_FOUND_ADDRESSES).map((each) => each.split('=')[1]),
    })
  })
})
