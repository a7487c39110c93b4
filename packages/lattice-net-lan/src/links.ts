/**
 * Which interfaces of this host a node uses for discovery, by where its transport listens.
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

/** `loopback`: this host alone. `all`: every link, or loopback while there is no other. Else the link of one address. */
export type LanScope = 'loopback' | 'all' | { readonly address: string }

/** Links used at once: a host with more, of containers for instance, announces on the first. */
export const MAX_LINKS = 32

const LOOPBACK = /^127\./u

/** By the IP address a transport listens on, IPv6 with or without brackets; all links when absent. */
export function scopeOf(bindIp: string | undefined): LanScope {
  const ip = bindIp?.replace(/^\[|\]$/gu, '') ?? '0.0.0.0'
  if (ip === '0.0.0.0' || ip === '::') return 'all'
  return LOOPBACK.test(ip) || ip === '::1' ? 'loopback' : { address: ip }
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
  if (scope !== 'all') return outer.filter(({ address }) => address === scope.address)
  return (outer.length > 0 ? outer : local.slice(0, 1)).slice(0, MAX_LINKS)
}
