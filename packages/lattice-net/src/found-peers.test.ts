/**
 * What the dialer makes of what discovery tells: every rule in virtual time, over a discovery that says what it is told to.
 */
import {
  type AbortSignal,
  createAbortController,
  createBroadcast,
  type IdKey,
  idKey,
  type PublicKey,
  toPublicKey,
} from '@lattice/model'
import { createManualScheduler, createSeededRandom } from '@lattice/model/testing'
import {
  type Connection,
  type Discovery,
  type DiscoveryEvent,
  PeerUnreachable,
  type Transport,
} from '@lattice/net-types'
import { describe, expect, test } from 'vitest'
import { createDialer } from './dialer.ts'
import {
  DEFAULT_LIMITS,
  FIND_WITHIN_MS,
  HURRIED_DIAL_EVERY_MS,
  HURRIED_DIALS,
  MAX_ADDRESSES,
  MAX_DIAL_RESTARTS,
  OWN_ADDRESSES_EVERY_MS,
} from './limits.ts'
import { createPeerFinder } from './peer-finder.ts'

const peer = toPublicKey(new Uint8Array(32).fill(1))

interface Scripted {
  readonly discovery: Discovery
  /** Has the peer told of. */
  readonly tell: (...addresses: readonly string[]) => void
  readonly lag: () => void
  readonly sought: Map<IdKey, number>
  readonly announced: (readonly string[])[]
  readonly isClosed: () => boolean
}

function createScripted(): Scripted {
  const events = createBroadcast<DiscoveryEvent>({ capacity: 4 })
  const sought = new Map<IdKey, number>()
  const announced: (readonly string[])[] = []
  let isClosed = false
  const find = (who: PublicKey, signal: AbortSignal): void => {
    const key = idKey(who)
    sought.set(key, (sought.get(key) ?? 0) + 1)
    signal.addEventListener('abort', () => sought.set(key, (sought.get(key) ?? 0) - 1), { once: true })
  }
  const tell = (...addresses: readonly string[]): void => events.publish({ kind: 'found', peer, addresses })
  return {
    discovery: {
      name: 'scripted',
      announce: (addresses) => announced.push(addresses),
      find,
      events: events.subscribe,
      close: async () => {
        isClosed = true
        events.close()
      },
    },
    tell,
    lag: () => {
      for (let count = 0; count < 8; count += 1) events.publish({ kind: 'gone', peer })
    },
    sought,
    announced,
    isClosed: () => isClosed,
  }
}

const silence: Transport['connect'] = (_, { signal }) =>
  new Promise((__, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
const refusal: Transport['connect'] = (who, { addresses }) => Promise.reject(new PeerUnreachable(who, addresses))

function connectionOf(): Connection {
  return {
    peer,
    outgoing: true,
    open: () => Promise.reject(new Error('not opened here')),
    streams: { [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }) },
    closed: Promise.resolve({ by: 'local', message: '' }),
    close: async () => undefined,
  }
}

/** Answers where `place` is among the addresses, and leaves everything else to `otherwise`. */
const answerAt =
  (place: string, otherwise: Transport['connect']): Transport['connect'] =>
  async (who, options) =>
    options.addresses.includes(place) ? connectionOf() : otherwise(who, options)

function create(connect: Transport['connect']) {
  const scheduler = createManualScheduler()
  const scripted = createScripted()
  const dials: { readonly atMs: number; readonly addresses: readonly string[] }[] = []
  const connections: Connection[] = []
  let own: readonly string[] = ['own/1']
  const transport: Transport = {
    name: 'test',
    id: toPublicKey(new Uint8Array(32)),
    connect: (to, options) => {
      dials.push({ atMs: scheduler.clock.monotonicMs(), addresses: options.addresses })
      return connect(to, options)
    },
    incoming: { [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }) },
    addresses: () => own,
    close: async () => undefined,
  }
  const { signal } = createAbortController()
  const spawn = (_: string, task: () => Promise<void>): void => {
    task().catch(() => undefined)
  }
  const finder = createPeerFinder({ discovery: scripted.discovery, transport, scheduler, signal, spawn })
  const dialer = createDialer({
    transport,
    finder,
    clock: scheduler.clock,
    scheduler,
    random: createSeededRandom('found peers'),
    limits: DEFAULT_LIMITS,
    signal,
    isConnected: () => connections.length > 0,
    mutedForMs: () => 0,
    onConnection: (connection) => {
      connections.push(connection)
      dialer.onUp(peer)
    },
    spawn,
    addressesOf: () => [],
    onFailure: () => undefined,
  })
  const nowMs = scheduler.clock.monotonicMs
  return { ...scripted, dialer, finder, scheduler, dials, connections, nowMs, moveTo: (...to: string[]) => (own = to) }
}

