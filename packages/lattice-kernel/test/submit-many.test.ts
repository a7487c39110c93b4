/** Bulk writes: runs, commits, what is there when one of them ends early. */
import { isSigned, MAX_RUN_LENGTH, toHex, toIntentionId, utf8Encode } from '@lattice/model'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { WRITES_PER_COMMIT } from '../src/bulk-queue.ts'
import { type BulkWrite, type Kernel, type SubmittedMany, SubmitStopped } from '../src/index.ts'
import { createTestStore, openTestKernel, removeDirectories, signerOf } from './harness.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

function* texts(count: number, from = 0): Generator<BulkWrite, void, undefined> {
  for (let index = from; index < from + count; index += 1) yield { op: appOp(`w ${index}`) }
}

function textsOf(kernel: Kernel): string[] {
  return kernel
    .scanWitness(2, 100_000)
    .map(({ parsed }) => (parsed.op.kind === 'appData' ? new TextDecoder().decode(parsed.op.value) : parsed.op.kind))
}

async function stopOf(work: Promise<unknown>): Promise<SubmitStopped> {
  const error: unknown = await work.catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(SubmitStopped)
  return error as SubmitStopped
}

function commitCounter(): { count: number; readonly hooks: { at: (point: string, path: string) => void } } {
  const counter = {
    count: 0,
    hooks: {
      at: (point: string, path: string) => {
        if (point === 'commit' && path.endsWith('log.db')) counter.count += 1
      },
    },
  }
  return counter
}

