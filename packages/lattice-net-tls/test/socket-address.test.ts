import { isIP } from 'node:net'
import { formatSocketAddress, isLoopbackAddress, parseSocketAddress } from '@lattice/net-types'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

// Here, where the platform is at hand to compare with: the package that reads them knows none.
describe('socket addresses', () => {
  test('an IP is what the platform takes for one', () => {
    const nearly = fc.stringMatching(/^(?:[0-9a-f]{0,5}:{0,2}){0,9}(?:\d{1,3}\.){0,3}\d{0,3}$/)
    const text = fc.oneof(fc.ipV4(), fc.ipV6(), fc.ipV4Extended(), nearly)
    fc.assert(
      fc.property(text, (ip) => {
        expect(parseSocketAddress(`${ip}:1`) !== undefined).toBe(isIP(ip) === 4)
        expect(parseSocketAddress(`[${ip}]:1`) !== undefined).toBe(isIP(ip) === 6)
      }),
      { numRuns: 1000 },
    )
  })

  test('survive the way to text and back', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 0, max: 65_535 }), (ip, port) => {
        const address = { ip, family: isIP(ip) === 4 ? (4 as const) : (6 as const), port }
        expect(parseSocketAddress(formatSocketAddress(address))).toEqual(address)
      }),
    )
  })

  test.each(['', ':', '127.0.0.1', '127.0.0.1:65536', 'localhost:1', '[fe80::1%eth0]:1', '[::1]', '127.0.0.1:1 '])(
    '%j is none',
    (text) => {
      expect(parseSocketAddress(text)).toBeUndefined()
    },
  )

  test('loopback is recognised', () => {
    const isLoopback = (text: string): boolean => isLoopbackAddress(parseSocketAddress(text) ?? { ip: '', family: 4 })
    expect(['127.0.0.1:1', '127.9.9.9:1', '[::1]:1'].every(isLoopback)).toBe(true)
    expect(['192.0.2.1:1', '[2001:db8::1]:1'].some(isLoopback)).toBe(false)
  })
})