describe('a dial', () => {
  test('that knows no address waits for the peer to be found', async () => {
    const { dialer, scheduler, dials, tell, connections } = create(answerAt('lan', refusal))
    const dial = dialer.dial(peer, [], createAbortController().signal)
    await scheduler.advanceAsync(FIND_WITHIN_MS - 1)
    tell('lan')
    await scheduler.advanceAsync(0)
    await dial
    expect(dials.map(({ addresses }) => addresses)).toEqual([[], ['lan']])
    expect(connections).toHaveLength(1)
  })

  test('that nobody is found for fails no later than the time to be found', async () => {
    const { dialer, scheduler, sought } = create(refusal)
    const dial = dialer.dial(peer, ['old'], createAbortController().signal).catch((error: unknown) => error)
    await scheduler.advanceAsync(FIND_WITHIN_MS)
    expect(await dial).toBeInstanceOf(PeerUnreachable)
    expect(sought.get(idKey(peer))).toBe(0)
  })

  test('of addresses that lead nowhere begins anew with those that are found', async () => {
    const { dialer, scheduler, dials, tell } = create(answerAt('lan', silence))
    const dial = dialer.dial(peer, ['old'], createAbortController().signal)
    await scheduler.advanceAsync(50)
    tell('lan')
    await scheduler.advanceAsync(0)
    await dial
    expect(dials).toEqual([
      { atMs: 0, addresses: ['old'] },
      { atMs: 50, addresses: ['old', 'lan'] },
    ])
  })

  test('is not made anew for what it tries already', async () => {
    const { dialer, scheduler, dials, tell } = create(silence)
    dialer.dial(peer, ['lan'], createAbortController().signal).catch(() => undefined)
    await scheduler.advanceAsync(50)
    tell('lan')
    await scheduler.advanceAsync(50)
    expect(dials).toHaveLength(1)
  })

  test('is made anew a bounded number of times, and what is remembered is tried each time', async () => {
    const { dialer, scheduler, dials, tell } = create(silence)
    dialer.dial(peer, ['good'], createAbortController().signal).catch(() => undefined)
    await scheduler.advanceAsync(0)
    for (let flood = 0; flood < 1000; flood += 1) {
      tell(...Array.from({ length: 100 }, (_, at) => `forged/${flood}/${at}`))
      await scheduler.advanceAsync(1)
    }
    expect(dials).toHaveLength(1 + MAX_DIAL_RESTARTS)
    for (const { addresses } of dials) {
      expect(addresses[0]).toBe('good')
      expect(addresses.length).toBeLessThanOrEqual(MAX_ADDRESSES)
    }
  })

  test('rejects with the reason of an abort while it waits for the peer to be found', async () => {
    const { dialer, scheduler } = create(refusal)
    const controller = createAbortController()
    const dial = dialer.dial(peer, [], controller.signal).catch((error: unknown) => error)
    await scheduler.advanceAsync(10)
    const reason = new Error('changed my mind')
    controller.abort(reason)
    expect(await dial).toBe(reason)
  })
})