describe('submitMany', () => {
  test('writes in order, in runs of 256 with several of them per commit, and says what is durable', async () => {
    const commits = commitCounter()
    const { kernel } = await createTestStore({ storageHooks: commits.hooks })
    commits.count = 0
    const progress: SubmittedMany[] = []
    const count = 2 * WRITES_PER_COMMIT + 300
    const done = await kernel.submitMany(texts(count), { onProgress: (each) => progress.push(each) })
    expect(done.written).toBe(count)
    expect(textsOf(kernel)).toEqual(Array.from({ length: count }, (_, index) => `w ${index}`))
    // Two of them bring the log's indexes to disk.
    expect(commits.count).toBe(5)
    expect(progress.map(({ written }) => written)).toEqual([WRITES_PER_COMMIT, 2 * WRITES_PER_COMMIT, count])
    expect(toHex(progress.at(-1)?.lastId ?? new Uint8Array())).toBe(
      toHex(kernel.scanWitness(count + 1, 1)[0]?.parsed.id ?? new Uint8Array()),
    )
    const signed = kernel.scanWitness(2, count).flatMap(({ parsed }, index) => (isSigned(parsed) ? [index + 1] : []))
    const full = Math.floor(count / MAX_RUN_LENGTH)
    expect(signed).toEqual([...Array.from({ length: full }, (_, run) => (run + 1) * MAX_RUN_LENGTH), count])
    await kernel.close()
  })

  test('another kernel takes the runs in, and both hold the same', async () => {
    const { kernel, genesis } = await createTestStore()
    await kernel.submitMany(texts(700))
    const other = await openTestKernel({ storeId: kernel.storeId, signer: signerOf(2) })
    const all = kernel.scanWitness(2, 1000).map(({ parsed }) => parsed)
    const outcomes = await other.kernel.ingest([genesis, ...all], undefined)
    expect(outcomes.every(({ kind }) => kind === 'witnessed')).toBe(true)
    expect(toHex(await other.kernel.stateDigest())).toBe(toHex(await kernel.stateDigest()))
    await kernel.close()
    await other.kernel.close()
  })

  test('draws from its source no further than a commit ahead, and asks for the next part when one is durable', async () => {
    const { kernel } = await createTestStore()
    let drawn = 0
    let written = 0
    let furthest = 0
    function* counted(): Generator<BulkWrite, void, undefined> {
      for (const each of texts(3000, drawn)) {
        drawn += 1
        furthest = Math.max(furthest, drawn - written)
        yield each
      }
    }
    async function* parts(): AsyncGenerator<Iterable<BulkWrite>> {
      for (let part = 0; part < 3; part += 1) {
        expect(written).toBe(part * 3000)
        expect(kernel.stats().witnessCount).toBe(1 + part * 3000)
        yield counted()
      }
    }
    await kernel.submitMany(parts(), { onProgress: (each) => void (written = each.written) })
    expect(drawn).toBe(9000)
    expect(furthest).toBeLessThanOrEqual(WRITES_PER_COMMIT + 1)
    await kernel.close()
  })

  test('a refused write ends it: those before it are durable, it and what follows left no trace', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 1300 }), fc.boolean(), async (bad, isUnknownDep) => {
        const { kernel, directory, options } = await createTestStore()
        const refused: BulkWrite = isUnknownDep
          ? { op: appOp('x'), deps: () => [toIntentionId(new Uint8Array(32).fill(3))] }
          : { op: appOp('reject') }
        const error = await stopOf(kernel.submitMany([...texts(bad), refused, ...texts(50)]))
        expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', detail: { index: bad, written: bad } })
        expect(kernel.stats().witnessCount).toBe(1 + bad)
        expect(kernel.tables().app.get(utf8Encode('never'))).toBeUndefined()
        await kernel.submit(appOp('after'))
        await kernel.close()
        const again = await openTestKernel({ ...options, directory })
        expect(textsOf(again.kernel)).toEqual([...Array.from({ length: bad }, (_, index) => `w ${index}`), 'after'])
        await again.kernel.close()
      }),
      { numRuns: 6 },
    )
  })

  test('a source that throws ends it like a refusal, and is closed', async () => {
    const { kernel } = await createTestStore()
    const failing = function* (): Generator<BulkWrite, void, undefined> {
      yield* texts(10)
      throw new Error('line 11: no record')
    }
    const error = await stopOf(kernel.submitMany(failing()))
    expect(error).toMatchObject({ message: 'line 11: no record', detail: { index: 10, written: 10 } })
    let isClosed = false
    async function* parts(): AsyncGenerator<Iterable<BulkWrite>> {
      try {
        yield texts(5)
        yield [{ op: appOp('reject') }]
        yield texts(5)
      } finally {
        isClosed = true
      }
    }
    expect((await stopOf(kernel.submitMany(parts()))).detail).toMatchObject({ index: 5, written: 5 })
    expect(isClosed).toBe(true)
    const broken: AsyncIterable<Iterable<BulkWrite>> = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('the connection broke')) }),
    }
    expect((await stopOf(kernel.submitMany(broken))).message).toBe('the connection broke')
    expect(kernel.stats().witnessCount).toBe(16)
    await kernel.close()
  })

  test('an abort ends it between two commits, and what was reported is there', async () => {
    const { kernel } = await createTestStore()
    const abort = new AbortController()
    let written = 0
    const reason = new Error('enough')
    const running = kernel.submitMany(texts(100_000), {
      signal: abort.signal,
      onProgress: (each) => {
        written = each.written
        if (written >= 2 * WRITES_PER_COMMIT) abort.abort(reason)
      },
    })
    await expect(running).rejects.toBe(reason)
    expect(kernel.stats().witnessCount).toBe(1 + written)
    await expect(kernel.submitMany(texts(5), { signal: abort.signal })).rejects.toBe(reason)
    expect(kernel.stats().witnessCount).toBe(1 + written)
    await kernel.close()
  })

  test('a commit that fails leaves none of its writes and all of those before', async () => {
    let commits = 0
    let failAt = 0
    const { kernel } = await createTestStore({
      storageHooks: {
        at: (point, path) => {
          if (point !== 'commit' || !path.endsWith('log.db')) return
          commits += 1
          if (commits === failAt) throw new Error('no space')
        },
      },
    })
    // The first is followed by one that brings the log's indexes to disk.
    failAt = commits + 3
    const error = await stopOf(kernel.submitMany(texts(3 * WRITES_PER_COMMIT)))
    expect(error.detail).toMatchObject({ written: WRITES_PER_COMMIT })
    expect(kernel.stats().witnessCount).toBe(1 + WRITES_PER_COMMIT)
    expect((await kernel.submitMany(texts(10, 9000))).written).toBe(10)
    expect(textsOf(kernel).at(-1)).toBe('w 9009')
    await kernel.close()
  })

  test('single writes come in between its commits', async () => {
    const { kernel } = await createTestStore()
    let at = -1
    let single: Promise<unknown> | undefined
    await kernel.submitMany(texts(6 * WRITES_PER_COMMIT), {
      onProgress: ({ written }) => {
        single ??= kernel.submit(appOp('single')).then(() => void (at = written))
      },
    })
    await single
    expect(at).toBe(WRITES_PER_COMMIT)
    expect(textsOf(kernel)[WRITES_PER_COMMIT]).toBe('single')
    await kernel.close()
  })

  test('closing ends it at its next commit, and says so', async () => {
    const { kernel, directory, options } = await createTestStore()
    let closing: Promise<void> | undefined
    const running = kernel.submitMany(texts(1_000_000), { onProgress: () => void (closing ??= kernel.close()) })
    const error = await stopOf(running)
    await closing
    expect(error.code).toBe('CLOSED')
    expect(error.detail.written).toBe(WRITES_PER_COMMIT)
    const again = await openTestKernel({ ...options, directory })
    expect(again.kernel.stats().witnessCount).toBe(1 + error.detail.written)
    await again.kernel.close()
    expect((await stopOf(kernel.submitMany(texts(1)))).code).toBe('CLOSED')
  })

  test('an ack and its write stay together at the end of a run', async () => {
    const { kernel } = await createTestStore()
    const heads = Array.from({ length: 40 }, () => kernel.storeId)
    await kernel.submitMany(texts(40))
    const cited = kernel.scanWitness(2, 40).map(({ parsed }) => parsed.id)
    expect(cited).toHaveLength(heads.length)
    const many: BulkWrite[] = [
      ...texts(MAX_RUN_LENGTH - 1, 1000),
      { op: appOp('folded'), deps: () => cited },
      ...texts(3, 2000),
    ]
    await kernel.submitMany(many)
    const entries = kernel.scanWitness(42, 1000)
    expect(entries.flatMap(({ parsed }, index) => (isSigned(parsed) ? [index] : []))).toEqual([
      MAX_RUN_LENGTH - 2,
      MAX_RUN_LENGTH + 3,
    ])
    expect(entries[MAX_RUN_LENGTH - 1]?.parsed.op.kind).toBe('ack')
    await kernel.close()
  })

  test('nothing to write is no commit', async () => {
    const commits = commitCounter()
    const { kernel } = await createTestStore({ storageHooks: commits.hooks })
    commits.count = 0
    expect(await kernel.submitMany([])).toEqual({ written: 0, lastId: undefined })
    expect(commits.count).toBe(0)
    await kernel.close()
  })
})
