/** Writes over more concurrent heads than an intention can cite, through the system layer and the KV store. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, toBinary } from '@bufbuild/protobuf'
import { type Kernel, type KernelOptions, openKernel } from '@lattice/kernel'
import { type Kv, kvStore, openKv } from '@lattice/kvstore'
import {
  assert,
  createAbortController,
  createGenesis,
  createSigner,
  encodeUniversalOp,
  genesisStoreId,
  type Hlc,
  type IntentionId,
  type KnownOp,
  MAX_KERNEL_CAUSAL_DEPS,
  MAX_RUN_LENGTH,
  NO_HINTS,
  type ParsedIntention,
  signIntention,
  type Signer,
  silentLogger,
  sortDeps,
  toHex,
  toSeed,
  utf8Decode,
  utf8Encode,
} from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { createManualClock, createSeededRandom } from '@lattice/model/testing'
import { kv } from '@lattice/proto'
import { type Authority, emptyLog, execMethod, schemaOfCommands } from '@lattice/store-base'
import { createSystemLayer } from '@lattice/systemstore'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'

const crypto = await openCrypto()
const START_MS = 1_795_000_000_000
const NODE = 1
/** Keys under the heads that one ack cites: eight heads each. */
const KEYS = 512
const ACK: KnownOp = { kind: 'ack', schema: 0, value: { $typeName: 'lattice.weaver.v1.AckOp' } }
/** Everybody writes: what is tried here is citing, not admission. */
const openAuthority: Authority = { admits: () => true, requiredDeps: () => [] }

const directories: string[] = []
const kernels: Kernel[] = []
afterEach(async () => {
  for (const kernel of kernels.splice(0)) await kernel.close()
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true })
})

function signerOf(number: number): Signer {
  const seed = new Uint8Array(32).fill(5)
  new DataView(seed.buffer).setUint32(0, number)
  return createSigner(crypto, crypto.keyPairFromSeed(toSeed(seed)))
}

const genesis = createGenesis(crypto, signerOf(NODE), {
  storeType: kvStore.storeType,
  nonce: new Uint8Array(16).fill(1),
  timestamp: { wall: START_MS, counter: 0 },
})

async function openReplica(signer: number, changes: Partial<KernelOptions> = {}): Promise<Kernel> {
  const directory = mkdtempSync(join(tmpdir(), 'lattice-fold-'))
  directories.push(directory)
  const kernel = await openKernel({
    directory,
    storeId: genesisStoreId(genesis),
    genesis,
    projector: createSystemLayer({ machine: kvStore }),
    authority: openAuthority,
    signer: signerOf(signer),
    crypto,
    clock: createManualClock({ wallMs: START_MS + 1000 }),
    scheduler: {
      after: () => () => {},
      soon: (task) => {
        const handle = setImmediate(task)
        return () => clearImmediate(handle)
      },
    },
    logger: silentLogger,
    ...changes,
  })
  kernels.push(kernel)
  return kernel
}

/** The KV store's methods over a kernel, as a node runs them. */
function kvOf(kernel: Kernel): Kv {
  const { signal } = createAbortController()
  return openKv({
    exec: async (method, request) =>
      execMethod(kvStore, method, {
        request,
        context: {
          read: kernel.tables().app,
          log: emptyLog,
          schema: schemaOfCommands(kvStore),
          signal,
          submit: async (payload, resolveDeps) =>
            kernel.submit(
              { kind: 'appData', schema: schemaOfCommands(kvStore), value: payload },
              { deps: ({ app }) => resolveDeps(app) },
            ),
          pause: async () => Promise.resolve(),
          exclusive: (task) => task(),
        },
      }),
    execMany: () => Promise.reject(new Error('no test writes many')),
    subscribe: () => {
      throw new Error('nothing is watched here')
    },
  })
}

function puts(entries: readonly (readonly [string, string])[]): KnownOp {
  const operations = entries.map(([key, value]) =>
    create(kv.KvOperationSchema, {
      key: utf8Encode(key),
      operation: { case: 'put', value: utf8Encode(value) },
    }),
  )
  const value = toBinary(kv.KvPayloadSchema, create(kv.KvPayloadSchema, { operations }))
  return { kind: 'appData', schema: schemaOfCommands(kvStore), value }
}

interface Made {
  readonly prev: IntentionId
  readonly deps: readonly IntentionId[]
  readonly at: Hlc
  readonly op: KnownOp
  readonly close?: boolean
}

function make(author: number, { prev, deps, at, op, close = true }: Made): ParsedIntention {
  const signer = signerOf(author)
  return signIntention(crypto, signer, {
    intention: {
      author: signer.publicKey,
      timestamp: at,
      storePrev: prev,
      causalDeps: sortDeps(deps),
      hints: NO_HINTS,
      ops: encodeUniversalOp(op),
    },
    close,
  })
}

/** As many concurrent first writes as authors. */
function concurrentPuts(
  count: number,
  entriesOf: (n: number) => readonly (readonly [string, string])[],
): ParsedIntention[] {
  return Array.from({ length: count }, (_, n) =>
    make(100 + n, {
      prev: genesis.id,
      deps: [genesis.id],
      at: { wall: START_MS + 1, counter: n },
      op: puts(entriesOf(n)),
    }),
  )
}

async function copyAll(from: Kernel, to: Kernel): Promise<void> {
  const ids = from.scanWitness(1, 4096).map(({ parsed }) => parsed.id)
  await to.ingest(from.read(ids, 1e9).intentions, undefined)
}

