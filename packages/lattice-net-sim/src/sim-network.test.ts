import { createAbortController, type PublicKey } from '@lattice/model'
import { createManualScheduler, createSeededRandom, type ManualScheduler } from '@lattice/model/testing'
import { type BiStream, type Connection, PeerUnreachable, StreamLost, type Transport } from '@lattice/net-types'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createSimNetwork,
  IDLE_TIMEOUT_MS,
  MAX_INCOMING,
  MAX_OPEN_STREAMS,
  type SimEvent,
  type SimNetwork,
  type SimNetworkOptions,
  simAddress,
  STREAM_WINDOW_BYTES,
} from './index.ts'
import { keyOf, runInVirtualTime } from './testing/virtual-time.ts'

const A = keyOf(0)
const B = keyOf(1)
const C = keyOf(2)

interface World {
  readonly scheduler: ManualScheduler
  readonly network: SimNetwork
  readonly events: SimEvent[]
}

function createWorld(seed = 'world', options: Partial<SimNetworkOptions> = {}): World {
  const scheduler = createManualScheduler()
  const events: SimEvent[] = []
  const network = createSimNetwork({
    random: createSeededRandom(seed),
    scheduler,
    latencyMs: { min: 5, max: 50 },
    onEvent: (event) => events.push(event),
    ...options,
  })
  return { scheduler, network, events }
}

async function accept(transport: Transport): Promise<Connection> {
  const next = await transport.incoming[Symbol.asyncIterator]().next()
  if (next.done === true) throw new Error('no connection came in')
  return next.value
}

async function firstStream(connection: Connection): Promise<BiStream> {
  const next = await connection.streams[Symbol.asyncIterator]().next()
  if (next.done === true) throw new Error('no stream came in')
  return next.value
}

function dial(transport: Transport, peer: PublicKey): Promise<Connection> {
  return transport.connect(peer, { addresses: [], signal: createAbortController().signal })
}

async function connectPair({ network, scheduler }: World): Promise<{ near: Connection; far: Connection }> {
  const [a, b] = [network.transport(A), network.transport(B)]
  return runInVirtualTime(scheduler, async () => {
    const [near, far] = await Promise.all([dial(a, B), accept(b)])
    return { near, far }
  })
}

/** Two ends of a stream that both sides know of. */
async function openStream(near: Connection, far: Connection): Promise<readonly [BiStream, BiStream]> {
  const stream = await near.open()
  await stream.write(new Uint8Array(1))
  const other = await firstStream(far)
  await other.read()
  return [stream, other]
}

/** Several nodes that talk, while the network is disturbed at fixed times. */
async function disturbedRun(seed: string): Promise<readonly SimEvent[]> {
  const world = createWorld(seed, { loseOneIn: 200, streamWindowBytes: 64 * 1024 })
  const { network, scheduler, events } = world
  const transports = [A, B, C].map(network.transport)
  const serve = async (transport: Transport): Promise<void> => {
    for await (const connection of transport.incoming) {
      serveStreams(connection).catch(() => undefined)
    }
  }
  const talk = async (transport: Transport, peer: PublicKey): Promise<void> => {
    for (let round = 0; round < 6; round += 1) {
      try {
        const connection = await dial(transport, peer)
        const stream = await connection.open()
        await Promise.all([stream.write(new Uint8Array(40_000)).then(stream.finish), drain(stream)])
        await connection.close('done')
      } catch (error) {
        if (!(error instanceof PeerUnreachable || error instanceof StreamLost)) throw error
      }
    }
  }
  scheduler.after(150, () => network.partition([[A], [B, C]]))
  scheduler.after(600, network.heal)
  scheduler.after(900, () => network.cut(B, C, { oneWay: true }))
  scheduler.after(30_000, network.heal)
  scheduler.after(30_500, () => network.disconnect(A, C))
  scheduler.after(1_200, () => network.crash(B))
  await runInVirtualTime(scheduler, async () => {
    const serving = transports.map(serve)
    await Promise.all(
      transports.flatMap((transport) =>
        [A, B, C].filter((peer) => peer !== transport.id).map((peer) => talk(transport, peer)),
      ),
    )
    await Promise.all(transports.map((transport) => transport.close()))
    await Promise.all(serving)
  })
  return events
}

