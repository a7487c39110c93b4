import type { NetworkInterfaceInfo } from 'node:os'
import { describe, expect, test } from 'vitest'
import { withInterfaces } from './own-sockets.ts'

function interfaceOf(address: string, internal = false): NetworkInterfaceInfo {
  const common = { address, internal, netmask: '', mac: '', cidr: null }
  return address.includes(':') ? { ...common, family: 'IPv6', scopeid: 0 } : { ...common, family: 'IPv4' }
}

const interfaces = {
  lo: [interfaceOf('127.0.0.1', true), interfaceOf('::1', true)],
  eth0: [interfaceOf('10.0.0.7'), interfaceOf('2001:db8::7'), interfaceOf('fe80::7')],
  eth1: [interfaceOf('169.254.1.1')],
}

describe('the sockets of an endpoint', () => {
  test('are at the addresses that the interfaces have now, and where the native side knows of beside', () => {
    expect(withInterfaces(['10.0.0.3:5', '192.0.2.1:9'], ['0.0.0.0:5', '[::]:6'], interfaces)).toEqual([
      '10.0.0.7:5',
      '[2001:db8::7]:6',
      '10.0.0.3:5',
      '192.0.2.1:9',
    ])
  })

  test('are named once', () => {
    expect(withInterfaces(['10.0.0.7:5'], ['0.0.0.0:5'], interfaces)).toEqual(['10.0.0.7:5'])
  })

  test('of one interface are those that the native side knows', () => {
    expect(withInterfaces(['127.0.0.1:5'], ['127.0.0.1:5', '[::1]:6'], interfaces)).toEqual(['127.0.0.1:5'])
  })
})