describe('a write over many concurrent heads', () => {
  test('ends a conflict of 40 values at once, on both nodes and in a rebuilt state alike', async () => {
    const [one, two] = [await openReplica(NODE), await openReplica(2)]
    await one.ingest(
      concurrentPuts(40, (n) => [['color', `value ${n}`]]),
      undefined,
    )
    expect(await kvOf(one).get('color')).toMatchObject({ conflicted: true })
    await kvOf(one).put('color', 'agreed')
    await copyAll(one, two)
    for (const kernel of [one, two]) {
      const { value, conflicted } = await kvOf(kernel).get('color')
      expect([value && utf8Decode(value), conflicted]).toEqual(['agreed', false])
    }
    expect(await two.stateDigest()).toEqual(await one.stateDigest())
    await two.rebuild()
    expect(await two.stateDigest()).toEqual(await one.stateDigest())
  })

  test('replaces more keys in one batch than an intention has deps', async () => {
    const [one, two] = [await openReplica(NODE), await openReplica(2)]
    await one.ingest(
      concurrentPuts(60, (n) => [
        [`key ${n}`, 'old'],
        ['shared', `${n}`],
      ]),
      undefined,
    )
    const batch = kvOf(one).batch()
    for (let n = 0; n < 60; n += 1) batch.put(`key ${n}`, 'new')
    await batch.put('shared', 'new').commit()
    await copyAll(one, two)
    for (const kernel of [one, two]) {
      for (const key of ['shared', 'key 0', 'key 59']) {
        const { value, conflicted } = await kvOf(kernel).get(key)
        expect([value && utf8Decode(value), conflicted]).toEqual(['new', false])
      }
    }
    expect(await two.stateDigest()).toEqual(await one.stateDigest())
  })

  test('cites as many as one ack holds', async () => {
    const [one, two] = [await openReplica(NODE), await openReplica(2)]
    // One chain that never cites itself: every write of it stands beside those before.
    const writes: ParsedIntention[] = []
    for (let n = 0; n < MAX_KERNEL_CAUSAL_DEPS; n += 1) {
      const prev = writes.at(-1)?.id ?? genesis.id
      const op = puts([[`k${n % KEYS}`, `${n}`]])
      const close = n % MAX_RUN_LENGTH === MAX_RUN_LENGTH - 1
      writes.push(make(100, { prev, deps: [genesis.id], at: { wall: START_MS + 1, counter: n }, op, close }))
    }
    const all = Array.from({ length: KEYS }, (_, n) => [`k${n}`, 'all'] as const)
    const heads = writes.map(({ id }) => id)
    const end: Hlc = { wall: START_MS + 2, counter: 0 }
    const last = writes.at(-1)
    assert(last !== undefined, 'there are writes')
    const ack = make(100, { prev: last.id, deps: heads, at: end, op: ACK, close: false })
    const put = make(100, { prev: ack.id, deps: [ack.id], at: { ...end, counter: 1 }, op: puts(all) })
    await one.ingest([...writes, ack, put], undefined)
    await two.ingest([put, ack, ...writes.toReversed()], undefined)
    for (const kernel of [one, two]) expect(await kvOf(kernel).inspect('k7')).toHaveLength(1)
    expect(await two.stateDigest()).toEqual(await one.stateDigest())
  })
})

/** Histories in which authors cite each other's acks and their own, as store_prev, as a dep, as both or not at all. */
function hostileHistory(seed: number): ParsedIntention[] {
  const random = createSeededRandom(seed)
  const made: ParsedIntention[] = [genesis]
  const latest = new Map<number, ParsedIntention[]>()
  for (let n = 0; n < 30; n += 1) {
    const author = 100 + random.below(3)
    const own = latest.get(author) ?? []
    const prev = (random.below(4) === 0 ? own[random.below(Math.max(1, own.length))] : own.at(-1)) ?? genesis
    const isAck = random.below(3) === 0
    const limit = isAck ? 24 : 4
    const cited = Array.from({ length: 1 + random.below(limit) }, () => made[random.below(made.length)] ?? genesis)
    if (random.below(2) === 0) cited.push(prev)
    const causes = [prev, ...cited].map(({ intention }) => intention.timestamp)
    const counter = Math.max(...causes.map((timestamp) => timestamp.counter)) + 1 + random.below(2)
    const key = `k${random.below(3)}`
    const op = isAck
      ? ACK
      : puts([
          [key, `${n}`],
          [`k${random.below(3)}`, `${n}`],
        ])
    const intention = make(author, {
      prev: prev.id,
      deps: cited.map(({ id }) => id),
      at: { wall: START_MS, counter },
      op,
    })
    made.push(intention)
    latest.set(author, [...own, intention])
  }
  return made
}

test('hostile citations of acks come out the same in every order, live and rebuilt', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(), async (seed, order) => {
      const history = hostileHistory(seed)
      const random = createSeededRandom(order)
      const digests: string[] = []
      for (const arrivals of [[...history], [...history].sort(() => random.below(3) - 1), history.toReversed()]) {
        const kernel = await openReplica(digests.length + 1)
        while (arrivals.length > 0) await kernel.ingest(arrivals.splice(0, 1 + random.below(9)), undefined)
        expect(kernel.stats().witnessCount).toBe(history.length)
        digests.push(toHex(await kernel.stateDigest()))
        await kernel.rebuild()
        digests.push(toHex(await kernel.stateDigest()))
      }
      expect(new Set(digests).size).toBe(1)
      for (const kernel of kernels.splice(0)) await kernel.close()
    }),
    { numRuns: 6 },
  )
})