async function serveStreams(connection: Connection): Promise<void> {
  for await (const stream of connection.streams) {
    for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) await stream.write(chunk)
    await stream.finish()
  }
}

async function drain(stream: BiStream): Promise<void> {
  for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read());
}

describe('repeatability', () => {
  test('the same seed and the same calls give the same events; another seed gives others', async () => {
    const first = await disturbedRun('one')
    expect(first.length).toBeGreaterThan(100)
    expect(new Set(first.map(({ kind }) => kind))).toEqual(
      new Set(['dial', 'accept', 'connect', 'data', 'credit', 'finish', 'close', 'lost', 'crash']),
    )
    expect(await disturbedRun('one')).toEqual(first)
    expect(await disturbedRun('two')).not.toEqual(first)
  })

  test('streams deliver every byte in order, for any latency, window and seed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string(),
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 1, max: 5000 }),
        fc.array(fc.uint8Array({ maxLength: 9000 }), { maxLength: 8 }),
        async (seed, max, streamWindowBytes, writes) => {
          const world = createWorld(seed, { latencyMs: { min: 0, max }, streamWindowBytes })
          const { near, far } = await connectPair(world)
          const received: number[] = []
          await runInVirtualTime(world.scheduler, async () => {
            const stream = await near.open()
            const write = async (): Promise<void> => {
              for (const bytes of writes) await stream.write(bytes)
              await stream.finish()
            }
            const read = async (): Promise<void> => {
              const other = await firstStream(far)
              for (let chunk = await other.read(); chunk !== undefined; chunk = await other.read())
                received.push(...chunk)
            }
            await Promise.all([write(), read()])
          })
          expect(received).toEqual(writes.flatMap((bytes) => [...bytes]))
        },
      ),
      { numRuns: 40 },
    )
  })

  test('nothing happens until time passes', async () => {
    const { network, scheduler, events } = createWorld()
    const [a, b] = [network.transport(A), network.transport(B)]
    const dialling = dial(a, B)
    await scheduler.advanceAsync(4)
    expect(events.map(({ kind }) => kind)).toEqual(['dial'])
    await scheduler.advanceAsync(96)
    expect((await dialling).peer).toBe(B)
    expect((await accept(b)).peer).toBe(A)
  })
})

describe('a partition', () => {
  test('holds what is sent and delivers it when it heals in time', async () => {
    const world = createWorld()
    const { near, far } = await connectPair(world)
    const [stream, other] = await runInVirtualTime(world.scheduler, () => openStream(near, far))
    world.network.partition([[A], [B]])
    await stream.write(new Uint8Array([7]))
    await world.scheduler.advanceAsync(IDLE_TIMEOUT_MS - 1)
    world.network.heal()
    expect(await runInVirtualTime(world.scheduler, other.read)).toEqual(new Uint8Array([7]))
    await world.scheduler.advanceAsync(IDLE_TIMEOUT_MS)
    expect(world.network.connectionCount()).toBe(1)
  })

  test('that lasts costs both ends the connection', async () => {
    const world = createWorld()
    const { near, far } = await connectPair(world)
    const [stream, other] = await runInVirtualTime(world.scheduler, () => openStream(near, far))
    const reads = Promise.allSettled([stream.read(), other.read()])
    world.network.partition([[A], [B]])
    await world.scheduler.advanceAsync(IDLE_TIMEOUT_MS)
    expect((await near.closed).by).toBe('lost')
    expect((await far.closed).by).toBe('lost')
    for (const read of await reads) expect(read).toMatchObject({ status: 'rejected', reason: { name: 'StreamLost' } })
    expect(world.network.connectionCount()).toBe(0)
  })

  test('leaves each group, and those no group names, connected among themselves', async () => {
    const { network, scheduler } = createWorld()
    const keys = [0, 1, 2, 3].map(keyOf)
    const [a, b, c, d] = keys.map(network.transport)
    if (a === undefined || b === undefined || c === undefined || d === undefined) throw new Error('four nodes')
    network.partition([[a.id, b.id]])
    await runInVirtualTime(scheduler, async () => {
      await expect(dial(a, c.id)).rejects.toBeInstanceOf(PeerUnreachable)
      await expect(dial(d, b.id)).rejects.toBeInstanceOf(PeerUnreachable)
      expect((await dial(a, b.id)).peer).toBe(b.id)
      expect((await dial(c, d.id)).peer).toBe(d.id)
    })
  })
})

