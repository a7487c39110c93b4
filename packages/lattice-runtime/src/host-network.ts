/**
 * The interfaces of this machine.
 *
 * Left out is what never leads elsewhere, and what every virtual interface has: containers come and go, and none of them
 * moves the machine.
 *
 * @module
 */
import { networkInterfaces } from 'node:os'
import type { HostNetwork } from '@lattice/net-types'

/** Reads the system's interfaces at each call. */
export function createHostNetwork(read: typeof networkInterfaces = networkInterfaces): HostNetwork {
  return {
    addresses: () =>
      Object.values(read())
        .flatMap((found) => found ?? [])
        .filter(({ internal, address }) => !internal && !isLinkLocal(address))
        .map(({ cidr, address }) => cidr ?? address),
  }
}

function isLinkLocal(address: string): boolean {
  return address.toLowerCase().startsWith('fe80:') || address.startsWith('169.254.')
}
