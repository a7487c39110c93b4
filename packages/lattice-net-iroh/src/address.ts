/**
 * Addresses in text, as they stand in tokens and in `meta.db`.
 *
 * `iroh:<ip>:<port>` is a socket, IPv6 in brackets; `iroh:<url>` is the home relay. They come from other nodes, so each is
 * checked before the native code sees it, and only so many are tried.
 *
 * @module
 */
import { isIP } from 'node:net'

/** Addresses of one dial that are tried: a host has a few interfaces, each with two families. */
export const MAX_DIAL_ADDRESSES = 16
/** Longest address that is looked at: a relay's URL with room to spare. */
const MAX_ADDRESS_CHARS = 256

const PREFIX = 'iroh:'
const SOCKET = /^(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<v4>[0-9.]+)):(?<port>[0-9]{1,5})$/
const RELAY = /^https?:\/\/[\w.:[\]-]+\/?$/

/** What a dial is made of. */
export interface DialTargets {
  readonly sockets: readonly string[]
  /** The first relay named. */
  readonly relay: string | undefined
}

/** An IP and a port. */
export interface SocketAddress {
  readonly ip: string
  readonly family: 4 | 6
  readonly port: number
}

/** `ip:port` or `[ip]:port`; undefined for anything else. */
export function parseSocket(text: string): SocketAddress | undefined {
  const groups = SOCKET.exec(text)?.groups
  if (groups === undefined) return undefined
  const ip = groups['v6'] ?? groups['v4'] ?? ''
  const family = isIP(ip)
  const port = Number(groups['port'])
  const isWritten = groups['v6'] === undefined ? family === 4 : family === 6
  if (!isWritten || port > 65_535 || (family !== 4 && family !== 6)) return undefined
  return { ip, family, port }
}

/** Sorts out where to dial; what is not in this notation, or not sound, is passed over. */
export function parseAddresses(addresses: readonly string[]): DialTargets {
  const sockets = new Set<string>()
  let relay: string | undefined
  for (const address of addresses) {
    if (!address.startsWith(PREFIX) || address.length > MAX_ADDRESS_CHARS) continue
    const place = address.slice(PREFIX.length)
    const socket = parseSocket(place)
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
  const parsed = parseSocket(socket)
  return parsed !== undefined && (parsed.family === 4 ? parsed.ip.startsWith('127.') : parsed.ip === '::1')
}
