import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import process from 'node:process'
import { connect as connectTls, type ConnectionOptions, createSecureContext, type TLSSocket } from 'node:tls'
import { createAbortController, equalBytes, toSeed } from '@lattice/model'
import { createManualScheduler, type ManualScheduler } from '@lattice/model/testing'
import {
  BindFailed,
  CONNECT_TIMEOUT_MS,
  type Connection,
  HANDSHAKE_TIMEOUT_MS,
  KEPT_CONNECTIONS,
  MAX_HANDSHAKES,
  MAX_HANDSHAKES_PER_SOURCE,
  PeerUnreachable,
  type Transport,
} from '@lattice/net-types'
import { afterEach, describe, expect, test } from 'vitest'
import { createCertificate } from '../src/certificate.ts'
import { openTlsTransport, type TlsTransportOptions } from '../src/index.ts'
import { SILENCE_CHECK_MS } from '../src/tls-connection.ts'
import { MAX_CONNECTIONS_PER_SOURCE } from '../src/tls-transport.ts'
import { hostScheduler } from './host-scheduler.ts'
import { otherKind } from './other-kind.ts'

const seedOf = (index: number): Uint8Array => new Uint8Array(32).fill(index + 1)
const ends: (() => unknown)[] = []

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

async function open(index: number, options: Partial<TlsTransportOptions> = {}): Promise<Transport> {
  const transport = await openTlsTransport({
    secretSeed: toSeed(seedOf(index)),
    bindAddress: '127.0.0.1:0',
    scheduler: hostScheduler,
    ...options,
  })
  ends.push(() => transport.close())
  return transport
}

function portOf(transport: Transport): number {
  return Number(/:(\d+)$/.exec(transport.addresses()[0] ?? '')?.[1])
}

async function listen(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it listens on a port')
  return address.port
}

/** Unlike `once`, it takes an error for an end. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve()
    else socket.once('close', () => resolve())
  })
}

/** Stands between, and counts what passes. */
async function createTap(
  toPort: number,
): Promise<{ readonly port: number; readonly toServer: Buffer[]; readonly pair: () => readonly [Socket, Socket] }> {
  const toServer: Buffer[] = []
  let last: readonly [Socket, Socket] | undefined
  const port = await listen((near) => {
    const far = connect(toPort, '127.0.0.1')
    far.on('error', () => undefined)
    near.on('data', (bytes: Buffer) => {
      toServer.push(bytes)
      far.write(bytes)
    })
    far.on('data', (bytes: Buffer) => near.write(bytes))
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
    last = [near, far]
  })
  return {
    port,
    toServer,
    pair: () => {
      if (last === undefined) throw new Error('somebody connected')
      return last
    },
  }
}

const dialling = (transport: Transport, peer: Transport, port: number): Promise<Connection> =>
  transport.connect(peer.id, { addresses: [`tls:127.0.0.1:${port}`], signal: createAbortController().signal })

async function nextIncoming(transport: Transport): Promise<Connection> {
  const next = await transport.incoming[Symbol.asyncIterator]().next()
  if (next.done === true) throw new Error('a connection comes in')
  return next.value
}

/** A peer of TLS's own, with whatever certificate. */
async function strangerAt(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
  socket.on('error', () => undefined)
  ends.push(() => socket.destroy())
  return socket
}

/** The next time the manual scheduler has something to do, moves there; until the promise settles. */
async function advanceUntil<T>(
  scheduler: ManualScheduler,
  stepMs: number,
  work: Promise<T>,
): Promise<{ value: T; ms: number }> {
  let over = false
  let ms = 0
  const settled = work.finally(() => {
    over = true
  })
  settled.catch(() => undefined)
  while (!over) {
    await new Promise((resolve) => setImmediate(resolve))
    if (over) break
    scheduler.advance(stepMs)
    ms += stepMs
  }
  return { value: await settled, ms }
}

