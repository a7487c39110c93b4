/**
 * Real sockets on loopback: the cases of every discovery, floods, and interfaces that come and go.
 */
import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { networkInterfaces } from 'node:os'
import {
  type Clock,
  createAbortController,
  type Logger,
  type PublicKey,
  type Scheduler,
  silentLogger,
  toPublicKey,
} from '@lattice/model'
import { createManualScheduler, createSeededRandom } from '@lattice/model/testing'
import type { Discovery } from '@lattice/net-types'
import { discoveryCompliance } from '@lattice/net-types/compliance'
import { afterEach, describe, expect, test } from 'vitest'
import { createLanDiscovery, openMulticastWire } from '../src/index.ts'
import { encodeAnnouncement } from '../src/lan-message.ts'
import type { LanWire } from '../src/lan-wire.ts'
import { DEAF_MS, FLOOD_PACKETS_PER_SECOND, REVIEW_LINKS_MS } from '../src/multicast-wire.ts'
import { MDNS_GROUP, MDNS_PORT } from '../src/sockets.ts'
import { hostClock, hostScheduler } from './host-ports.ts'

/** Other runs may be on the host at the same time: keys are of this one alone. */
const keys = Array.from({ length: 4 }, () => toPublicKey(new Uint8Array(randomBytes(32))))
const keyOf = (index: number): PublicKey => keys[index] ?? toPublicKey(new Uint8Array(32))

interface Ports {
  readonly clock: Clock
  readonly scheduler: Scheduler
}

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

function open(index: number, { clock, scheduler }: Ports, logger: Logger = silentLogger): Discovery {
  const wire = { scope: 'loopback', clock, scheduler, logger } as const
  const discovery = createLanDiscovery({
    id: keyOf(index),
    openWire: (listener) => openMulticastWire(wire, listener),
    clock,
    scheduler,
    random: createSeededRandom(index),
    logger,
  })
  closers.push(discovery.close)
  return discovery
}

/** Collects the names of what is logged. */
function createLog(): {
  readonly logger: Logger
  readonly events: string[]
  readonly until: (event: string) => Promise<void>
} {
  const events: string[] = []
  const waiting = new Map<string, () => void>()
  const note = (event: string): void => {
    events.push(event)
    waiting.get(event)?.()
  }
  return {
    logger: { debug: () => undefined, info: note, warn: note, error: note },
    events,
    until: async (event) => {
      if (!events.includes(event)) await new Promise<void>((resolve) => waiting.set(event, resolve))
    },
  }
}

async function openSender(): Promise<Socket> {
  const socket = createSocket('udp4')
  closers.push(() => socket.close())
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  socket.setMulticastInterface('127.0.0.1')
  return socket
}
const send = (socket: Socket, bytes: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    // In a later turn: what is sent is to be read in between.
    socket.send(bytes, MDNS_PORT, MDNS_GROUP, (error) => (error === null ? setImmediate(resolve) : reject(error)))
  })

describe('the discovery on a real network', () => {
  const ports = { clock: hostClock, scheduler: hostScheduler }
  const cases = discoveryCompliance({
    open: async (index) => open(index, ports),
    peer: keyOf,
    addresses: (index) => [`iroh:127.0.0.1:${1000 + index}`, `tls:127.0.0.1:${2000 + index}`],
  })
  for (const { name, run } of cases) test(name, run)
})

