import { parseSocketAddress } from '@lattice/net-types'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatAddresses, isLoopback, MAX_DIAL_ADDRESSES, parseAddresses } from './address.ts'

describe('addresses', () => {
  test('sockets and the relay survive the way to text and back', () => {
    const ports = fc.integer({ min: 1, max: 65_535 })
    const socket = fc.oneof(
      fc.tuple(fc.ipV4(), ports).map(([ip, port]) => `${ip}:${port}`),
      fc.tuple(fc.ipV6(), ports).map(([ip, port]) => `[${ip}]:${port}`),
    )
    const targets = fc.record({
      sockets: fc.uniqueArray(socket, { maxLength: MAX_DIAL_ADDRESSES }),
      relay: fc.constantFrom(undefined, 'https://relay.example.org/', 'https://relay.example.org:4433'),
    })
    fc.assert(
      fc.property(targets, (value) => {
        expect(parseAddresses(formatAddresses(value))).toEqual(value)
      }),
    )
  })

  test('the notation is the one of tokens', () => {
    expect(
      formatAddresses({ sockets: ['192.0.2.1:4433', '[2001:db8::1]:4433'], relay: 'https://relay.example/' }),
    ).toEqual(['iroh:192.0.2.1:4433', 'iroh:[2001:db8::1]:4433', 'iroh:https://relay.example/'])
  })

  test.each([
    ['another transport', 'sim:00'],
    ['no place', 'iroh:'],
    ['a name', 'iroh:localhost:4433'],
    ['no port', 'iroh:127.0.0.1'],
    ['port zero', 'iroh:127.0.0.1:0'],
    ['a port beyond', 'iroh:127.0.0.1:65536'],
    ['a bad number', 'iroh:256.0.0.1:1'],
    ['IPv6 without brackets', 'iroh:::1:4433'],
    ['IPv4 in brackets', 'iroh:[127.0.0.1]:4433'],
    ['a zone', 'iroh:[fe80::1%eth0]:4433'],
    ['spaces', 'iroh: 127.0.0.1:1'],
    ['a NUL', 'iroh:127.0.0.1:1\u0000'],
    ['another scheme', 'iroh:ftp://relay.example/'],
    ['a URL with a path', 'iroh:https://relay.example/x y'],
    ['too long', `iroh:https://${'a'.repeat(300)}/`],
  ])('%s is passed over', (_, address) => {
    expect(parseAddresses([address])).toEqual({ sockets: [], relay: undefined })
  })

  test('any text is taken without harm', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const { sockets } = parseAddresses([`iroh:${text}`, text])
        for (const socket of sockets) expect(parseSocketAddress(socket)).toBeDefined()
      }),
    )
  })

  test('only so many are tried, each once', () => {
    const many = Array.from({ length: 100 }, (_, index) => `iroh:192.0.2.1:${1 + (index % 50)}`)
    expect(parseAddresses(many).sockets).toHaveLength(MAX_DIAL_ADDRESSES)
    expect(parseAddresses(['iroh:192.0.2.1:1', 'iroh:192.0.2.1:1']).sockets).toHaveLength(1)
  })

  test('loopback is recognised', () => {
    expect(['127.0.0.1:1', '127.9.9.9:1', '[::1]:1'].every(isLoopback)).toBe(true)
    expect(['192.0.2.1:1', '[2001:db8::1]:1', 'nonsense'].some(isLoopback)).toBe(false)
  })
})
