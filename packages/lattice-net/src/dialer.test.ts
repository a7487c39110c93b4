import { createAbortController, type PublicKey, toPublicKey } from '@lattice/model'
import { createManualScheduler, createSeededRandom } from '@lattice/model/testing'
import { type Connection, type Discovery, PeerUnreachable, type Transport } from '@lattice/net-types'
import { describe, expect, test } from 'vitest'
import { createDialer, type DialerOptions } from './dialer.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { createPeerFinder } from './peer-finder.ts'

const peer = toPublicKey(new Uint8Array(32).fill(1))
const connection: Connection = {
  peer,
  outgoing: true,
  open: () => Promise.reject(new Error('not opened here')),
  streams: { [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }) },
  closed: Promise.resolve({ by: 'local', message: '' }),
  close: async () => undefined,
}

function create(
  connect: Transport['connect'],
  { discovery, ...options }: Partial<DialerOptions> & { readonly discovery?: Discovery } = {},
) {
  const scheduler = createManualScheduler()
  const dials: { readonly atMs: number; readonly addresses: readonly string[] }[] = []
  const transport: Transport = {
    name: 'test',
    id: toPublicKey(new Uint8Array(32)),
    connect: (to, dial) => {
      dials.push({ atMs: scheduler.clock.monotonicMs(), addresses: dial.addresses })
      return connect(to, dial)
    },
    incoming: { [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }) },
    addresses: () => [],
    close: async () => undefined,
  }
  const { signal } = createAbortController()
  const spawn: DialerOptions['spawn'] = (_, task) => {
    task().catch(() => undefined)
  }
  const dialer = createDialer({
    transport,
    finder: createPeerFinder({ discovery, transport, scheduler, signal, spawn }),
    clock: scheduler.clock,
    scheduler,
    random: createSeededRandom('dialer'),
    limits: DEFAULT_LIMITS,
    signal,
    isConnected: () => false,
    addressesOf: () => [],
    mutedForMs: () => 0,
    onConnection: () => undefined,
    spawn,
    onFailure: () => undefined,
    ...options,
  })
  return { dialer, scheduler, dials }
}
const refuse = (to: PublicKey): Promise<Connection> => Promise.reject(new PeerUnreachable(to, []))

describe('the dialer', () => {
  test('dials at once, and again with the addresses that came meanwhile', async () => {
    const { dialer, scheduler, dials } = create(refuse)
    dialer.want(peer, ['a'])
    dialer.want(peer, ['b'])
    dialer.want(peer, [])
    await scheduler.advanceAsync(1_000)
    expect(dials.slice(0, 2)).toMatchObject([{ atMs: 0, addresses: ['a'] }, { addresses: ['b'] }])
  })

  test('makes another for who asks while one is under way, where that comes to nothing', async () => {
    const outcomes = [refuse, async () => Promise.resolve(connection)]
    const { dialer, dials } = create(async (to) => (outcomes.shift() ?? refuse)(to))
    dialer.want(peer, ['a'])
    const { signal } = createAbortController()
    await dialer.dial(peer, ['b'], signal)
    expect(dials.map(({ addresses }) => addresses)).toEqual([['a'], ['b']])
    // Where it does not, it is one for all.
    const { dialer: other, dials: made } = create(async () => Promise.resolve(connection))
    other.want(peer, ['a'])
    await Promise.all([other.dial(peer, ['b'], signal), other.dial(peer, ['b'], signal)])
    expect(made).toHaveLength(1)
  })

  test('makes no other where the peer has come by itself while one came to nothing', async () => {
    let isUp = false
    const failing: Transport['connect'] = async (to) => {
      isUp = true
      return refuse(to)
    }
    const { dialer, dials } = create(failing, { isConnected: () => isUp })
    dialer.want(peer, ['a'])
    await dialer.dial(peer, ['b'], createAbortController().signal)
    expect(dials).toHaveLength(1)
  })

  test('goes on dialling when a connection was made and not taken in', async () => {
    const { dialer, scheduler, dials } = create(async () => connection)
    dialer.want(peer, [])
    await scheduler.advanceAsync(10_000)
    expect(dials.length).toBeGreaterThan(2)
  })

  test('two that ask for the same peer share one dial', async () => {
    const { dialer, scheduler, dials } = create(async () => connection, { isConnected: () => dials.length > 0 })
    dialer.want(peer, [])
    const { signal } = createAbortController()
    await Promise.all([dialer.dial(peer, [], signal), dialer.dial(peer, [], signal)])
    await scheduler.advanceAsync(60_000)
    expect(dials).toHaveLength(1)
  })

  test('a dial that is not answered ends by its deadline, and what comes late is closed', async () => {
    let answer: (connection: Connection) => void = () => undefined
    let isClosed = false
    const slow = new Promise<Connection>((resolve) => {
      answer = resolve
    })
    const { dialer, scheduler } = create(() => slow)
    const dial = dialer.dial(peer, [], createAbortController().signal)
    const failure = dial.catch((error: unknown) => error)
    await scheduler.advanceAsync(DEFAULT_LIMITS.dialDeadlineMs)
    expect(await failure).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    answer({
      ...connection,
      close: async () => {
        isClosed = true
      },
    })
    await scheduler.advanceAsync(0)
    expect(isClosed).toBe(true)
  })

  test('tells how dialling goes: how often it failed, why, where it tried and when it tries again', async () => {
    let isUp = false
    const { dialer, scheduler } = create(refuse, { isConnected: () => isUp })
    expect(dialer.state(peer)).toBeUndefined()
    dialer.want(peer, ['a'])
    expect(dialer.state(peer)).toEqual({ attempts: 0, lastFailure: undefined, nextAtMs: undefined })
    await scheduler.advanceAsync(0)
    const state = dialer.state(peer)
    const nowMs = scheduler.clock.wallMs()
    expect(state).toMatchObject({
      attempts: 1,
      lastFailure: { code: 'PEER_UNREACHABLE', message: 'nobody answered', atMs: nowMs, addresses: ['a'] },
    })
    expect(state?.nextAtMs).toBe(nowMs + (scheduler.nextDelayMs() ?? -1))
    await scheduler.advanceAsync(scheduler.nextDelayMs() ?? 0)
    expect(dialer.state(peer)).toMatchObject({ attempts: 2 })
    isUp = true
    dialer.onUp(peer)
    expect(dialer.state(peer)).toMatchObject({ lastFailure: undefined, nextAtMs: undefined })
    dialer.unwant(peer)
    expect(dialer.state(peer)).toBeUndefined()
  })

  test('a peer that is shut out is dialled once that is over', async () => {
    const { dialer, scheduler, dials } = create(refuse, { mutedForMs: () => 30_000 })
    dialer.want(peer, [])
    await scheduler.advanceAsync(29_999)
    expect(dials).toHaveLength(0)
    await scheduler.advanceAsync(1)
    expect(dials).toHaveLength(1)
  })

  test('a connection that did not last counts as a failed dial, one that did does not', async () => {
    const { dialer, scheduler, dials } = create(refuse, { isConnected: () => dials.length >= 1 })
    dialer.want(peer, [])
    await scheduler.advanceAsync(0)
    for (let round = 0; round < 8; round += 1) dialer.onDown(peer, 100)
    expect(scheduler.nextDelayMs()).toBeGreaterThan(DEFAULT_LIMITS.dialBackoffMaxMs / 4)
    dialer.onDown(peer, 60_000)
    expect(scheduler.nextDelayMs()).toBeLessThanOrEqual(DEFAULT_LIMITS.dialBackoffMs)
    dialer.unwant(peer)
    expect(scheduler.pending()).toBe(0)
  })
})
