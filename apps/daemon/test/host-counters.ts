/**
 * What the network of a host has counted since it was made.
 *
 * @module
 */
import type { Host } from './namespaces.ts'

export interface HostCounters {
  /** IP packets that arrived, and of these those to groups. */
  readonly received: number
  readonly receivedMulticast: number
  /** Packets that left by any device, loopback included. */
  readonly sent: number
}

export async function countersOf(host: Host): Promise<HostCounters> {
  const [snmp, netstat, devices] = await Promise.all(
    ['snmp', 'netstat', 'dev'].map((name) => host.read(`/proc/net/${name}`)),
  )
  const sent = (devices ?? '')
    .split('\n')
    .filter((line) => line.includes(':'))
    // Eight numbers of what was received come first.
    .map((line) => Number((line.split(':')[1] ?? '').trim().split(/\s+/u)[9]))
    .reduce((sum, count) => sum + count, 0)
  return {
    received: valueOf(snmp ?? '', 'Ip', 'InReceives'),
    receivedMulticast: valueOf(netstat ?? '', 'IpExt', 'InMcastPkts'),
    sent,
  }
}

/** Sockets of the network that processes of the host have open, as the system lists them. */
export async function socketsOf(host: Host): Promise<readonly string[]> {
  const tables = ['tcp', 'tcp6', 'udp', 'udp6', 'udplite', 'raw', 'raw6', 'packet']
  const texts = await Promise.all(tables.map(async (table) => ({ table, text: await host.read(`/proc/net/${table}`) })))
  return texts.flatMap(({ table, text }) =>
    text
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => `${table} ${line.trim()}`),
  )
}

function valueOf(text: string, protocol: string, name: string): number {
  const [names = [], values = []] = text
    .split('\n')
    .filter((line) => line.startsWith(`${protocol}:`))
    .map((line) => line.split(' '))
  const value = Number(values[names.indexOf(name)])
  if (!Number.isSafeInteger(value)) throw new TypeError(`there is no count of ${protocol} ${name}`)
  return value
}