describe('a cut', () => {
  test('of one direction loses a connection that lasts on it, and refuses new ones', async () => {
    const world = createWorld()
    const { near, far } = await connectPair(world)
    const [stream, other] = await runInVirtualTime(world.scheduler, () => openStream(near, far))
    world.network.cut(A, B, { oneWay: true })
    await other.write(new Uint8Array([1]))
    expect(await runInVirtualTime(world.scheduler, stream.read)).toEqual(new Uint8Array([1]))
    await world.scheduler.advanceAsync(IDLE_TIMEOUT_MS)
    expect([(await near.closed).by, (await far.closed).by]).toEqual(['lost', 'lost'])
  })

  test('between two nodes leaves the way round a third', async () => {
    const { network, scheduler } = createWorld()
    const [a, b] = [network.transport(A), network.transport(B), network.transport(C)]
    network.cut(A, B)
    await runInVirtualTime(scheduler, async () => {
      await expect(dial(a, B)).rejects.toBeInstanceOf(PeerUnreachable)
      expect((await dial(a, C)).peer).toBe(C)
      expect((await dial(b, C)).peer).toBe(C)
    })
  })

  test('hides a close from the peer, which loses the connection instead', async () => {
    const world = createWorld()
    const { near, far } = await connectPair(world)
    world.network.cut(A, B)
    await near.close('unheard')
    await world.scheduler.advanceAsync(IDLE_TIMEOUT_MS)
    expect([(await near.closed).by, (await far.closed).by]).toEqual(['local', 'lost'])
  })
})

describe('a crash', () => {
  test('says no goodbye: the peer finds out by silence, and the node can come back at once', async () => {
    const world = createWorld()
    const { near, far } = await connectPair(world)
    world.network.crash(B)
    expect((await far.closed).by).toBe('lost')
    const back = world.network.transport(B)
    const again = await runInVirtualTime(world.scheduler, () => dial(back, A))
    expect(again.peer).toBe(A)
    expect(world.network.connectionCount()).toBe(2)
    await world.scheduler.advanceAsync(IDLE_TIMEOUT_MS)
    expect(await near.closed).toEqual({ by: 'lost', message: 'the peer fell silent' })
    expect(world.network.connectionCount()).toBe(1)
  })

  test('ends the dials and the incoming connections of the node', async () => {
    const { network, scheduler } = createWorld()
    const a = network.transport(A)
    const dialling = dial(a, B)
    const accepting = a.incoming[Symbol.asyncIterator]().next()
    network.crash(A)
    await expect(dialling).rejects.toBeInstanceOf(PeerUnreachable)
    expect((await accepting).done).toBe(true)
    await scheduler.advanceAsync(IDLE_TIMEOUT_MS)
    expect(scheduler.pending()).toBe(0)
  })
})

describe('disconnect', () => {
  test('loses the connections of two nodes now, and new ones can be made', async () => {
    const world = createWorld()
    const { near, far } = await connectPair(world)
    world.network.disconnect(B, A)
    expect([(await near.closed).by, (await far.closed).by]).toEqual(['lost', 'lost'])
    expect(world.network.connectionCount()).toBe(0)
  })
})

