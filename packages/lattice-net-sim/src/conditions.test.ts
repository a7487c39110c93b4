import { createAbortController } from '@lattice/model'
import { createManualScheduler, createSeededRandom, type ManualScheduler } from '@lattice/model/testing'
import type { BiStream, Connection } from '@lattice/net-types'
import { describe, expect, test } from 'vitest'
import {
  type Conditions,
  createSimNetwork,
  createTraceHash,
  REPEATED_WITHIN_MS,
  type SimEvent,
  type SimNetwork,
} from './index.ts'
import { keyOf, runInVirtualTime } from './testing/virtual-time.ts'

const A = keyOf(0)
const B = keyOf(1)

interface Pair {
  readonly scheduler: ManualScheduler
  readonly network: SimNetwork
  readonly events: SimEvent[]
  readonly near: Connection
  readonly far: Connection
  /** Streams that come in at the far end: one consumer. */
  readonly inbound: AsyncIterator<BiStream>
}

/** Two nodes that are connected by a link without faults, which then is as the conditions say. */
async function createPair(conditions: Partial<Conditions>, seed = 'pair'): Promise<Pair> {
  const scheduler = createManualScheduler()
  const events: SimEvent[] = []
  const network = createSimNetwork({
    random: createSeededRandom(seed),
    scheduler,
    clock: scheduler.clock,
    latencyMs: { min: 10, max: 10 },
    onEvent: (event) => events.push(event),
  })
  const [dialling, accepting] = [network.transport(A), network.transport(B)]
  const [near, far] = await runInVirtualTime(scheduler, () =>
    Promise.all([
      dialling.connect(B, { addresses: [], signal: createAbortController().signal }),
      nextOf(accepting.incoming[Symbol.asyncIterator]()),
    ]),
  )
  network.change(conditions)
  return { scheduler, network, events, near, far, inbound: far.streams[Symbol.asyncIterator]() }
}

async function nextOf<T>(items: AsyncIterator<T>): Promise<T> {
  const next = await items.next()
  if (next.done === true) throw new Error('nothing came')
  return next.value
}

/** Sends one byte on a stream of its own; answers when it arrived. */
async function ping({ near, inbound, scheduler }: Pair, byte = 1): Promise<number> {
  const begunMs = scheduler.clock.monotonicMs()
  const stream = await near.open()
  await stream.write(new Uint8Array([byte]))
  const other = await nextOf(inbound)
  await other.read()
  return scheduler.clock.monotonicMs() - begunMs
}

async function readAll(stream: BiStream): Promise<number[]> {
  const bytes: number[] = []
  for (let next = await stream.read(); next !== undefined; next = await stream.read()) bytes.push(...next)
  return bytes
}

