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

/** Name of the file in a data directory. */
export const LISTEN_PORT_NAME = 'listen-port'

const HIGHEST_PORT = 65_535

/** Where to listen: an IP address, IPv6 in brackets, and a port, 0 for any. */
export interface BindAddress {
  readonly ip: string
  readonly port: number
}

/** Reads `ip:port`; every IPv4 interface and any port when absent. Undefined when it is neither. */
export function parseBind(bind: string | undefined): BindAddress | undefined {
  if (bind === undefined) return { ip: '0.0.0.0', port: 0 }
  const match = /^(?<ip>\[[0-9a-fA-F:]+\]|[0-9.]+):(?<port>\d{1,5})$/u.exec(bind)
  const { ip, port } = match?.groups ?? {}
  if (ip === undefined || port === undefined || Number(port) > HIGHEST_PORT) return undefined
  return { ip, port: Number(port) }
}

/** The port of last time; undefined on a first start. */
export async function loadPort(dataDir: string): Promise<number | undefined> {
  const text = await readFile(join(dataDir, LISTEN_PORT_NAME), 'utf8').catch(() => '')
  const port = /^\d{1,5}$/u.test(text.trim()) ? Number(text) : 0
  return port > 0 && port <= HIGHEST_PORT ? port : undefined
}

export async function savePort(dataDir: string, port: number): Promise<void> {
  await writeFile(join(dataDir, LISTEN_PORT_NAME), `${port}\n`, { mode: 0o600 })
}

/** The port that a transport listens on in the family of `ip`, by its own addresses such as `iroh:127.0.0.1:4433`. */
export function portOf(addresses: readonly string[], ip: string): number | undefined {
  const family = ip.startsWith('[') ? /:\[[0-9a-fA-F:]+\]:(?<port>\d+)$/u : /:[0-9.]+:(?<port>\d+)$/u
  for (const address of addresses) {
    const port = family.exec(address)?.groups?.['port']
    if (port !== undefined) return Number(port)
  }
  return undefined
}
