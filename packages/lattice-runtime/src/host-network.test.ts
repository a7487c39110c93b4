import type { NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import { expect, test } from 'vitest'
import { createHostNetwork } from './host-network.ts'

const face = (address: string, cidr: string | null, internal = false): NetworkInterfaceInfo => ({
  address,
  netmask: '',
  mac: '',
  internal,
  cidr,
  ...(address.includes(':') ? { family: 'IPv6', scopeid: 0 } : { family: 'IPv4' }),
})

test('where a machine is follows from the interfaces that lead elsewhere', () => {
  const read: typeof networkInterfaces = () => ({
    lo: [face('127.0.0.1', '127.0.0.1/8', true), face('::1', '::1/128', true)],
    wlan0: [face('192.168.1.7', '192.168.1.7/24'), face('fe80::1', 'fe80::1/64'), face('2001:db8::7', null)],
    veth9: [face('FE80::aaaa', 'fe80::aaaa/64'), face('169.254.3.4', '169.254.3.4/16')],
    gone: undefined,
  })
  expect(createHostNetwork(read).addresses()).toEqual(['192.168.1.7/24', '2001:db8::7'])
})

test('this machine can be asked, again and again', () => {
  const host = createHostNetwork()
  expect(host.addresses()).toEqual(host.addresses())
})
