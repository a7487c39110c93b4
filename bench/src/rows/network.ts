/**
 * Rows 4n, 5, 5t, 6n, 6i and 6t: bootstrap and sessions of whole services, over the simulated network and on loopback.
 *
 * @module
 */
import { assert, createAbortController, MAX_RUN_LENGTH, type ParsedIntention } from '@lattice/model'
import { createVerifyPool } from '@lattice/runtime/verify-pool'
import { groupsOf } from '../bare-store.ts'
import { type Figure, ratioAtLeast, ratioAtMost } from '../figure.ts'
import { createHistory, type History } from '../history.ts'
import { replicaOf } from '../replica.ts'
import { type ReplicaPair, withReplicaPair } from '../replica-pair.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { against, measure, measureAgainst, sampleOf } from '../sample.ts'
import {
  irohTransports,
  rawBytesPerSecond,
  rawRoundTripsMs,
  simTransports,
  tlsTransports,
  type TransportPair,
  withServices,
} from '../service-pair.ts'
import { type BenchStore, ingestAll, openStore } from '../store.ts'
import { crypto } from '../world.ts'

const BATCH: number = 8 * MAX_RUN_LENGTH
/** One way, between the ends of row 6n: a link across a continent. */
const LATENCY_MS = 25
const NEWS = 100
/** The floor of every bootstrap here: row 4's task in the same run. */
const WITHOUT_NETWORK = 'the same intentions taken in without a network'

interface Served {
  readonly history: History
  readonly store: BenchStore
  readonly intentions: readonly ParsedIntention[]
  readonly bytes: number
}

/** A store of one author in runs, to be fetched. */
async function serve(context: RowContext): Promise<Served> {
  const count = context.size(100_000, 20_000)
  context.progress(`making a store of ${count} intentions`)
  const history = createHistory({ runLength: MAX_RUN_LENGTH })
  const intentions: ParsedIntention[] = []
  for (let left = count; left > 0; left -= BATCH) intentions.push(...history.next(Math.min(left, BATCH)))
  const store = await openStore({ directory: context.folder(), ...history, silent: true })
  await ingestAll(store.kernel, groupsOf(intentions, BATCH))
  const bytes = intentions.reduce((sum, signed) => sum + signed.bytes.length + signed.signature.length, 0)
  return { history, store, intentions, bytes }
}

/** Fetches the store into a new one; answers how many seconds that took. */
async function bootstrap({ history, store, intentions }: Served, transports: TransportPair, context: RowContext) {
  await using pool = createVerifyPool({
    crypto,
    onFault: (why) => context.progress(`a thread was lost: ${String(why)}`),
  })
  await pool.start()
  await using joiner = await openStore({
    directory: context.folder(),
    storeId: history.storeId,
    verifier: pool,
    silent: true,
  })
  return await withServices(transports, async ({ server, hint, client }) => {
    server.register(replicaOf(store.kernel))
    const { signal } = createAbortController()
    const startedMs = performance.now()
    const outcome = await client.bootstrap({ store: replicaOf(joiner.kernel), peers: [hint], signal })
    const seconds = (performance.now() - startedMs) / 1000
    assert(outcome.synced, 'the whole store has come')
    assert(joiner.kernel.projection().appliedSeq === intentions.length + 1, 'everything is projected')
    return seconds
  })
}

/** Takes the same batches into a new store without a network; answers how many seconds that took. */
async function ingestOnly({ history, intentions }: Served, context: RowContext): Promise<number> {
  await using pool = createVerifyPool({ crypto, onFault: () => {} })
  await pool.start()
  await using store = await openStore({ directory: context.folder(), ...history, verifier: pool, silent: true })
  const startedMs = performance.now()
  await ingestAll(store.kernel, groupsOf(intentions, BATCH))
  return (performance.now() - startedMs) / 1000
}

async function runOverSim(context: RowContext): Promise<readonly Figure[]> {
  const served = await serve(context)
  await using _store = served.store
  const { length } = served.intentions
  const rate = await measureAgainst(
    {
      name: WITHOUT_NETWORK,
      work: async () => length / (await ingestOnly(served, context)),
    },
    async () => length / (await bootstrap(served, simTransports(0), context)),
    { warmUps: 1, repeats: Math.min(3, context.repeats) },
  )
  return [
    { name: `bootstrap of ${length} over the simulated network`, unit: '/s', ...rate, goals: [ratioAtLeast(0.7)] },
  ]
}

interface Loopback {
  readonly transport: string
  readonly open: () => Promise<TransportPair>
}

async function runOnLoopback({ transport, open }: Loopback, context: RowContext): Promise<readonly Figure[]> {
  const served = await serve(context)
  await using _store = served.store
  const { length } = served.intentions
  const repeats = { warmUps: 1, repeats: Math.min(3, context.repeats) }
  const streams: number[] = []
  const rate = await measureAgainst(
    {
      name: WITHOUT_NETWORK,
      work: async () => {
        streams.push((await bare(await open(), (pair) => rawBytesPerSecond(pair, served.bytes))) / 1e6)
        return length / (await ingestOnly(served, context))
      },
    },
    async () => length / (await bootstrap(served, await open(), context)),
    repeats,
  )
  const stream = {
    name: `one bare ${transport} stream, bytes of the same intentions, both ends in this process`,
    sample: sampleOf(streams.slice(repeats.warmUps)),
  }
  const megabytes = sampleOf(rate.ours.values.map((perSecond) => (perSecond * served.bytes) / length / 1e6))
  return [
    { name: `bootstrap of ${length} over ${transport}`, unit: '/s', ...rate, goals: [ratioAtLeast(0.7)] },
    { name: 'the same in MB/s, beside a stream', unit: 'MB', ...against(stream, megabytes), goals: [] },
  ]
}