describe('a network that is worse', () => {
  test('delays some messages by spikes, and counts them', async () => {
    const pair = await createPair({ spikes: { oneIn: 2, latencyMs: { min: 500, max: 500 } } })
    const { scheduler, network } = pair
    const delays: number[] = []
    for (let nth = 0; nth < 20; nth += 1) delays.push(await runInVirtualTime(scheduler, () => ping(pair)))
    expect(new Set(delays)).toEqual(new Set([10, 510]))
    expect(network.faults().spikes).toBeGreaterThanOrEqual(delays.filter((delay) => delay === 510).length)
  })

  test('sends again what is lost, later each time, and loses nothing', async () => {
    const pair = await createPair({ resend: { oneIn: 2, timeoutMs: 200 } })
    const delays: number[] = []
    for (let nth = 0; nth < 40; nth += 1) delays.push(await runInVirtualTime(pair.scheduler, () => ping(pair)))
    expect(delays).toContain(10)
    expect(delays).toContain(210)
    // Lost twice: 200 ms, then 400 more.
    expect(delays).toContain(610)
    expect(delays).not.toContain(410)
    expect(pair.network.faults().resends).toBeGreaterThan(0)
  })

  test('holds up the stream of what is late, and no other', async () => {
    const pair = await createPair({})
    const { near, inbound, scheduler, network } = pair
    await runInVirtualTime(scheduler, async () => {
      const [slow, quick] = [await near.open(), await near.open()]
      network.change({ spikes: { oneIn: 1, latencyMs: { min: 1_000, max: 1_000 } } })
      await slow.write(new Uint8Array([1]))
      network.change({ spikes: undefined })
      await slow.write(new Uint8Array([2]))
      await slow.finish()
      await quick.write(new Uint8Array([3]))
      await quick.finish()
      const first = await nextOf(inbound)
      expect(scheduler.clock.monotonicMs()).toBeLessThan(1_000)
      expect(await readAll(first)).toEqual([3])
      const second = await nextOf(inbound)
      expect(scheduler.clock.monotonicMs()).toBeGreaterThanOrEqual(1_000)
      expect(await readAll(second)).toEqual([1, 2])
    })
  })

  test('plays the first data of a stream again, on another, up to its first answer', async () => {
    const pair = await createPair({ replayOneIn: 1 })
    const { near, inbound, scheduler, network, events } = pair
    await runInVirtualTime(scheduler, async () => {
      const stream = await near.open()
      await stream.write(new Uint8Array([1, 2, 3]))
      const real = await nextOf(inbound)
      await real.read()
      await real.write(new Uint8Array([9]))
      expect(await stream.read()).toEqual(new Uint8Array([9]))
      await stream.write(new Uint8Array([4]))
      network.change({ replayOneIn: undefined })
      const replayed = await nextOf(inbound)
      expect(await readAll(replayed)).toEqual([1, 2, 3])
      expect(scheduler.clock.monotonicMs()).toBeLessThanOrEqual(REPEATED_WITHIN_MS + 100)
      // Its answer reaches nobody: what the dialler reads is its own.
      await replayed.write(new Uint8Array([7]))
      await real.write(new Uint8Array([8]))
      expect(await stream.read()).toEqual(new Uint8Array([8]))
    })
    expect(network.faults().replays).toBe(1)
    expect(events.filter(({ kind }) => kind === 'replay')).toHaveLength(1)
  })

  test('has dials arrive twice: the second connection is nobody’s, and is lost', async () => {
    const scheduler = createManualScheduler()
    const latencyMs = { min: 10, max: 10 }
    const network = createSimNetwork({ random: createSeededRandom(1), scheduler, latencyMs, redialOneIn: 1 })
    const [dialling, accepting] = [network.transport(A), network.transport(B)]
    const incoming = accepting.incoming[Symbol.asyncIterator]()
    await runInVirtualTime(scheduler, async () => {
      const near = await dialling.connect(B, { addresses: [], signal: createAbortController().signal })
      const [first, second] = [await incoming.next(), await incoming.next()]
      expect(await second.value.closed).toMatchObject({ by: 'lost' })
      await near.close('done')
      expect(await first.value.closed).toEqual({ by: 'remote', message: 'done' })
    })
    expect(network.faults().redials).toBe(1)
    expect(network.connectionCount()).toBe(0)
  })

  test('carries so many bytes a second, each direction for itself', async () => {
    const pair = await createPair({ bytesPerSecond: 1_000 })
    const { near, inbound, scheduler, network } = pair
    await runInVirtualTime(scheduler, async () => {
      const stream = await near.open()
      await stream.write(new Uint8Array(2_000))
      await stream.finish()
      const other = await nextOf(inbound)
      const begunMs = scheduler.clock.monotonicMs()
      // The rest of the 2,000 bytes is on its way; a byte the other way waits for its own direction alone.
      await other.write(new Uint8Array(500))
      for (let left = 500; left > 0;) left -= (await stream.read())?.length ?? left
      expect(scheduler.clock.monotonicMs() - begunMs).toBeGreaterThanOrEqual(500)
      expect(scheduler.clock.monotonicMs() - begunMs).toBeLessThan(600)
      expect(await readAll(other)).toHaveLength(2_000)
      expect(scheduler.clock.monotonicMs()).toBeGreaterThanOrEqual(2_000)
    })
    expect(network.traffic(A, B).bytes).toBe(2_000)
  })

  test('counts what is sent, in all and one way between two nodes', async () => {
    const pair = await createPair({})
    const { network, scheduler } = pair
    const [before, back] = [network.traffic(A, B), network.traffic(B, A)]
    await runInVirtualTime(scheduler, () => ping(pair))
    await scheduler.advanceAsync(100)
    expect(network.traffic(A, B).bytes - before.bytes).toBe(1)
    expect(network.traffic(A, B).messages - before.messages).toBe(1)
    // So little earns no credit.
    expect(network.traffic(B, A).messages - back.messages).toBe(0)
    const total = network.traffic()
    expect(total.messages).toBe(network.traffic(A, B).messages + network.traffic(B, A).messages)
  })

  test.each<[string, Partial<Conditions>, string]>([
    ['a latency that ends before it begins', { latencyMs: { min: 5, max: 4 } }, 'the latency range is not empty'],
    ['a chance of one in nothing', { loseOneIn: 0 }, 'a chance is one in a whole number'],
    ['every message lost for ever', { resend: { oneIn: 1, timeoutMs: 10 } }, 'some messages get through'],
    ['a link that carries nothing', { bytesPerSecond: 0 }, 'a link carries something'],
  ])('is not to be had with %s', async (_, conditions, message) => {
    const { network } = await createPair({})
    expect(() => network.change(conditions)).toThrow(message)
  })
})

describe('the trace of a run', () => {
  const bad: Partial<Conditions> = {
    latencyMs: { min: 1, max: 80 },
    spikes: { oneIn: 5, latencyMs: { min: 100, max: 900 } },
    resend: { oneIn: 4, timeoutMs: 100 },
    replayOneIn: 3,
  }
  const run = async (seed: string): Promise<string> => {
    const pair = await createPair(bad, seed)
    // Replayed streams are read as any other: whichever comes next.
    for (let nth = 0; nth < 10; nth += 1) await runInVirtualTime(pair.scheduler, () => ping(pair, nth))
    await pair.scheduler.advanceAsync(10_000)
    const trace = createTraceHash()
    for (const event of pair.events) trace.addEvent(event)
    expect(trace.count()).toBe(pair.events.length)
    return trace.digest()
  }

  test('is the same for the same seed under every fault, and another for another', async () => {
    const [first, again, other] = [await run('one'), await run('one'), await run('two')]
    expect(again).toBe(first)
    expect(other).not.toBe(first)
  })

  test('tells apart what differs in one place, or in its order', () => {
    const digests = [['a', 'b'], ['b', 'a'], ['ab'], ['a', 'b', ''], ['a', 1], ['a', 2 ** 40], ['a', 2 ** 41]].map(
      (parts) => {
        const trace = createTraceHash()
        trace.add(...parts)
        return trace.digest()
      },
    )
    expect(new Set(digests).size).toBe(digests.length)
  })
})