describe('the wire of a real network', () => {
  test('goes deaf when it is flooded, says so once, and hears again', async () => {
    const manual = createManualScheduler()
    const { logger, events } = createLog()
    const node = open(0, { clock: manual.clock, scheduler: manual }, logger)
    const sender = await openSender()
    const found = node.events(createAbortController().signal)[Symbol.asyncIterator]()
    node.find(keyOf(1), createAbortController().signal)
    const noise = new Uint8Array(64)
    // The system drops some.
    for (let sent = 0; sent < 20 * FLOOD_PACKETS_PER_SECOND && !events.includes('lan.flooded'); sent += 1) {
      await send(sender, noise)
    }
    for (let sent = 0; sent < 100; sent += 1) await send(sender, noise)
    expect(events).toEqual(['lan.flooded'])
    manual.advance(DEAF_MS + REVIEW_LINKS_MS)
    const next = found.next()
    let isFound = false
    const noteFound = next.then(() => (isFound = true))
    // Its ears are open once the system has bound them, of which nobody is told: what comes before that is lost.
    while (!isFound) await send(sender, encodeAnnouncement(keyOf(1), ['iroh:127.0.0.1:1']))
    await noteFound
    expect((await next).value).toMatchObject({ kind: 'found', addresses: ['iroh:127.0.0.1:1'] })
  })

  test('says once that there is no link, and once that there is one, whenever they come and go', async () => {
    const manual = createManualScheduler()
    const { logger, events } = createLog()
    let interfaces: ReturnType<typeof networkInterfaces> = {}
    const lo = {
      address: '127.0.0.1',
      family: 'IPv4',
      internal: true,
      netmask: '255.0.0.0',
      mac: '',
      cidr: '127.0.0.1/8',
    } as const
    let onReady: () => void = () => undefined
    const ready = (): Promise<void> => new Promise((resolve) => (onReady = resolve))
    const options = {
      scope: 'loopback',
      clock: manual.clock,
      scheduler: manual,
      logger,
      interfaces: () => interfaces,
    } as const
    const wire = openMulticastWire(options, { onPacket: () => undefined, onLinksChanged: () => onReady() })
    closers.push(wire.close)
    manual.advance(10 * REVIEW_LINKS_MS)
    expect(events).toEqual(['lan.unavailable'])
    wire.send(new Uint8Array(64))
    for (let round = 1; round < 3; round += 1) {
      const isReady = ready()
      interfaces = { lo: [lo] }
      manual.advance(10 * REVIEW_LINKS_MS)
      await isReady
      expect(events).toHaveLength(2 * round)
      interfaces = {}
      manual.advance(10 * REVIEW_LINKS_MS)
      expect(events).toHaveLength(2 * round + 1)
    }
    expect(new Set(events)).toEqual(new Set(['lan.unavailable', 'lan.available']))
  })

  test('says once what it cannot send by, does not fail, and tries again', async () => {
    const manual = createManualScheduler()
    const { logger, events, until } = createLog()
    const missing = {
      address: '192.0.2.7',
      family: 'IPv4',
      internal: false,
      netmask: '',
      mac: '',
      cidr: '192.0.2.7/24',
    } as const
    const wire: LanWire = openMulticastWire(
      { scope: 'all', clock: manual.clock, scheduler: manual, logger, interfaces: () => ({ eth0: [missing] }) },
      { onPacket: () => undefined, onLinksChanged: () => undefined },
    )
    closers.push(wire.close)
    await until('lan.unavailable')
    const before = events.length
    for (let round = 0; round < 5; round += 1) {
      wire.send(new Uint8Array(64))
      manual.advance(REVIEW_LINKS_MS)
      // The system refuses the address in a later turn.
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(events.filter((event) => event === 'lan.unavailable').length - before).toBeLessThanOrEqual(1)
  })

  test('releases every socket when it closes, also one that is being opened', async () => {
    const sockets = async (): Promise<number> => {
      // The system's list is right a turn later.
      await new Promise((resolve) => setImmediate(resolve))
      return process.getActiveResourcesInfo().filter((name) => name === 'UDPWrap').length
    }
    const before = await sockets()
    const ports = { clock: hostClock, scheduler: hostScheduler }
    const opening = open(0, ports)
    await opening.close()
    expect(await sockets()).toBe(before)
    const node = open(0, ports)
    node.announce(['iroh:127.0.0.1:1'])
    node.find(keyOf(1), createAbortController().signal)
    const peer = open(1, ports)
    const events = node.events(createAbortController().signal)[Symbol.asyncIterator]()
    peer.announce(['iroh:127.0.0.1:2'])
    await events.next()
    expect(await sockets()).toBeGreaterThan(before)
    await Promise.all([node.close(), peer.close()])
    expect(await sockets()).toBe(before)
  })
})
