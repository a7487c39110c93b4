import type { NetworkInterfaceInfo } from 'node:os'
import { describe, expect, test } from 'vitest'
import { linksOf, MAX_LINKS, scopeOf } from './links.ts'

function at(address: string, prefix = 24): NetworkInterfaceInfo {
  const common = { address, internal: address.startsWith('127.'), netmask: '', mac: '', cidr: `${address}/${prefix}` }
  return address.includes(':') ? { ...common, family: 'IPv6', scopeid: 0 } : { ...common, family: 'IPv4' }
}
const lo = [at('127.0.0.1', 8), at('::1', 128)]
const host = { lo, eth0: [at('10.0.0.7'), at('2001:db8::7', 64)], eth1: [at('192.168.1.7', 16)] }

describe('the links of a node', () => {
  test.each([
    [['0.0.0.0'], 'all'],
    [['[::]'], 'all'],
    [['127.0.0.1'], 'loopback'],
    [['127.8.8.8'], 'loopback'],
    [['[::1]'], 'loopback'],
    [['10.0.0.7'], { addresses: ['10.0.0.7'] }],
    [['127.0.0.1', '[::]'], 'all'],
    [['0.0.0.0', '127.0.0.1'], 'all'],
    [['127.0.0.1', '[::1]'], 'loopback'],
    [['127.0.0.1', '10.0.0.7'], { addresses: ['10.0.0.7'] }],
    [['10.0.0.7', '10.0.0.7', '192.168.1.7'], { addresses: ['10.0.0.7', '192.168.1.7'] }],
  ])('that listens on %j are %j', (ips, scope) => expect(scopeOf(ips)).toEqual(scope))

  test('are all that lead to others, and loopback while there is no such', () => {
    expect(linksOf(host, 'all')).toEqual([
      { address: '10.0.0.7', prefix: 24 },
      { address: '192.168.1.7', prefix: 16 },
    ])
    expect(linksOf({ lo }, 'all')).toEqual([{ address: '127.0.0.1', prefix: 8 }])
    expect(linksOf({}, 'all')).toEqual([])
  })

  test('are loopback alone for a node that its own host alone reaches', () => {
    expect(linksOf(host, 'loopback')).toEqual([{ address: '127.0.0.1', prefix: 8 }])
    expect(linksOf({ eth0: host.eth0 }, 'loopback')).toEqual([])
  })

  test('are those of the addresses that it listens on, while they are there', () => {
    const second = { address: '192.168.1.7', prefix: 16 }
    expect(linksOf(host, { addresses: ['192.168.1.7'] })).toEqual([second])
    expect(linksOf(host, { addresses: ['192.168.1.7', '10.0.0.7'] })).toEqual([
      { address: '10.0.0.7', prefix: 24 },
      second,
    ])
    expect(linksOf({ lo }, { addresses: ['192.168.1.7'] })).toEqual([])
  })

  test('are no more than can be served', () => {
    const many = Array.from({ length: 500 }, (_, index) => at(`10.${index >> 8}.${index & 255}.1`))
    expect(linksOf({ many }, 'all')).toHaveLength(MAX_LINKS)
  })
})
