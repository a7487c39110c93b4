import type { NetworkInterfaceInfo } from 'node:os'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_DIAL_ADDRESSES, parseAddresses, reachableAt } from './address.ts'

const info = (address: string, family: 'IPv4' | 'IPv6'): NetworkInterfaceInfo => {
  const rest = { address, netmask: '', mac: '', internal: false, cidr: null }
  return family === 'IPv4' ? { ...rest, family } : { ...rest, family, scopeid: 0 }
}
const interfaces = {
  lo: [info('127.0.0.1', 'IPv4'), info('::1', 'IPv6')],
  eth0: [info('192.0.2.7', 'IPv4'), info('2001:db8::7', 'IPv6'), info('fe80::7', 'IPv6')],
  gone: undefined,
}

describe('addresses to dial', () => {
  test('are those in this notation, each once, and only so many', () => {
    const sound = ['tls:192.0.2.1:1', 'tls:[2001:db8::1]:2']
    const others = ['iroh:192.0.2.1:1', 'tls:', 'tls:localhost:1', 'tls:192.0.2.1:0', 'tls:[fe80::1%eth0]:1', 'tls:1']
    expect(parseAddresses([...others, ...sound, ...sound])).toEqual([
      { ip: '192.0.2.1', family: 4, port: 1 },
      { ip: '2001:db8::1', family: 6, port: 2 },
    ])
    const many = Array.from({ length: 100 }, (_, index) => `tls:192.0.2.1:${index + 1}`)
    expect(parseAddresses(many)).toHaveLength(MAX_DIAL_ADDRESSES)
  })

  test('any text is taken without harm', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (texts) => {
        expect(parseAddresses(texts.flatMap((text) => [text, `tls:${text}`])).length).toBeLessThanOrEqual(
          MAX_DIAL_ADDRESSES,
        )
      }),
    )
  })
})

describe('where a socket is reached', () => {
  test.each([
    [{ ip: '::', family: 6, port: 1 }, ['tls:192.0.2.7:1', 'tls:[2001:db8::7]:1']],
    [{ ip: '0.0.0.0', family: 4, port: 1 }, ['tls:192.0.2.7:1']],
    [{ ip: '127.0.0.1', family: 4, port: 1 }, ['tls:127.0.0.1:1']],
    [{ ip: '2001:db8::7', family: 6, port: 1 }, ['tls:[2001:db8::7]:1']],
  ] as const)('%j', (listening, expected) => {
    expect(reachableAt(listening, interfaces)).toEqual(expected)
  })

  test('a machine without a network is reached from itself', () => {
    expect(reachableAt({ ip: '::', family: 6, port: 1 }, { lo: interfaces.lo })).toEqual(['tls:127.0.0.1:1'])
  })
})
