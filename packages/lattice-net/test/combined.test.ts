import { type AbortSignal, createAbortController, equalBytes, isLatticeError } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { type Connection, PeerUnreachable, StreamLost, type Transport } from '@lattice/net-types'
import { transportCompliance } from '@lattice/net-types/compliance'
import { describe, expect, test } from 'vitest'
import { createCombinedTransport } from '../src/index.ts'
import { CONTROL_BYTES_PER_MINUTE, PATH_PROBE_MS } from '../src/combined/path.ts'
import { MAX_UNSAID, MAX_UNSAID_PER_PEER, PREFACE_DEADLINE_MS } from '../src/combined/path-acceptor.ts'
import { REDIAL_FIRST_MS } from '../src/combined/path-dialer.ts'
import { offerPath, PATH_NUMBER_BYTES } from '../src/combined/path-preface.ts'
import {
  acceptFrom,
  connectPair,
  createTwoWays,
  echoes,
  keyOf,
  openStream,
  pauseMs,
  settlesWithin,
  runInVirtualTime,
} from './two-ways.ts'

const noAbort = (): AbortSignal => createAbortController().signal
const numberOf = (fill: number): Uint8Array => new Uint8Array(PATH_NUMBER_BYTES).fill(fill)
const streamsOf = (connection: Connection) => connection.streams[Symbol.asyncIterator]()
const nobody = { peer: keyOf(99), addresses: [`fast:${'64'.repeat(32)}`, `slow:${'64'.repeat(32)}`] }

describe('two transports as one', () => {
  const ways = createTwoWays()
  const cases = transportCompliance({ open: async (index) => ways.open(index), nobody, during: ways.run })
  for (const { name, run } of cases) test(name, run)
})

describe.each(['fast', 'slow'] as const)('two transports of which only the %s one works', (way) => {
  const ways = createTwoWays()
  ways.turn(way === 'fast' ? 'slow' : 'fast', 'off')
  const cases = transportCompliance({ open: async (index) => ways.open(index), nobody, during: ways.run })
  for (const { name, run } of cases) test(name, run)
})

describe('the paths of a connection', () => {
  test('the first that is up serves, and the preferred one takes new streams when it appears', async () => {
    const ways = createTwoWays({ fast: { latencyMs: { min: 300, max: 300 } } })
    await ways.run(async () => {
      const [a, b] = [ways.open(0), ways.open(1)]
      const [near, far] = await connectPair(a, b)
      const streams = streamsOf(far)
      expect([near.path?.(), far.path?.()]).toEqual(['slow', 'slow'])
      const [early, earlyFar] = await openStream(near, streams)
      await new Promise<void>((resolve) => near.onImproved?.(resolve))
      expect(near.path?.()).toBe('fast')
      const [late, lateFar] = await openStream(near, streams)
      ways.network('slow').disconnect(a.id, b.id)
      await expect(early.read()).rejects.toBeInstanceOf(StreamLost)
      await expect(earlyFar.read()).rejects.toBeInstanceOf(StreamLost)
      expect(await echoes(late, lateFar)).toBe(true)
      await Promise.all([a.close(), b.close()])
    })
  })

  test('one that is lost leaves the connection alive on the other, and is dialled again', async () => {
    const ways = createTwoWays()
    await ways.run(async () => {
      const [a, b] = [ways.open(0), ways.open(1)]
      const [near, far] = await connectPair(a, b)
      const streams = streamsOf(far)
      await pauseMs(ways.scheduler, 1000)
      ways.network('fast').disconnect(a.id, b.id)
      await pauseMs(ways.scheduler, 10)
      expect([near.path?.(), far.path?.()]).toEqual(['slow', 'slow'])
      expect(await echoes(...(await openStream(near, streams)))).toBe(true)
      await pauseMs(ways.scheduler, REDIAL_FIRST_MS + 1000)
      expect([near.path?.(), far.path?.()]).toEqual(['fast', 'fast'])
      // It is still the one connection.
      expect(await echoes(...(await openStream(near, streams)))).toBe(true)
      await Promise.all([a.close(), b.close()])
    })
  })

  test('with the last of them the connection ends, at both ends', async () => {
    const ways = createTwoWays()
    await ways.run(async () => {
      const [a, b] = [ways.open(0), ways.open(1)]
      const [near, far] = await connectPair(a, b)
      await pauseMs(ways.scheduler, 1000)
      for (const way of ['fast', 'slow'] as const) ways.network(way).disconnect(a.id, b.id)
      expect((await near.closed).by).toBe('lost')
      expect((await far.closed).by).toBe('lost')
      await expect(near.open()).rejects.toBeInstanceOf(StreamLost)
      await Promise.all([a.close(), b.close()])
    })
  })

  test('one that is silent is found out when the other is lost', async () => {
    const ways = createTwoWays({ slow: { idleTimeoutMs: 60_000 } })
    await ways.run(async () => {
      const [a, b] = [ways.open(0), ways.open(1)]
      const [near] = await connectPair(a, b)
      await pauseMs(ways.scheduler, 1000)
      ways.network('slow').cut(a.id, b.id)
      ways.network('fast').disconnect(a.id, b.id)
      expect(await settlesWithin(near.closed, { scheduler: ways.scheduler, maxMs: PATH_PROBE_MS + 100 })).toBe(true)
      expect((await near.closed).by).toBe('lost')
      await Promise.all([a.close(), b.close()])
    })
  })

  test('a peer that gives up one transport is reached over the other', async () => {
    const ways = createTwoWays()
    await ways.run(async () => {
      const [fast, slow] = [ways.single('fast', 1), ways.single('slow', 1)]
      const { scheduler } = ways
      const b = createCombinedTransport({ transports: [fast, slow], scheduler, random: createSeededRandom('b') })
      const a = ways.open(0)
      const [near, far] = await connectPair(a, b)
      await pauseMs(scheduler, 1000)
      await fast.close()
      await pauseMs(scheduler, 1000)
      expect(near.path?.()).toBe('slow')
      expect(await echoes(...(await openStream(near, streamsOf(far))))).toBe(true)
      await Promise.all([a.close(), b.close()])
    })
  })

  test('none is left open when the dial is given up, or the connection closed, before it is up', async () => {
    const ways = createTwoWays({ slow: { latencyMs: { min: 400, max: 400 } } })
    await ways.run(async () => {
      const [a, b] = [ways.open(0), ways.open(1)]
      const [near, far] = await connectPair(a, b)
      await near.close('soon over')
      expect((await far.closed).message).toBe('soon over')
      await pauseMs(ways.scheduler, 5000)
      expect(ways.network('slow').connectionCount() + ways.network('fast').connectionCount()).toBe(0)
      // The late path of an ended connection begins none.
      const [again] = await connectPair(a, b)
      expect(again.path?.()).toBe('fast')
      await Promise.all([a.close(), b.close()])
    })
  })
})