/** Measures bare transports, and closes them whatever comes of it. */
async function bare(transports: TransportPair, work: (pair: TransportPair) => Promise<number>): Promise<number> {
  try {
    return await work(transports)
  } finally {
    for (const one of transports) await one.close()
  }
}

async function runSessionOverSim(context: RowContext): Promise<readonly Figure[]> {
  const shared = context.size(1_000_000, 100_000)
  return await withReplicaPair(context, shared, async (pair) => {
    const took = await measure(
      async () => {
        await pair.diverge(NEWS)
        return await sessionMs(pair, simTransports(LATENCY_MS))
      },
      { warmUps: 1, repeats: Math.min(3, context.repeats) },
    )
    const floor = { name: `two round trips of ${2 * LATENCY_MS} ms`, sample: sampleOf([2 * 2 * LATENCY_MS]) }
    return [
      {
        name: `session of ${NEWS} new each, ${shared} shared, over the simulated network`,
        unit: 'ms',
        ...against(floor, took),
        goals: [ratioAtMost(1.25)],
      },
    ]
  })
}

async function runSessionOnLoopback({ transport, open }: Loopback, context: RowContext): Promise<readonly Figure[]> {
  const shared = context.size(1_000_000, 100_000)
  // It is over in some milliseconds: several are run before its code is compiled.
  const repeats = { warmUps: 6, repeats: 2 * context.repeats }
  return await withReplicaPair(context, shared, async (pair) => {
    const trips: number[] = []
    const session = await measureAgainst(
      {
        name: 'two bare round trips with the new intentions, and taking those in on both sides',
        work: async () => {
          const { bytes, takingInMs } = await pair.diverge(NEWS)
          const tripsMs = await bare(await open(), (ends) => rawRoundTripsMs(ends, bytes))
          trips.push(tripsMs)
          return tripsMs + takingInMs
        },
      },
      async () => await sessionMs(pair, await open()),
      repeats,
    )
    const bareTrips = {
      name: `two round trips on one bare ${transport} stream, the second with the bytes of the new intentions each way`,
      sample: sampleOf(trips.slice(repeats.warmUps)),
    }
    const name = `session of ${NEWS} new each, ${shared} shared, over ${transport}`
    return [
      { name, unit: 'ms', ...session, goals: [ratioAtMost(2)] },
      { name: 'the same, beside the network alone', unit: 'ms', ...against(bareTrips, session.ours), goals: [] },
    ]
  })
}

/** The first session of two services that meet, until the side that started it knows its outcome. */
async function sessionMs({ left, right }: ReplicaPair, transports: TransportPair): Promise<number> {
  return await withServices(transports, async ({ server, hint, client }) => {
    server.register(replicaOf(left.kernel))
    client.register(replicaOf(right.kernel))
    const events = client.events(createAbortController().signal)
    client.want(hint.peer, hint.addresses)
    for await (const event of events) {
      if (!('kind' in event) || event.kind !== 'sync_result') continue
      const { outcome } = event
      if (outcome.kind === 'failed') throw outcome.error
      assert(outcome.synced && outcome.sent === NEWS && outcome.received === NEWS, 'exactly the difference is moved')
      return outcome.durationMs
    }
    throw new Error('the services ended before a session')
  })
}

export const NETWORK_ROWS: readonly BenchRow[] = [
  {
    id: '4n',
    task: 'Bootstrap between two services over the simulated network, without latency',
    floor: 'row 4: the same intentions taken in without a network',
    goal: 'at least 0.7 of it',
    run: runOverSim,
  },
  {
    id: '5',
    task: 'Bootstrap between two services over iroh on loopback, both in this process',
    floor: 'row 4: the same intentions taken in without a network; one bare iroh stream is shown',
    goal: 'at least 0.7 of row 4',
    run: (context) => runOnLoopback({ transport: 'iroh', open: irohTransports }, context),
  },
  {
    id: '5t',
    task: 'Bootstrap between two services over TLS on loopback, both in this process',
    floor: 'row 4: the same intentions taken in without a network; one bare stream of the same transport is shown',
    goal: 'at least 0.7 of row 4',
    run: (context) => runOnLoopback({ transport: 'TLS', open: tlsTransports }, context),
  },
  {
    id: '6n',
    task: `The first session of two services that meet, ${LATENCY_MS} ms from each other`,
    floor: 'two round trips',
    goal: 'no third round trip',
    run: runSessionOverSim,
  },
  {
    id: '6i',
    task: 'The first session of two services that meet over iroh on loopback, both in this process',
    floor:
      'two round trips on a bare iroh stream with the new intentions, and taking those in; the trips alone are shown',
    goal: 'at most twice it',
    run: (context) => runSessionOnLoopback({ transport: 'iroh', open: irohTransports }, context),
  },
  {
    id: '6t',
    task: 'The first session of two services that meet over TLS on loopback, both in this process',
    floor:
      'two round trips on a bare TLS stream with the new intentions, and taking those in; the trips alone are shown',
    goal: 'at most twice it',
    run: (context) => runSessionOnLoopback({ transport: 'TLS', open: tlsTransports }, context),
  },
]