describe('who is at the other end', () => {
  test('another key than the one dialled is unreachable, and learns nothing of the dialler', async () => {
    const [dialler, wanted, other] = [await open(1), await open(2), await open(3)]
    const tap = await createTap(portOf(other))
    await expect(dialling(dialler, wanted, tap.port)).rejects.toBeInstanceOf(PeerUnreachable)
    const [near] = tap.pair()
    await closed(near)
    // One greeting, and not a byte once the other key was seen: no certificate, nothing of the protocol.
    expect(tap.toServer).toHaveLength(1)
    expect(Buffer.concat(tap.toServer).includes(Buffer.from(dialler.id))).toBe(false)

    // The same way with the right key says more: the test sees what it would see.
    const honest = await createTap(portOf(wanted))
    await dialling(dialler, wanted, honest.port)
    expect(honest.toServer.length).toBeGreaterThan(1)
  })

  test.each([
    ['no certificate', {}],
    ['an older TLS', { ...pemOf(4), maxVersion: 'TLSv1.2' as const }],
    ['no protocol', { ...pemOf(4), ALPNProtocols: [] }],
    ['another protocol', { ...pemOf(4), ALPNProtocols: ['h2'] }],
    ['a key of another kind', otherKind],
  ])('a dialler with %s is no peer', async (_, options) => {
    const acceptor = await open(5)
    const socket = await strangerAt(portOf(acceptor), { ALPNProtocols: ['lattice/1'], ...options })
    await closed(socket)
    const honest = await open(6)
    const [connection, incoming] = await Promise.all([
      dialling(honest, acceptor, portOf(acceptor)),
      nextIncoming(acceptor),
    ])
    expect(equalBytes(incoming.peer, honest.id)).toBe(true)
    await connection.close('done')
  })

  test('a dial whose first address is now that of another node goes on to the next', async () => {
    const [dialler, wanted, other] = [await open(1), await open(2), await open(3)]
    const addresses = [...other.addresses(), ...wanted.addresses()]
    const { signal } = createAbortController()
    const [near, far] = await Promise.all([dialler.connect(wanted.id, { addresses, signal }), nextIncoming(wanted)])
    expect(equalBytes(near.peer, wanted.id) && equalBytes(far.peer, dialler.id)).toBe(true)
  })

  test('a certificate of the right key and a hand that cannot sign is refused', () => {
    // The platform does not even take the two for one.
    expect(() => createSecureContext({ cert: createCertificate(toSeed(seedOf(1))).cert, key: pemOf(2).key })).toThrow(
      /key values mismatch/,
    )
  })
})

function pemOf(index: number): { readonly key: string; readonly cert: string } {
  const { key, cert } = createCertificate(toSeed(seedOf(index)))
  return { key, cert }
}