describe('which connection a path belongs to', () => {
  test('a peer that started anew is noticed by the first path that leads to it', async () => {
    const ways = createTwoWays({ slow: { idleTimeoutMs: 600_000 } })
    await ways.run(async () => {
      const [a, b] = [ways.open(0), ways.open(1)]
      const [near] = await connectPair(a, b)
      await pauseMs(ways.scheduler, 1000)
      // What is left of the node still answers on the slow path, as a forgotten process would.
      ways.network('fast').crash(b.id)
      const again = createCombinedTransport({
        transports: [ways.single('fast', 1)],
        scheduler: ways.scheduler,
        random: createSeededRandom('b, later'),
      })
      ways.network('fast').disconnect(a.id, b.id)
      expect(await near.closed).toEqual({ by: 'lost', message: 'the peer has started anew' })
      await Promise.all([a.close(), b.close(), again.close()])
    })
  })

  test('a peer that names the connection of another begins one of its own', async () => {
    const ways = createTwoWays()
    await ways.run(async () => {
      // The liar draws the same numbers.
      const transportsOf = (index: number): readonly Transport[] => [ways.single('fast', index)]
      const { scheduler } = ways
      const honest = createCombinedTransport({
        transports: transportsOf(0),
        scheduler,
        random: createSeededRandom('same'),
      })
      const liar = createCombinedTransport({
        transports: transportsOf(2),
        scheduler,
        random: createSeededRandom('same'),
      })
      const b = ways.open(1)
      const incoming = b.incoming[Symbol.asyncIterator]()
      const options = { addresses: b.addresses(), signal: noAbort() }
      const [nearHonest, first] = await Promise.all([honest.connect(b.id, options), incoming.next()])
      const [nearLiar, second] = await Promise.all([liar.connect(b.id, options), incoming.next()])
      if (first.done === true || second.done === true) throw new Error('two connections come in')
      expect(equalBytes(first.value.peer, honest.id)).toBe(true)
      expect(equalBytes(second.value.peer, liar.id)).toBe(true)
      await nearLiar.close('gone')
      await second.value.closed
      expect(await echoes(...(await openStream(nearHonest, streamsOf(first.value))))).toBe(true)
      await Promise.all([honest.close(), liar.close(), b.close()])
    })
  })

  test('a late path of a connection that has ended does not begin it anew', async () => {
    const ways = createTwoWays()
    await ways.run(async () => {
      const [fast, slow, b] = [ways.single('fast', 5), ways.single('slow', 5), ways.open(1)]
      const number = new Uint8Array(PATH_NUMBER_BYTES).fill(3)
      const to = { addresses: b.addresses(), signal: noAbort() }
      const first = await fast.connect(b.id, to)
      const [, whole] = await Promise.all([offerPath(first, number), acceptFrom(b)])
      await whole.close('over')
      const late = await slow.connect(b.id, to)
      await offerPath(late, number).catch(() => undefined)
      expect((await late.closed).by).toBe('remote')
      // What comes in next is of somebody else.
      const [near, next] = await connectPair(ways.open(0), b)
      expect(equalBytes(next.peer, keyOf(0))).toBe(true)
      await near.close('done')
      await Promise.all([fast.close(), slow.close(), b.close()])
    })
  })

  test('both may dial at once: two connections, each whole', async () => {
    const ways = createTwoWays()
    await ways.run(async () => {
      const [a, b] = [ways.open(0), ways.open(1)]
      const [[fromA, atB], [fromB, atA]] = await Promise.all([connectPair(a, b), connectPair(b, a)])
      await pauseMs(ways.scheduler, 1000)
      await fromB.close('one is enough')
      expect((await atA.closed).by).toBe('remote')
      expect(await echoes(...(await openStream(fromA, streamsOf(atB))))).toBe(true)
      await Promise.all([a.close(), b.close()])
    })
  })

  test.each([
    ['nothing', () => Promise.resolve(undefined)],
    ['an unfinished number', (bytes: (b: Uint8Array) => Promise<void>) => bytes(Uint8Array.of(1, 2, 3))],
    ['another version', (bytes: (b: Uint8Array) => Promise<void>) => bytes(new Uint8Array(17).fill(9))],
    ['too much', (bytes: (b: Uint8Array) => Promise<void>) => bytes(new Uint8Array(4096).fill(1))],
  ])('a peer that says %s is turned away in time, and is no connection', async (_, say) => {
    const ways = createTwoWays()
    await ways.run(async () => {
      const [stranger, b] = [ways.single('fast', 5), ways.open(1)]
      const connection = await stranger.connect(b.id, { addresses: b.addresses(), signal: noAbort() })
      const stream = await connection.open()
      await say((bytes) => stream.write(bytes))
      const maxMs = PREFACE_DEADLINE_MS + 100
      expect(await settlesWithin(connection.closed, { scheduler: ways.scheduler, maxMs })).toBe(true)
      expect((await connection.closed).by).toBe('remote')
      const [near, first] = await connectPair(ways.open(0), b)
      expect(equalBytes(first.peer, keyOf(0))).toBe(true)
      await near.close('done')
      await Promise.all([stranger.close(), b.close()])
    })
  })

  test('a peer that opens a thousand paths and says nothing has a few of them for a while, and takes no room of others', async () => {
    const ways = createTwoWays()
    await ways.run(async () => {
      const [stranger, b] = [ways.single('fast', 5), ways.open(1)]
      const opened: Connection[] = []
      const closed = new Map<string, number>()
      for (let count = 0; count < 1_000; count += 1) {
        const connection = await stranger.connect(b.id, { addresses: b.addresses(), signal: noAbort() })
        opened.push(connection)
        connection.closed
          .then(({ message }) => closed.set(message, (closed.get(message) ?? 0) + 1))
          .catch(() => undefined)
      }
      await pauseMs(ways.scheduler, 100)
      expect(Object.fromEntries(closed)).toEqual({ 'too many paths at once': 1_000 - MAX_UNSAID_PER_PEER })
      // Others come in meanwhile, at once.
      const startedMs = ways.scheduler.clock.monotonicMs()
      const [near] = await connectPair(ways.open(0), b)
      expect(ways.scheduler.clock.monotonicMs() - startedMs).toBeLessThan(1_000)
      // So does it, once it says what it is to say.
      await pauseMs(ways.scheduler, PREFACE_DEADLINE_MS)
      expect(closed.get('not a path')).toBe(MAX_UNSAID_PER_PEER)
      const [, whole] = await Promise.all([
        offerPath(await stranger.connect(b.id, { addresses: b.addresses(), signal: noAbort() }), numberOf(1)),
        acceptFrom(b),
      ])
      expect(equalBytes(whole.peer, stranger.id)).toBe(true)
      await near.close('done')
      await Promise.all([stranger.close(), b.close()])
    })
  })

  test('sixteen peers with four silent paths each keep nobody out, however soon they renew them', async () => {
    const ways = createTwoWays()
    await ways.run(async () => {
      const b = ways.open(1)
      const options = { addresses: b.addresses(), signal: noAbort() }
      const many = Array.from({ length: MAX_UNSAID / MAX_UNSAID_PER_PEER }, (_, index) =>
        ways.single('fast', 100 + index),
      )
      const end = createAbortController()
      const renew = async (transport: Transport): Promise<void> => {
        while (!end.signal.aborted) await (await transport.connect(b.id, options)).closed
      }
      const renewing = many.flatMap((each) => Array.from({ length: MAX_UNSAID_PER_PEER }, () => renew(each)))
      await pauseMs(ways.scheduler, 100)
      const startedMs = ways.scheduler.clock.monotonicMs()
      for (let index = 0; index < 4; index += 1) {
        const [near, far] = await connectPair(ways.open(2 + index), b)
        expect(await echoes(...(await openStream(near, streamsOf(far))))).toBe(true)
      }
      expect(ways.scheduler.clock.monotonicMs() - startedMs).toBeLessThan(1_000)
      end.abort()
      await Promise.all([...many.map((transport) => transport.close()), b.close()])
      await Promise.allSettled(renewing)
    })
  })

  test('many peers that say nothing are bounded together, and gone by the deadline', async () => {
    const ways = createTwoWays()
    await ways.run(async () => {
      const b = ways.open(1)
      const many = Array.from({ length: MAX_UNSAID + 6 }, (_, index) => ways.single('fast', 100 + index))
      const messages: string[] = []
      for (const [index, transport] of many.entries()) {
        const connection = await transport.connect(b.id, { addresses: b.addresses(), signal: noAbort() })
        connection.closed.then(({ message }) => messages.push(`${index}: ${message}`)).catch(() => undefined)
      }
      await pauseMs(ways.scheduler, 100)
      // Those that were silent longest made room for the last.
      expect(messages).toEqual(Array.from({ length: 6 }, (_, index) => `${index}: too many paths at once`))
      await pauseMs(ways.scheduler, PREFACE_DEADLINE_MS)
      const [near] = await connectPair(ways.open(0), b)
      await near.close('done')
      await Promise.all([...many.map((transport) => transport.close()), b.close()])
    })
  })

  test.each([
    ['asks without end whether it lives', (count: number) => new Uint8Array(count).fill(1)],
    ['answers what nobody asked', (count: number) => new Uint8Array(count).fill(2)],
    ['says something else', () => new Uint8Array(1).fill(3)],
  ])('a peer that %s loses the path, and one that asks now and then does not', async (_, bytes) => {
    const ways = createTwoWays()
    await ways.run(async () => {
      const [odd, b] = [ways.single('fast', 5), ways.open(1)]
      const connection = await odd.connect(b.id, { addresses: b.addresses(), signal: noAbort() })
      const [{ control }] = await Promise.all([offerPath(connection, numberOf(2)), acceptFrom(b)])
      for (let minute = 0; minute < 3; minute += 1) {
        await control.write(new Uint8Array(CONTROL_BYTES_PER_MINUTE).fill(1))
        expect((await control.read())?.includes(2)).toBe(true)
        await pauseMs(ways.scheduler, 60_000)
      }
      await control.write(bytes(CONTROL_BYTES_PER_MINUTE + 1))
      expect(await settlesWithin(connection.closed, { scheduler: ways.scheduler, maxMs: 1_000 })).toBe(true)
      expect(await connection.closed).toMatchObject({ by: 'remote', message: 'the path is of no use' })
      await Promise.all([odd.close(), b.close()])
    })
  })

  test('a peer that answers with garbage is unreachable', async () => {
    const ways = createTwoWays()
    await ways.run(async () => {
      const [a, odd] = [ways.open(0), ways.single('fast', 1)]
      const answer = async (): Promise<void> => {
        const connection = await acceptFrom(odd)
        const { value: stream } = await streamsOf(connection).next()
        await stream?.write(new Uint8Array(40))
      }
      const dialling = a.connect(odd.id, { addresses: odd.addresses(), signal: noAbort() })
      const [outcome] = await Promise.allSettled([dialling, answer()])
      expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(PeerUnreachable) })
      if (outcome.status === 'rejected') expect(isLatticeError(outcome.reason)).toBe(true)
      await Promise.all([a.close(), odd.close()])
    })
  })
})

test('every failure of a dial is told, by the name of its transport', async () => {
  const ways = createTwoWays()
  ways.turn('slow', 'off')
  await runInVirtualTime(ways.scheduler, async () => {
    const a = ways.open(0)
    const error: unknown = await a.connect(nobody.peer, { ...nobody, signal: noAbort() }).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(PeerUnreachable)
    expect(String(error instanceof Error ? error.cause : '')).toMatch(/fast: .*; slow: /)
    await a.close()
  })
})
