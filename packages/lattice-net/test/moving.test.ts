import {
  assert,
  createAbortController,
  createGenesis,
  createSigner,
  type Lagged,
  parseStoreType,
  type PublicKey,
  type Signer,
  silentLogger,
  toHex,
  toSeed,
  toStoreId,
} from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { createSeededRandom } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import { createCombinedTransport, createNetworkService, type NetworkEvent, type NetworkService } from '../src/index.ts'
import { PUSH_WINDOW } from '../src/limits.ts'
import { MOVE_AFTER_MS } from '../src/run-movable.ts'
import type { BootstrapPosition } from '../src/session-call.ts'
import { createModelStore, type ModelStore } from './model-store.ts'
import { createTwoWays, pauseMs, settlesWithin, type TwoWays } from './two-ways.ts'

const crypto = await openCrypto({ backend: 'wasm' })

interface Node {
  readonly service: NetworkService
  readonly store: ModelStore
  readonly events: (NetworkEvent | Lagged)[]
}

const signerOf = (index: number): Signer =>
  createSigner(crypto, crypto.keyPairFromSeed(toSeed(crypto.blake3(new Uint8Array([index, 9])))))

/** Two nodes on a way of three seconds, where a big difference takes long, and one of milliseconds that is off at first. */
function createNodes(ways: TwoWays): { readonly a: Node; readonly b: Node } {
  const { scheduler } = ways
  const { clock } = scheduler
  const storeType = parseStoreType('test:model')
  assert(storeType.ok, 'a good type')
  const genesis = createGenesis(crypto, signerOf(0), {
    storeType: storeType.value,
    nonce: new Uint8Array(16),
    timestamp: { wall: clock.wallMs(), counter: 0 },
  })
  const nodeOf = (index: number): Node => {
    const signer = signerOf(index)
    const store = createModelStore({ crypto, signer, clock, storeId: toStoreId(genesis.id), genesis })
    const transports = (['fast', 'slow'] as const).map((way) => ways.singleOf(way, signer.publicKey))
    const random = createSeededRandom(`node ${index}`)
    const service = createNetworkService({
      transport: createCombinedTransport({ transports, scheduler, random }),
      crypto,
      clock,
      scheduler,
      random,
      logger: silentLogger,
      joinHandler: { redeem: async () => ({ kind: 'refused', code: 'TOKEN_UNKNOWN' }) },
    })
    const events: (NetworkEvent | Lagged)[] = []
    const follow = async (): Promise<void> => {
      for await (const event of service.events(createAbortController().signal)) events.push(event)
    }
    follow().catch(() => undefined)
    return { service, store, events }
  }
  return { a: nodeOf(0), b: nodeOf(1) }
}

const SLOW_MS = 1_500

function startTwoWays(): TwoWays {
  const ways = createTwoWays({ slow: { latencyMs: { min: SLOW_MS, max: SLOW_MS }, connectTimeoutMs: 60_000 } })
  ways.turn('fast', 'off')
  return ways
}

const pathOf = ({ service }: Node): string | undefined => service.connectedPeers()[0]?.path
const fingerprintOf = ({ store }: Node): string => toHex(store.digest().fingerprint)
const failures = ({ events }: Node): readonly unknown[] =>
  events.filter((event) => 'kind' in event && event.kind === 'sync_result' && event.outcome.kind === 'failed')

/** Moves on until the condition holds. */
async function until(ways: TwoWays, condition: () => boolean, maxMs: number): Promise<void> {
  for (let passedMs = 0; !condition(); passedMs += 10) {
    assert(passedMs < maxMs, 'it comes to be in time')
    await pauseMs(ways.scheduler, 10)
  }
}

/** Several windows of credit, so that a session takes several round trips. */
const RUNS = 40
const RUN_LENGTH = 200
/** Intentions of this size that a peer may be ahead of the credit it was given: half of all there are. */
const MOST_IN_FLIGHT = 4096

function fill({ store }: Node): void {
  for (let run = 0; run < RUNS; run += 1) store.write(RUN_LENGTH)
}