describe('time and room', () => {
  test('a dialler that is slow to prove itself is shown out, and its share is all it takes', async () => {
    const scheduler = createManualScheduler()
    const acceptor = await open(10, { scheduler })
    const slow = Array.from({ length: MAX_HANDSHAKES_PER_SOURCE }, () => connect(portOf(acceptor), '127.0.0.1'))
    for (const socket of slow) socket.on('error', () => undefined)
    await Promise.all(slow.map((socket) => once(socket, 'connect')))
    // One more from the same place is turned away before a byte is spent on it.
    const late = connect(portOf(acceptor), '127.0.0.1')
    late.on('error', () => undefined)
    await closed(late)
    expect(slow.filter((socket) => socket.closed)).toEqual([])
    scheduler.advance(HANDSHAKE_TIMEOUT_MS)
    await Promise.all(slow.map(closed))
    const [connection] = await Promise.all([
      dialling(await open(11), acceptor, portOf(acceptor)),
      nextIncoming(acceptor),
    ])
    await connection.close('done')
  })

  // Only there a socket may come from any address of the loopback network.
  const isLinux = process.platform === 'linux'

  test.runIf(isLinux)('diallers from many places that are slow to prove themselves keep nobody out', async () => {
    const acceptor = await open(10, { scheduler: createManualScheduler() })
    const slow = Array.from({ length: MAX_HANDSHAKES }, (_, index) =>
      connect({
        host: '127.0.0.1',
        port: portOf(acceptor),
        localAddress: `127.0.1.${Math.floor(index / MAX_HANDSHAKES_PER_SOURCE)}`,
      }),
    )
    for (const socket of slow) socket.on('error', () => undefined)
    ends.push(() => slow.map((socket) => socket.destroy()))
    await Promise.all(slow.map((socket) => once(socket, 'connect')))
    const [connection] = await Promise.all([
      dialling(await open(11), acceptor, portOf(acceptor)),
      nextIncoming(acceptor),
    ])
    await connection.close('done')
    await Promise.any(slow.map(closed))
    expect(slow.filter((socket) => socket.closed)).toHaveLength(1)
  })

  test.runIf(isLinux)(
    'more connections are taken in than a node keeps: which of them stay is decided where it is known who is needed',
    async () => {
      const acceptor = await open(18)
      const incoming = acceptor.incoming[Symbol.asyncIterator]()
      const stranger = { ...pemOf(19), ALPNProtocols: ['lattice/1'] }
      const taken: Connection[] = []
      while (taken.length < KEPT_CONNECTIONS + 1) {
        const localAddress = `127.0.1.${Math.floor(taken.length / MAX_CONNECTIONS_PER_SOURCE)}`
        const socket = connect({ host: '127.0.0.1', port: portOf(acceptor), localAddress })
        const [next] = await Promise.all([incoming.next(), strangerAt(portOf(acceptor), { ...stranger, socket })])
        if (next.done === true) throw new Error('the connection comes in')
        taken.push(next.value)
      }
      const honest = await open(16)
      const [near, far] = await Promise.all([dialling(honest, acceptor, portOf(acceptor)), incoming.next()])
      expect(equalBytes(far.value?.peer ?? acceptor.id, honest.id)).toBe(true)
      await near.close('done')
    },
  )

  test('a dial gives up at its deadline, where somebody listens and says nothing', async () => {
    const scheduler = createManualScheduler()
    const mute = await listen(() => undefined)
    const [dialler, wanted] = [await open(12, { scheduler }), await open(13)]
    const attempt = dialling(dialler, wanted, mute)
    scheduler.advance(CONNECT_TIMEOUT_MS)
    await expect(attempt).rejects.toBeInstanceOf(PeerUnreachable)
    expect(scheduler.pending()).toBe(0)
  })

  test('a silent peer is noticed within half a minute, at both ends', async () => {
    const scheduler = createManualScheduler()
    const [dialler, acceptor] = [await open(14, { scheduler }), await open(15, { scheduler })]
    const tap = await createTap(portOf(acceptor))
    const [near, far] = await Promise.all([dialling(dialler, acceptor, tap.port), nextIncoming(acceptor)])
    // Nothing passes any more, and nobody is told.
    for (const socket of tap.pair()) socket.pause()
    const { value, ms } = await advanceUntil(scheduler, SILENCE_CHECK_MS, Promise.all([near.closed, far.closed]))
    expect(value.map(({ by }) => by)).toEqual(['lost', 'lost'])
    expect(ms).toBeLessThanOrEqual(30_000)
  })

  test('a peer that has nothing to say is not silent', async () => {
    const scheduler = createManualScheduler()
    const [dialler, acceptor] = [await open(16, { scheduler }), await open(17, { scheduler })]
    const [near, far] = await Promise.all([dialling(dialler, acceptor, portOf(acceptor)), nextIncoming(acceptor)])
    let ended = false
    for (const connection of [near, far]) connection.closed.then(() => (ended = true)).catch(() => undefined)
    for (let checks = 0; checks < 12; checks += 1) {
      scheduler.advance(SILENCE_CHECK_MS)
      // Pings and their answers pass between: that takes a few turns of the event loop.
      for (let turns = 0; turns < 50; turns += 1) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(ended).toBe(false)
  })
})

describe('a proved peer that breaks the framing', () => {
  test.each([
    ['noise', Buffer.alloc(100, 0xee)],
    ['a frame that is not there', Buffer.from([3, 0, 0, 0, 1, 0, 0, 0, 1])],
    ['an end in the middle of a frame', Buffer.from([0, 0, 0])],
  ])('loses its connection, and nobody else does: %s', async (_, bytes) => {
    const acceptor = await open(20)
    const incoming = acceptor.incoming[Symbol.asyncIterator]()
    const honest = await dialling(await open(21), acceptor, portOf(acceptor))
    await incoming.next()
    const socket = await strangerAt(portOf(acceptor), { ...pemOf(22), ALPNProtocols: ['lattice/1'] })
    const next = await incoming.next()
    if (next.done === true) throw new Error('the connection comes in')
    socket.write(bytes)
    if (bytes.length < 9) socket.end()
    expect((await next.value.closed).by).toBe('lost')
    const stream = await honest.open()
    await stream.write(Uint8Array.of(1))
    stream.reset()
  })
})

describe('where it listens', () => {
  test('on the interface it was given, and there again after a restart', async () => {
    const first = await open(30)
    expect(first.addresses()).toEqual([`tls:127.0.0.1:${portOf(first)}`])
    const port = portOf(first)
    await first.close()
    expect(first.addresses()).toEqual([])
    const again = await open(30, { bindAddress: `127.0.0.1:${port}` })
    expect(portOf(again)).toBe(port)
  })

  test('on every interface by default, and tells of none but those that others reach', async () => {
    const transport = await openTlsTransport({ secretSeed: toSeed(seedOf(31)), scheduler: hostScheduler })
    ends.push(() => transport.close())
    const addresses = transport.addresses()
    expect(addresses.length).toBeGreaterThan(0)
    const others = addresses.filter((address) => !/^tls:(127\.|\[::1\]|\[fe80)/.test(address))
    expect(addresses.length === others.length || addresses.length === 1).toBe(true)
  })

  test('says which address it cannot listen on', async () => {
    const taken = `127.0.0.1:${portOf(await open(32))}`
    await expect(open(33, { bindAddress: taken })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      detail: { address: taken },
    })
    for (const bindAddress of ['', 'localhost:1', '127.0.0.1', '127.0.0.1:99999']) {
      await expect(open(33, { bindAddress })).rejects.toBeInstanceOf(BindFailed)
    }
  })
})
