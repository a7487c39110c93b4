/**
 * Which interfaces of this host a node uses for discovery, by where its transports listen.
 *
 * Pure: what the operating system says is given.
 *
 * @module
 */
import type { networkInterfaces } from 'node:os'

/** An IPv4 address of this host on a link with others. */
export interface Link {
  readonly address: string
  /** Of the link: `10.0.0.0/24`. */
  readonly prefix: number
}

/** `loopback`: this host alone. `all`: every link, or loopback while there is no other. Else the links of some addresses. */
export type LanScope = 'loopback' | 'all' | { readonly addresses: readonly string[] }

/**
 * Links used at once: a host with more, of containers for instance, announces on the first.
 * @beyond The other links are not used.
 */
export const MAX_LINKS = 32

const LOOPBACK = /^127\./u

/**
 * By the IP addresses the transports listen on, IPv6 with or without brackets. Whoever is reached by one of them alone is to
 * be found there, so the widest counts.
 */
export function scopeOf(bindIps: readonly string[]): LanScope {
  const ips = bindIps.map((ip) => ip.replace(/^\[|\]$/gu, ''))
  if (ips.some((ip) => ip === '0.0.0.0' || ip === '::')) return 'all'
  const addresses = [...new Set(ips)].filter((ip) => !LOOPBACK.test(ip) && ip !== '::1')
  return addresses.length === 0 ? 'loopback' : { addresses }
}

/** The links of the scope, sorted. */
export function linksOf(interfaces: ReturnType<typeof networkInterfaces>, scope: LanScope): readonly Link[] {
  const all = Object.values(interfaces)
    .flatMap((each) => each ?? [])
    .filter(({ family }) => family === 'IPv4')
    .map(({ address, cidr }) => ({ address, prefix: Number(cidr?.split('/')[1] ?? 32) }))
    .sort((a, b) => (a.address < b.address ? -1 : 1))
  const local = all.filter(({ address }) => LOOPBACK.test(address))
  const outer = all.filter(({ address }) => !LOOPBACK.test(address))
  if (scope === 'loopback') return local.slice(0, 1)
  if (scope !== 'all') return outer.filter(({ address }) => scope.addresses.includes(address))
  return (outer.length > 0 ? outer : local.slice(0, 1)).slice(0, MAX_LINKS)
}
