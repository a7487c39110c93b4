/**
 * Addresses in text, as they stand in tokens and in `meta.db`: `tls:<ip>:<port>`, IPv6 in brackets.
 *
 * They come from other nodes, so each is checked before a socket is opened, and only so many are tried.
 *
 * @module
 */
import type { NetworkInterfaceInfo } from 'node:os'
import { formatSocketAddress, isLoopbackAddress, parseSocketAddress, type SocketAddress } from '@lattice/net-types'

/**
 * Addresses of one dial that are tried: a host has a few interfaces, each with two families.
 * @beyond The rest is not tried.
 */
export const MAX_DIAL_ADDRESSES = 16
/**
 * Longest address that is looked at: the longest IPv6 address with a port fits twice.
 * @beyond The address is passed over.
 */
const MAX_ADDRESS_CHARS = 128

const PREFIX = 'tls:'
const ANY_IPV4 = '0.0.0.0'
const ANY_IPV6 = '::'

/** Where to dial, each once; what is not in this notation, or not sound, is passed over. */
export function parseAddresses(addresses: readonly string[]): readonly SocketAddress[] {
  const sockets = new Map<string, SocketAddress>()
  for (const address of addresses) {
    if (sockets.size === MAX_DIAL_ADDRESSES) break
    if (!address.startsWith(PREFIX) || address.length > MAX_ADDRESS_CHARS) continue
    const socket = parseSocketAddress(address.slice(PREFIX.length))
    if (socket !== undefined && socket.port > 0) sockets.set(formatSocketAddress(socket), socket)
  }
  return [...sockets.values()]
}

/** Where a socket that listens is reached: of one on every interface, on each that other machines can reach. */
export function reachableAt(
  listening: SocketAddress,
  interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>,
): readonly string[] {
  const { ip, port } = listening
  if (ip !== ANY_IPV4 && ip !== ANY_IPV6) return [formatAddress(listening)]
  const found = Object.values(interfaces)
    .flatMap((infos) => infos ?? [])
    .map(({ address, family }): SocketAddress => ({ ip: address, family: family === 'IPv4' ? 4 : 6, port }))
    .filter((socket) => ip === ANY_IPV6 || socket.family === 4)
    // A link-local IPv6 address means something only together with an interface of whoever dials.
    .filter((socket) => !isLoopbackAddress(socket) && !/^fe[89ab]/i.test(socket.ip))
  if (found.length > 0) return found.map(formatAddress)
  // A machine without a network: its own processes can still meet.
  return [formatAddress({ ip: '127.0.0.1', family: 4, port })]
}

function formatAddress(socket: SocketAddress): string {
  return `${PREFIX}${formatSocketAddress(socket)}`
}
