/** Signatures that are verified beside this thread: nothing about what becomes of an intention depends on it. */
import {
  type Crypto,
  genesisStoreId,
  type IngestOutcome,
  type ParsedIntention,
  type SignedIntention,
  type Verifier,
  verifyIntention,
} from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel } from '../src/index.ts'
import { at, createTestStore, crypto, openTestKernel, removeDirectories, signerOf, write } from './harness.ts'
import { createRandomDag, shuffled } from './random-dag.ts'

afterEach(removeDirectories)

interface ManualVerifier extends Verifier {
  /** Batches that wait for their verdicts. */
  readonly waiting: (() => void)[]
  readonly asked: () => number
}

/** Answers a batch when told to, by `verdictsOf` what is right. */
function createManualVerifier(change: (verdicts: boolean[]) => readonly boolean[] = (all) => all): ManualVerifier {
  const waiting: (() => void)[] = []
  let asked = 0
  return {
    waiting,
    asked: () => asked,
    verifyBatch: async (claims) => {
      asked += claims.length
      const verdicts = claims.map(({ author, id, signature }) => verifyIntention(crypto, author, { id, signature }))
      return new Promise((resolve, reject) => {
        waiting.push(() => {
          try {
            resolve(change(verdicts))
          } catch (error) {
            reject(error instanceof Error ? error : new Error('no verdicts'))
          }
        })
      })
    },
  }
}

/** Answers what waits, one batch a turn in an order of chance, until `work` is done. */
async function answering<T>(verifier: ManualVerifier, seed: number, work: Promise<T>): Promise<T> {
  const random = createSeededRandom(seed)
  let isDone = false
  const turn = (): void => {
    if (isDone) return
    const [answer] = verifier.waiting.splice(random.below(Math.max(1, verifier.waiting.length)), 1)
    answer?.()
    setImmediate(turn)
  }
  turn()
  try {
    return await work
  } finally {
    isDone = true
  }
}

/** The same, some of it spoiled: a signature changed, taken off, or bytes that are no intention. */
function spoiled(intentions: readonly ParsedIntention[], seed: number): readonly SignedIntention[] {
  const random = createSeededRandom(seed)
  return intentions.flatMap(({ bytes, signature }): SignedIntention[] => {
    const changed = signature.slice()
    changed[5] = (changed[5] ?? 0) ^ 1
    const all = [
      [{ bytes, signature }],
      [{ bytes, signature: changed }],
      [
        { bytes, signature: new Uint8Array(0) },
        { bytes, signature },
      ],
      [
        { bytes: bytes.slice(1), signature },
        { bytes, signature },
      ],
      [
        { bytes, signature: changed },
        { bytes, signature },
      ],
    ]
    return all[random.below(16)] ?? [{ bytes, signature }]
  })
}

function batchesOf(items: readonly SignedIntention[], seed: number): readonly (readonly SignedIntention[])[] {
  const random = createSeededRandom(seed)
  const rest = [...items]
  const batches: SignedIntention[][] = []
  while (rest.length > 0) batches.push(rest.splice(0, 1 + random.below(200)))
  return batches
}

async function ingestAll(
  kernel: Kernel,
  batches: readonly (readonly SignedIntention[])[],
): Promise<readonly (readonly IngestOutcome[])[]> {
  return Promise.all(batches.map((batch) => kernel.ingest(batch, undefined)))
}

const histories = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  authors: fc.integer({ min: 1, max: 5 }),
  runs: fc.integer({ min: 20, max: 220 }),
})