describe('a wanted peer', () => {
  test('that is found while its dial waits is dialled at once', async () => {
    let isThere = false
    const { dialer, scheduler, tell, connections, nowMs, dials } = create((who, options) =>
      isThere ? Promise.resolve(connectionOf()) : refusal(who, options),
    )
    dialer.want(peer, ['same'])
    // Long waits by now.
    await scheduler.advanceAsync(600_000)
    const before = dials.length
    const foundAtMs = nowMs()
    isThere = true
    tell('same')
    await scheduler.advanceAsync(0)
    expect(connections).toHaveLength(1)
    expect(dials.slice(before)).toEqual([{ atMs: foundAtMs, addresses: ['same'] }])
  })

  test('costs a bounded number of dials however often it is found in vain, and no later one of its own', async () => {
    const quiet = create(refusal)
    const flooded = create(refusal)
    for (const { dialer, scheduler } of [quiet, flooded]) {
      dialer.want(peer, ['good'])
      await scheduler.advanceAsync(600_000)
    }
    const rounds = 600
    for (const { dials } of [quiet, flooded]) dials.length = 0
    for (let round = 0; round < rounds; round += 1) {
      for (const { scheduler } of [quiet, flooded]) await scheduler.advanceAsync(100)
      flooded.tell(`forged/${round}`)
    }
    const allowed = HURRIED_DIALS + (rounds * 100) / HURRIED_DIAL_EVERY_MS + 1
    // Each may begin anew for what is found meanwhile.
    expect(flooded.dials.length).toBeLessThanOrEqual((quiet.dials.length + allowed) * (1 + MAX_DIAL_RESTARTS))
    expect(flooded.dials.every(({ addresses }) => addresses[0] === 'good')).toBe(true)
    expect(flooded.dialer.state(peer)?.attempts).toBeLessThanOrEqual(quiet.dialer.state(peer)?.attempts ?? 0)
  })

  test('is looked for while it is away, and not while it is connected', async () => {
    const { dialer, scheduler, sought, tell, connections } = create(answerAt('lan', refusal))
    dialer.want(peer, [])
    await scheduler.advanceAsync(10)
    expect(sought.get(idKey(peer))).toBe(1)
    tell('lan')
    await scheduler.advanceAsync(10)
    expect(sought.get(idKey(peer))).toBe(0)
    connections.length = 0
    dialer.onDown(peer, 60_000)
    expect(sought.get(idKey(peer))).toBe(1)
    dialer.unwant(peer)
    expect(sought.get(idKey(peer))).toBe(0)
  })

  test('is looked for again when what was told of it was missed', async () => {
    const { dialer, scheduler, sought, lag } = create(silence)
    let asked = 0
    dialer.want(peer, [])
    await scheduler.advanceAsync(0)
    const set = sought.set.bind(sought)
    sought.set = (key, count) => {
      if (count > 0) asked += 1
      return set(key, count)
    }
    lag()
    await scheduler.advanceAsync(0)
    expect(asked).toBe(1)
    expect(sought.get(idKey(peer))).toBe(1)
  })
})

describe('this node', () => {
  test('is announced at once, and again when its addresses change', async () => {
    const { scheduler, announced, moveTo } = create(refusal)
    expect(announced).toEqual([['own/1']])
    await scheduler.advanceAsync(10 * OWN_ADDRESSES_EVERY_MS)
    expect(announced).toHaveLength(1)
    moveTo('own/2')
    await scheduler.advanceAsync(OWN_ADDRESSES_EVERY_MS)
    expect(announced).toEqual([['own/1'], ['own/2']])
  })

  test('closes its discovery and leaves no task behind', async () => {
    const { dialer, finder, scheduler, isClosed } = create(refusal)
    dialer.want(peer, [])
    await scheduler.advanceAsync(10)
    dialer.close()
    await finder.close()
    await scheduler.advanceAsync(DEFAULT_LIMITS.dialDeadlineMs)
    expect(isClosed()).toBe(true)
    expect(scheduler.pending()).toBe(0)
  })
})