describe('a bulk session moves', () => {
  test('from the slow path to the better one that appears, and goes on by difference', async () => {
    const ways = startTwoWays()
    const { a, b } = createNodes(ways)
    fill(a)
    for (const { service, store } of [a, b]) service.register(store)
    await ways.run(async () => {
      a.service.want(b.service.id, b.service.addresses())
      await until(ways, () => pathOf(a) === 'slow', 60_000)
      ways.turn('fast', 'on')
      await until(ways, () => pathOf(a) === 'fast' && b.store.digest().witnessCount > 1, 60_000)
      const left = RUNS * RUN_LENGTH + 1 - b.store.digest().witnessCount
      const before = b.store.ingested().intentions
      expect(left).toBeGreaterThan(RUN_LENGTH)
      // What is left goes within the pause before the move and a few turns of the fast path.
      await until(ways, () => fingerprintOf(a) === fingerprintOf(b), MOVE_AFTER_MS + 2_000)
      // What the slow path still delivered is not sent again, and neither side calls it a failure.
      expect(b.store.ingested().intentions - before).toBeLessThan(left + MOST_IN_FLIGHT)
      expect([...failures(a), ...failures(b)]).toEqual([])
      await Promise.all([a.service.close(), b.service.close()])
    })
  })

  test('from a path that is lost to the one that is left', async () => {
    const ways = startTwoWays()
    const { a, b } = createNodes(ways)
    fill(a)
    for (const { service, store } of [a, b]) service.register(store)
    ways.turn('fast', 'on')
    await ways.run(async () => {
      a.service.want(b.service.id, b.service.addresses())
      await until(ways, () => pathOf(a) === 'fast' && b.store.digest().witnessCount > 1, 60_000)
      await pauseMs(ways.scheduler, 0)
      ways.network('fast').disconnect(a.service.id, b.service.id)
      expect(fingerprintOf(a)).not.toBe(fingerprintOf(b))
      ways.turn('fast', 'off')
      await until(ways, () => fingerprintOf(a) === fingerprintOf(b), 60_000)
      expect(pathOf(a)).toBe('slow')
      await Promise.all([a.service.close(), b.service.close()])
    })
  })

  test('and so does a bootstrap, from the position it has reached', async () => {
    const ways = startTwoWays()
    const { a, b } = createNodes(ways)
    fill(a)
    a.service.register(a.store)
    await ways.run(async () => {
      const saved: BootstrapPosition[] = []
      const bootstrap = b.service.bootstrap({
        store: b.store,
        peers: [{ peer: a.service.id, addresses: a.service.addresses() }],
        positions: {
          load: () => undefined,
          save: (_: PublicKey, position) => {
            saved.push(position)
          },
        },
        signal: createAbortController().signal,
      })
      await until(ways, () => saved.length > 0, 60_000)
      ways.turn('fast', 'on')
      expect(await settlesWithin(bootstrap, { scheduler: ways.scheduler, maxMs: 20_000 })).toBe(true)
      const outcome = await bootstrap
      expect(fingerprintOf(a)).toBe(fingerprintOf(b))
      // No page twice, and nothing twice: what the second session fetched is what the first had not.
      expect(saved.map(({ seq }) => seq)).toEqual([...new Set(saved.map(({ seq }) => seq))].toSorted((x, y) => x - y))
      expect(outcome.fetched).toBe(RUNS * RUN_LENGTH)
      expect(b.store.ingested().intentions).toBe(RUNS * RUN_LENGTH)
      expect(b.events.filter((event) => 'kind' in event && event.kind === 'misbehaviour')).toEqual([])
      await Promise.all([a.service.close(), b.service.close()])
    })
  })

  test('a bootstrap goes on when its only peer was lost and is there again', async () => {
    const ways = startTwoWays()
    const { a, b } = createNodes(ways)
    fill(a)
    a.service.register(a.store)
    ways.turn('fast', 'on')
    await ways.run(async () => {
      const bootstrap = b.service.bootstrap({
        store: b.store,
        peers: [{ peer: a.service.id, addresses: a.service.addresses() }],
        signal: createAbortController().signal,
      })
      for (const lost of [1, 2]) {
        await until(ways, () => b.store.digest().witnessCount > lost * 10 * RUN_LENGTH, 60_000)
        for (const way of ['fast', 'slow'] as const) ways.network(way).disconnect(a.service.id, b.service.id)
        // Not there at once.
        for (const way of ['fast', 'slow'] as const) ways.turn(way, 'off')
        await pauseMs(ways.scheduler, 1_500)
        ways.turn('fast', 'on')
      }
      expect(await settlesWithin(bootstrap, { scheduler: ways.scheduler, maxMs: 30_000 })).toBe(true)
      await bootstrap
      expect(fingerprintOf(a)).toBe(fingerprintOf(b))
      await Promise.all([a.service.close(), b.service.close()])
    })
  })
})

describe('gossip moves', () => {
  test('to the better path that appears, without a loss and without a session', async () => {
    const ways = startTwoWays()
    const { a, b } = createNodes(ways)
    for (const { service, store } of [a, b]) service.register(store)
    await ways.run(async () => {
      a.service.want(b.service.id, b.service.addresses())
      await until(ways, () => pathOf(a) === 'slow', 60_000)
      a.store.write(1)
      await until(ways, () => fingerprintOf(a) === fingerprintOf(b), 60_000)
      await pauseMs(ways.scheduler, 30_000)
      const sessionsBefore = a.events.length
      // On its way, and waiting behind it, as the path improves.
      for (let write = 0; write < 2 * PUSH_WINDOW; write += 1) a.store.write(1)
      ways.turn('fast', 'on')
      await until(ways, () => pathOf(a) === 'fast' && fingerprintOf(a) === fingerprintOf(b), 90_000)
      await pauseMs(ways.scheduler, 5 * SLOW_MS)
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        from.store.write(1)
        await until(ways, () => fingerprintOf(from) === fingerprintOf(to), SLOW_MS / 10)
      }
      const sessions = a.events.slice(sessionsBefore).filter((event) => 'kind' in event && event.kind === 'sync_result')
      expect(sessions).toEqual([])
      await Promise.all([a.service.close(), b.service.close()])
    })
  })
})