describe('a verifier', () => {
  test('changes no outcome, whatever is sent and in whichever order it answers', async () => {
    await fc.assert(
      fc.asyncProperty(histories, fc.integer(), fc.boolean(), async (options, seed, inOrder) => {
        const { genesis, intentions } = createRandomDag(options)
        const storeId = genesisStoreId(genesis)
        const arrivals = spoiled(inOrder ? intentions : shuffled(intentions, seed), seed)
        const batches = batchesOf(arrivals, seed)
        const plain = await openTestKernel({ storeId })
        const verifier = createManualVerifier()
        const beside = await openTestKernel({ storeId, verifier })
        const expected = await ingestAll(plain.kernel, batches)
        const outcomes = await answering(verifier, seed, ingestAll(beside.kernel, batches))
        expect(outcomes).toEqual(expected)
        expect(beside.kernel.digest()).toEqual(plain.kernel.digest())
        expect(beside.kernel.stateDigest()).toEqual(plain.kernel.stateDigest())
        expect(beside.kernel.floating(1000)).toEqual(plain.kernel.floating(1000))
        await plain.kernel.close()
        await beside.kernel.close()
      }),
      { numRuns: 12 },
    )
  })

  test.each([
    [
      'rejects',
      () => {
        throw new Error('no threads')
      },
    ],
    ['answers for too few', (verdicts: boolean[]) => verdicts.slice(0, 3)],
  ])('that %s is done without: what it left out is verified in place', async (_, change) => {
    const verifier = createManualVerifier(change)
    const { kernel, genesis } = await createTestStore({ verifier })
    const good = Array.from({ length: 40 }, (_unused, n) => write(signerOf(2), { prev: genesis.id, at: at(1, n) }))
    const bad = write(signerOf(3), { prev: genesis.id, at: at(2) })
    const outcomes = await answering(
      verifier,
      1,
      kernel.ingest([...good, { ...bad, signature: new Uint8Array(64) }], undefined),
    )
    expect(outcomes.map(({ kind }) => kind)).toEqual([...good.map(() => 'witnessed'), 'invalid'])
    await kernel.close()
  })

  test('is not asked about a few, nor about what is here', async () => {
    const verifier = createManualVerifier()
    const { kernel, genesis } = await createTestStore({ verifier })
    const all = Array.from({ length: 40 }, (_, n) => write(signerOf(2), { prev: genesis.id, at: at(1, n) }))
    await kernel.ingest(all.slice(0, 7), undefined)
    expect(verifier.asked()).toBe(0)
    await answering(verifier, 1, kernel.ingest(all, undefined))
    expect(verifier.asked()).toBe(33)
    await kernel.ingest(all, undefined)
    expect(verifier.asked()).toBe(33)
    await kernel.close()
  })

  test('holds back nothing else: own writes go on, and closing waits for what was accepted', async () => {
    const verifier = createManualVerifier()
    const { kernel, genesis } = await createTestStore({ verifier })
    const all = Array.from({ length: 300 }, (_, n) => write(signerOf(2), { prev: genesis.id, at: at(1, n) }))
    const ingested = kernel.ingest(all, undefined)
    const mine = await kernel.submit({ kind: 'appData', schema: 0, value: new Uint8Array(3) })
    expect(kernel.has(mine)).toBe(true)
    let isClosed = false
    const closed = kernel.close().then(() => (isClosed = true))
    await new Promise((resolve) => void setImmediate(resolve))
    expect(isClosed).toBe(false)
    const outcomes = await answering(verifier, 1, ingested)
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['witnessed']))
    await answering(verifier, 1, closed)
  })

  test('has a bounded part of a large batch at a time', async () => {
    const verifier = createManualVerifier()
    let hashed = 0
    const counting: Crypto = {
      ...crypto,
      blake3: (...parts) => {
        hashed += 1
        return crypto.blake3(...parts)
      },
    }
    const { kernel, genesis } = await createTestStore({ verifier, crypto: counting })
    const all = Array.from({ length: 3000 }, (_, n) => write(signerOf(2), { prev: genesis.id, at: at(1, n) }))
    const ingested = kernel.ingest(all, undefined)
    for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => void setImmediate(resolve))
    // Nothing is answered: what is handed out, and what was verified here meanwhile, does not grow.
    expect(verifier.waiting).toHaveLength(8)
    expect(verifier.asked()).toBe(8 * 64)
    expect(hashed).toBeLessThan(17 * 64)
    expect(kernel.stats().witnessCount).toBe(1)
    await answering(verifier, 1, ingested)
    expect(kernel.stats().witnessCount).toBe(3001)
    await kernel.close()
  })
})
