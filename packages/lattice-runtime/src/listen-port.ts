/**
 * Keeps a node on the port it had: peers remember where it was last reached, and
 * nodes that restart at the same time find each other only there.
 *
 * A port that was taken meanwhile is given up for a free one. What the file says
 * is a hint: a damaged one is as good as none.
 *
 * @module
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '@lattice/model'
import { BindFailed, type Transport } from '@lattice/net-types'

const HIGHEST_PORT = 65_535

/** Where to listen: an IP address, IPv6 in brackets, and a port, 0 for any. */
export interface BindAddress {
  readonly ip: string
  readonly port: number
}

/** Where the port of last time is kept, and what is asked for now. */
export interface LastPortOptions {
  readonly dataDir: string
  readonly logger: Logger
  /** Of the file in the data directory: each transport has its own. */
  readonly name: string
  /** What stands for every interface. */
  readonly anyIp: string
  /** `ip:port`, port 0 for the one of last time or a free one; `anyIp` and 0 when absent. */
  readonly bind: string | undefined
}

/**
 * Opens on the port of last time where none is asked for, and keeps the port that was found. `open` gets the address to
 * listen on; undefined leaves it to the transport.
 */
export async function openOnLastPort(
  options: LastPortOptions,
  open: (bind: string | undefined) => Promise<Transport>,
): Promise<Transport> {
  const { logger, anyIp, bind: asked } = options
  const bind = asked === undefined ? { ip: anyIp, port: 0 } : parseBind(asked)
  // A fixed port, or an address the transport is to refuse by name.
  if (bind === undefined || bind.port !== 0) return open(asked)
  const transport = await openOnSavedPort({ ...options, ip: bind.ip }, open)
  const port = portOf(transport.addresses(), bind.ip)
  if (port !== undefined) {
    await savePort(options, port).catch((error: unknown) => logger.warn('transport.port_not_kept', { error }))
  }
  return transport
}

async function openOnSavedPort(
  options: LastPortOptions & Pick<BindAddress, 'ip'>,
  open: (bind: string | undefined) => Promise<Transport>,
): Promise<Transport> {
  const port = await loadPort(options)
  if (port === undefined) return open(options.bind)
  try {
    return await open(`${options.ip}:${port}`)
  } catch (error) {
    if (!(error instanceof BindFailed)) throw error
    options.logger.info('transport.port_taken', { port })
    return open(options.bind)
  }
}

/** Reads `ip:port`. Undefined when it is none. */
export function parseBind(bind: string): BindAddress | undefined {
  const match = /^(?<ip>\[[0-9a-fA-F:]+\]|[0-9.]+):(?<port>\d{1,5})$/u.exec(bind)
  const { ip, port } = match?.groups ?? {}
  if (ip === undefined || port === undefined || Number(port) > HIGHEST_PORT) return undefined
  return { ip, port: Number(port) }
}

type PortFile = Pick<LastPortOptions, 'dataDir' | 'name'>

/** The port of last time; undefined on a first start. */
export async function loadPort({ dataDir, name }: PortFile): Promise<number | undefined> {
  const text = await readFile(join(dataDir, name), 'utf8').catch(() => '')
  const port = /^\d{1,5}$/u.test(text.trim()) ? Number(text) : 0
  return port > 0 && port <= HIGHEST_PORT ? port : undefined
}

export async function savePort({ dataDir, name }: PortFile, port: number): Promise<void> {
  await writeFile(join(dataDir, name), `${port}\n`, { mode: 0o600 })
}

/**
 * The port that a transport listens on in the family of `ip`, by its own addresses such as `iroh:127.0.0.1:4433`. A socket on
 * every interface of IPv6 is one of IPv4 too.
 */
export function portOf(addresses: readonly string[], ip: string): number | undefined {
  const isIpv6 = ip.startsWith('[') && ip !== '[::]'
  const isAny = ip === '[::]'
  const family = isAny ? /:(?<port>\d+)$/u : isIpv6 ? /:\[[0-9a-fA-F:]+\]:(?<port>\d+)$/u : /:[0-9.]+:(?<port>\d+)$/u
  for (const address of addresses) {
    const port = family.exec(address)?.groups?.['port']
    if (port !== undefined) return Number(port)
  }
  return undefined
}