describe('bounds', () => {
  test('an unread stream holds one window and no more, and goes on once part of it is read', async () => {
    const world = createWorld()
    const { near, far } = await connectPair(world)
    const [stream, other] = await runInVirtualTime(world.scheduler, () => openStream(near, far))
    // Of the first byte, which was read, the writer is not told by itself.
    await stream.write(new Uint8Array(STREAM_WINDOW_BYTES - 1))
    let taken = false
    const writing = stream.write(new Uint8Array(1)).then(() => (taken = true))
    await world.scheduler.advanceAsync(60_000)
    expect(taken).toBe(false)
    // A quarter of the window is read: that is told.
    for (let left = STREAM_WINDOW_BYTES / 4; left > 0;) left -= (await other.read())?.length ?? left
    await runInVirtualTime(world.scheduler, () => writing)
    expect(taken).toBe(true)
  })

  test('a connection has so many streams open; the next waits for one to end', async () => {
    const world = createWorld()
    const { near } = await connectPair(world)
    const streams: BiStream[] = []
    for (let count = 0; count < MAX_OPEN_STREAMS; count += 1) streams.push(await near.open())
    let opened = false
    const opening = near.open().then(() => (opened = true))
    await world.scheduler.advanceAsync(60_000)
    expect(opened).toBe(false)
    streams[0]?.reset()
    await opening
    expect(opened).toBe(true)
  })

  test('a stream nobody has written on is not seen', async () => {
    const world = createWorld()
    const { near, far } = await connectPair(world)
    await near.open()
    let seen = false
    const waiting = firstStream(far).then(() => (seen = true))
    await world.scheduler.advanceAsync(60_000)
    expect(seen).toBe(false)
    await far.close('bye')
    await expect(waiting).rejects.toThrow('no stream came in')
  })

  test('dials beyond what waits to be accepted are refused', async () => {
    const { network, scheduler } = createWorld()
    network.transport(A)
    await runInVirtualTime(scheduler, async () => {
      for (let index = 0; index < MAX_INCOMING; index += 1) await dial(network.transport(keyOf(10 + index)), A)
      await expect(dial(network.transport(B), A)).rejects.toBeInstanceOf(PeerUnreachable)
    })
    expect(network.connectionCount()).toBe(MAX_INCOMING)
  })

  test('a dial that is given up leaves no connection behind', async () => {
    const { network, scheduler } = createWorld()
    const [a, b] = [network.transport(A), network.transport(B)]
    const controller = createAbortController()
    const dialling = a.connect(B, { addresses: [simAddress(B)], signal: controller.signal })
    const far = await runInVirtualTime(scheduler, async () => {
      const accepted = await accept(b)
      controller.abort(new Error('never mind'))
      await expect(dialling).rejects.toThrow('never mind')
      return accepted
    })
    await scheduler.advanceAsync(200)
    expect((await far.closed).by).toBe('remote')
    expect(network.connectionCount()).toBe(0)
    expect(scheduler.pending()).toBe(0)
  })
})

describe('finding a peer', () => {
  test('needs an address when there is no discovery', async () => {
    const { network, scheduler } = createWorld('world', { discovery: false })
    const [a] = [network.transport(A), network.transport(B)]
    await expect(dial(a, B)).rejects.toBeInstanceOf(PeerUnreachable)
    const options = { addresses: ['iroh:127.0.0.1:1', simAddress(B)], signal: createAbortController().signal }
    expect((await runInVirtualTime(scheduler, () => a.connect(B, options))).peer).toBe(B)
  })

  test('one key has one transport at a time', () => {
    const { network } = createWorld()
    network.transport(A)
    expect(() => network.transport(A)).toThrow('a key has one transport at a time')
  })
})
