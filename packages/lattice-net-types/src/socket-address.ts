/**
 * An IP address and a port in text, as the addresses of transports hold them: `192.0.2.1:4433`, `[2001:db8::1]:4433`.
 *
 * Such text comes from other nodes, so it is checked to the letter before anything is dialled: no names, no zones, no other
 * notations of numbers.
 *
 * @module
 */

/** An IP and a port. */
export interface SocketAddress {
  /** Without brackets. */
  readonly ip: string
  readonly family: 4 | 6
  readonly port: number
}

const SOCKET = /^(?:\[(?<v6>[0-9a-fA-F:.]{2,45})\]|(?<v4>[0-9.]{7,15})):(?<port>[0-9]{1,5})$/
const BYTE = /^(?:0|[1-9][0-9]{0,2})$/
const GROUP = /^[0-9a-fA-F]{1,4}$/
const HIGHEST_PORT = 65_535
const IPV6_GROUPS = 8

/** `ip:port` or `[ip]:port`; undefined for anything else. */
export function parseSocketAddress(text: string): SocketAddress | undefined {
  const groups = SOCKET.exec(text)?.groups
  const port = Number(groups?.['port'])
  const [v4, v6] = [groups?.['v4'], groups?.['v6']]
  if (groups === undefined || port > HIGHEST_PORT) return undefined
  if (v4 !== undefined && isIpv4(v4)) return { ip: v4, family: 4, port }
  if (v6 !== undefined && isIpv6(v6)) return { ip: v6, family: 6, port }
  return undefined
}

export function formatSocketAddress({ ip, family, port }: SocketAddress): string {
  return family === 4 ? `${ip}:${port}` : `[${ip}]:${port}`
}

/** Whether it is reached from its own machine alone. */
export function isLoopbackAddress({ ip, family }: Pick<SocketAddress, 'ip' | 'family'>): boolean {
  return family === 4 ? ip.startsWith('127.') : ip === '::1'
}

function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => BYTE.test(part) && Number(part) <= 255)
}

function isIpv6(text: string): boolean {
  const halves = text.split('::')
  const counts = halves.map((half, index) => countGroups(half, index === halves.length - 1))
  if (counts.some((count) => count === undefined)) return false
  const groups = counts.reduce<number>((sum, count) => sum + (count ?? 0), 0)
  // A `::` stands for at least one group.
  return halves.length === 1 ? groups === IPV6_GROUPS : halves.length === 2 && groups < IPV6_GROUPS
}

/** Groups of a part without `::`; the last may be written as IPv4, which counts for two. */
function countGroups(text: string, mayEndInIpv4: boolean): number | undefined {
  if (text === '') return 0
  const parts = text.split(':')
  const last = parts.at(-1) ?? ''
  const endsInIpv4 = mayEndInIpv4 && isIpv4(last)
  const plain = endsInIpv4 ? parts.slice(0, -1) : parts
  if (!plain.every((part) => GROUP.test(part))) return undefined
  return plain.length + (endsInIpv4 ? 2 : 0)
}
