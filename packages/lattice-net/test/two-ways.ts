/**
 * Nodes that reach each other over two simulated networks, in virtual time.
 *
 * @module
 */
import { createAbortController, equalBytes, type PublicKey, toPublicKey } from '@lattice/model'
import { createManualScheduler, createSeededRandom, type ManualScheduler } from '@lattice/model/testing'
import { createSimNetwork, type SimNetwork, type SimNetworkOptions } from '@lattice/net-sim'
import { type BiStream, type Connection, PeerUnreachable, type Transport } from '@lattice/net-types'
import { createCombinedTransport } from '../src/index.ts'

export type Way = 'fast' | 'slow'

export interface TwoWays {
  readonly scheduler: ManualScheduler
  readonly network: (way: Way) => SimNetwork
  /** A node's transport on one network alone. */
  readonly single: (way: Way, index: number) => Transport
  readonly singleOf: (way: Way, key: PublicKey) => Transport
  /** A node's transport over both, the fast one preferred. */
  readonly open: (index: number) => Transport
  /** Dials over this network fail at once while it is off. */
  readonly turn: (way: Way, state: 'on' | 'off') => void
  readonly run: <T>(body: () => Promise<T>) => Promise<T>
}

export function keyOf(index: number): PublicKey {
  return toPublicKey(new Uint8Array(32).fill(index + 1))
}

export function createTwoWays(options: Partial<Record<Way, Partial<SimNetworkOptions>>> = {}): TwoWays {
  const scheduler = createManualScheduler()
  const random = createSeededRandom('two ways')
  const off = new Set<Way>()
  const networkOf = (way: Way): SimNetwork =>
    createSimNetwork({
      random,
      scheduler,
      latencyMs: way === 'fast' ? { min: 1, max: 2 } : { min: 20, max: 40 },
      discovery: false,
      ...options[way],
    })
  const networks = { fast: networkOf('fast'), slow: networkOf('slow') }

  const singleOf = (way: Way, key: PublicKey): Transport => {
    const transport = networks[way].transport(key)
    const own = `${way}:`
    return {
      ...transport,
      name: way,
      addresses: () => transport.addresses().map((address) => address.replace('sim:', own)),
      connect: async (peer, { addresses, signal }) => {
        signal.throwIfAborted()
        if (off.has(way)) throw new PeerUnreachable(peer, addresses)
        const known = addresses.filter((address) => address.startsWith(own))
        return transport.connect(peer, { addresses: known.map((address) => address.replace(own, 'sim:')), signal })
      },
    }
  }
  const single = (way: Way, index: number): Transport => singleOf(way, keyOf(index))
  return {
    scheduler,
    network: (way) => networks[way],
    single,
    singleOf,
    open: (index) =>
      createCombinedTransport({ transports: [single('fast', index), single('slow', index)], scheduler, random }),
    turn: (way, state) => {
      if (state === 'on') off.delete(way)
      else off.add(way)
    },
    run: (body) => runInVirtualTime(scheduler, body),
  }
}

/** Runs `body`, moving to the next task whenever it waits. Throws when it waits for something that cannot happen. */
export async function runInVirtualTime<T>(scheduler: ManualScheduler, body: () => Promise<T>): Promise<T> {
  let running = true
  const outcome = body().finally(() => (running = false))
  // The failure is reported below; until then nobody listens to it.
  outcome.catch(() => undefined)
  await scheduler.advanceAsync(0)
  while (running) {
    const delayMs = scheduler.nextDelayMs()
    if (delayMs === undefined) {
      await scheduler.advanceAsync(0)
      if (running && scheduler.nextDelayMs() === undefined)
        throw new Error('the test waits for something that cannot happen')
      continue
    }
    await scheduler.advanceAsync(delayMs)
  }
  return outcome
}

export function pauseMs(scheduler: ManualScheduler, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    scheduler.after(delayMs, resolve)
  })
}

/** Whether the promise settles in time. */
export async function settlesWithin(
  work: Promise<unknown>,
  { scheduler, maxMs }: { readonly scheduler: ManualScheduler; readonly maxMs: number },
): Promise<boolean> {
  return Promise.race([work.then(() => true), pauseMs(scheduler, maxMs).then(() => false)])
}

const iterators = new WeakMap<Transport, AsyncIterator<Connection>>()

export async function acceptFrom(transport: Transport): Promise<Connection> {
  const incoming = iterators.get(transport) ?? transport.incoming[Symbol.asyncIterator]()
  iterators.set(transport, incoming)
  const next = await incoming.next()
  if (next.done === true) throw new Error('no connection came in')
  return next.value
}

/** Dials `to` from `from`; both ends. */
export async function connectPair(from: Transport, to: Transport): Promise<readonly [Connection, Connection]> {
  const options = { addresses: to.addresses(), signal: createAbortController().signal }
  return Promise.all([from.connect(to.id, options), acceptFrom(to)])
}

/** A stream and its other end, by the order in which they were opened. */
export async function openStream(
  near: Connection,
  far: AsyncIterator<BiStream>,
): Promise<readonly [BiStream, BiStream]> {
  const stream = await near.open()
  await stream.write(Uint8Array.of(1))
  const next = await far.next()
  if (next.done === true) throw new Error('no stream came in')
  await next.value.read()
  return [stream, next.value]
}

/** Whether a byte gets there and back. */
export async function echoes(near: BiStream, far: BiStream): Promise<boolean> {
  await Promise.all([near.write(Uint8Array.of(7)), far.read()])
  const [back] = await Promise.all([near.read(), far.write(Uint8Array.of(8))])
  return back !== undefined && equalBytes(back, Uint8Array.of(8))
}
