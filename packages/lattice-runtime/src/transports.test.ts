import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger, toSeed } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { BindFailed, type Transport } from '@lattice/net-types'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createSystemRandom, createSystemScheduler } from './system-ports.ts'
import { peerTransport, type PeerTransportOptions } from './transports.ts'

const crypto = await openCrypto({ backend: 'wasm' })
let dataDir: string
const opened: Transport[] = []

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'transports-'))
})
afterEach(async () => {
  for (const transport of opened.splice(0)) await transport.close()
  await rm(dataDir, { recursive: true })
})

async function open(options: Partial<PeerTransportOptions> = {}): Promise<Transport> {
  const transport = await peerTransport({ relay: 'off', bind: '127.0.0.1:0', ...options })({
    dataDir,
    keyPair: crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(1))),
    scheduler: createSystemScheduler(),
    random: createSystemRandom(),
    logger: silentLogger,
  })
  opened.push(transport)
  return transport
}

/** The ports by kind, of IPv4. */
function portsOf(transport: Transport): Readonly<Record<string, number>> {
  const found = transport.addresses().map((address) => /^(\w+):127\.0\.0\.1:(\d+)$/.exec(address))
  return Object.fromEntries(found.flatMap((match) => (match === null ? [] : [[match[1] ?? '', Number(match[2])]])))
}

async function takePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it listens on a port')
  opened.push({ close: async () => void server.close() } as Transport)
  return address.port
}

describe('how peers are reached', () => {
  test('is TLS and QUIC as one, each on the port it had', async () => {
    const first = await open()
    expect(first.name).toBe('tls+iroh')
    const ports = portsOf(first)
    expect(Object.keys(ports).toSorted()).toEqual(['iroh', 'tls'])
    await first.close()
    expect(portsOf(await open())).toEqual(ports)
  })

  test('is QUIC alone where TLS is switched off', async () => {
    const transport = await open({ tls: 'off' })
    expect(transport.name).toBe('iroh')
    expect(Object.keys(portsOf(transport))).toEqual(['iroh'])
  })

  test('is on one number for both where a port is given, and TLS gives way where that is taken', async () => {
    const port = await takePort()
    const ports = portsOf(await open({ bind: `127.0.0.1:${port}` }))
    expect(ports['iroh']).toBe(port)
    expect(ports['tls']).not.toBe(port)
  })

  test('is refused by name where TLS has an address of its own that is taken, and nothing is left open', async () => {
    const bind = `127.0.0.1:${await takePort()}`
    await expect(open({ tls: { bind } })).rejects.toMatchObject({ detail: { address: bind } })
    const free = portsOf(await open({ tls: { bind: '127.0.0.1:0' } }))
    expect(Object.keys(free).toSorted()).toEqual(['iroh', 'tls'])
    await expect(open({ bind: 'nonsense' })).rejects.toBeInstanceOf(BindFailed)
  })
})
