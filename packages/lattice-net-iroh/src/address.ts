/**
 * Addresses in text, as they stand in tokens and in `meta.db`.
 *
 * `iroh:<ip>:<port>` is a socket, IPv6 in brackets; `iroh:<url>` is the home relay. They come from other nodes, so each is
 * checked before the native code sees it, and only so many are tried.
 *
 * @module
 */
import { isLoopbackAddress, parseSocketAddress } from '@lattice/net-types'

/**
 * Addresses of one dial that are tried: a host has a few interfaces, each with two families.
 * @beyond The rest is not tried.
 */
export const MAX_DIAL_ADDRESSES = 16
/**
 * Longest address that is looked at: a relay's URL with room to spare.
 * @beyond The address is passed over.
 */
const MAX_ADDRESS_CHARS = 256

const PREFIX = 'iroh:'
const RELAY = /^https?:\/\/[\w.:[\]-]+\/?$/

/** What a dial is made of. */
export interface DialTargets {
  readonly sockets: readonly string[]
  /** The first relay named. */
  readonly relay: string | undefined
}

/** Sorts out where to dial; what is not in this notation, or not sound, is passed over. */
export function parseAddresses(addresses: readonly string[]): DialTargets {
  const sockets = new Set<string>()
  let relay: string | undefined
  for (const address of addresses) {
    if (!address.startsWith(PREFIX) || address.length > MAX_ADDRESS_CHARS) continue
    const place = address.slice(PREFIX.length)
    const socket = parseSocketAddress(place)
    if (socket !== undefined && socket.port > 0 && sockets.size < MAX_DIAL_ADDRESSES) sockets.add(place)
    else if (RELAY.test(place)) relay ??= place
  }
  return { sockets: [...sockets], relay }
}

export function formatAddresses({ sockets, relay }: DialTargets): readonly string[] {
  return [...sockets, ...(relay === undefined ? [] : [relay])].map((place) => `${PREFIX}${place}`)
}

/** Whether a socket is reached from this machine alone. */
export function isLoopback(socket: string): boolean {
  const parsed = parseSocketAddress(socket)
  return parsed !== undefined && isLoopbackAddress(parsed)
}
