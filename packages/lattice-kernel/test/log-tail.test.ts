/** What is derived from the log: at checkpoints, in the tail behind them, and after a stop between any two commits. */
import { cpSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { genesisStoreId, type ParsedIntention, toHex } from '@lattice/model'
import { openDatabase } from '@lattice/storage'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel } from '../src/index.ts'
import { CHECKPOINT_RECORDS } from '../src/log-index.ts'
import { LOG_APPLICATION_ID, LOG_MIGRATIONS } from '../src/log-schema.ts'
import { createTestStore, openTestKernel, removeDirectories, signerOf, temporaryDirectory } from './harness.ts'
import { createRandomDag } from './random-dag.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

/** All that an index answers. */
function answersOf(kernel: Kernel, intentions: readonly ParsedIntention[]): unknown {
  return {
    places: intentions.map(({ id }) => {
      const stored = kernel.get(id)
      return [stored?.seq, stored?.position, stored?.generation]
    }),
    byPrefix: intentions.slice(-20).map(({ id }) => kernel.getByPrefix(toHex(id).slice(0, 16)).map(({ seq }) => seq)),
    tips: kernel.tips(),
    frontier: kernel.frontier(),
    forks: kernel.forks(1000),
    digest: kernel.digest(),
    stats: { ...kernel.stats(), rejectionCount: 0, appliedSeq: 0 },
  }
}

/** The files as they are, as after a power cut. */
function copyOf(directory: string): string {
  const copy = temporaryDirectory()
  cpSync(directory, copy, { recursive: true })
  return copy
}

describe('the indexes of a log', () => {
  test('are the same from memory, from the tail, and from a checkpoint, whatever the history', async () => {
    const dags = fc.record({
      seed: fc.integer({ min: 1, max: 1_000_000 }),
      authors: fc.integer({ min: 1, max: 5 }),
      runs: fc.integer({ min: 1, max: 40 }),
    })
    await fc.assert(
      fc.asyncProperty(dags, async (options) => {
        const { genesis, intentions } = createRandomDag(options)
        const storeId = genesisStoreId(genesis)
        const { kernel, options: opened } = await openTestKernel({ storeId })
        await kernel.ingest(intentions, undefined)
        const expected = answersOf(kernel, intentions)
        const replayed = await openTestKernel({ ...opened, storeId, directory: copyOf(opened.directory) })
        expect(answersOf(replayed.kernel, intentions)).toEqual(expected)
        await replayed.kernel.close()
        await kernel.close()
        const reopened = await openTestKernel({ ...opened, storeId })
        expect(answersOf(reopened.kernel, intentions)).toEqual(expected)
        await reopened.kernel.close()
      }),
      { numRuns: 10 },
    )
  })

  test('reach the disk after the commit that passes a checkpoint, and the rest is replayed', async () => {
    const { kernel, options, directory } = await createTestStore()
    const writes = CHECKPOINT_RECORDS + 300
    await Promise.all(Array.from({ length: writes }, (_, n) => kernel.submit(appOp(`set k${n % 7} ${n}`))))
    const copy = copyOf(directory)
    const checkpoint = metaOf(copy)
    expect(checkpoint).toBeGreaterThanOrEqual(CHECKPOINT_RECORDS)
    expect(checkpoint).toBeLessThan(writes + 1)
    const { kernel: replayed } = await openTestKernel({ ...options, directory: copy })
    expect(replayed.stats()).toEqual(kernel.stats())
    expect(replayed.digest()).toEqual(kernel.digest())
    await replayed.submit(appOp('set k 1'))
    expect(replayed.stats()).toMatchObject({ forkCount: 0, witnessCount: writes + 2 })
    await replayed.close()
    await kernel.close()
    expect(metaOf(directory)).toBe(writes + 1)
  })

  test('give every author and lane the number its records carry, also when a write was refused between', async () => {
    const { genesis, intentions } = createRandomDag({ seed: 11, authors: 3, runs: 20 })
    const storeId = genesisStoreId(genesis)
    const { kernel, options } = await openTestKernel({ storeId, signer: signerOf(99) })
    await kernel.ingest(intentions.slice(0, 5), undefined)
    // Refused by its state machine: the author's number is not taken.
    await expect(kernel.submit(appOp('reject me'))).rejects.toThrow('would reject')
    await kernel.ingest(intentions.slice(5), undefined)
    await kernel.submit(appOp('set mine 1'))
    const copy = copyOf(options.directory)
    const { kernel: replayed } = await openTestKernel({ ...options, storeId, directory: copy })
    expect(replayed.tips()).toEqual(kernel.tips())
    await replayed.close()
    await kernel.close()
  })
})

test('a checkpoint that the disk refuses costs nothing but a longer tail, and is tried again', async () => {
  let refusals = 0
  const full = Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' })
  let isFull = false
  const { kernel, options, directory } = await createTestStore({
    storageHooks: {
      at: (point, path) => {
        if (point !== 'write' || !path.endsWith('log.db') || !isFull) return
        // Only a checkpoint writes after the last commit of what is submitted.
        refusals += 1
        throw full
      },
    },
  })
  kernel.onWitnessed(() => {
    isFull = kernel.stats().witnessCount > CHECKPOINT_RECORDS
  })
  await Promise.all(
    Array.from({ length: CHECKPOINT_RECORDS + 100 }, (_, n) => kernel.submit(appOp(`set k ${n}`))),
  ).catch(() => undefined)
  expect(refusals).toBeGreaterThan(0)
  isFull = false
  const { witnessCount } = kernel.stats()
  const copy = copyOf(directory)
  expect(metaOf(copy)).toBe(1)
  const { kernel: replayed } = await openTestKernel({ ...options, directory: copy })
  expect(replayed.stats().witnessCount).toBe(witnessCount)
  await replayed.close()
  kernel.onWitnessed(() => {
    isFull = false
  })
  for (let n = 0; n < 4; n += 1) {
    await Promise.all(Array.from({ length: CHECKPOINT_RECORDS / 2 }, (_, m) => kernel.submit(appOp(`set k ${m}`))))
    isFull = false
  }
  const later = copyOf(directory)
  expect(metaOf(later)).toBeGreaterThan(witnessCount)
  expect(kernel.stats().forkCount).toBe(0)
  await kernel.close()
})

describe('a tail that is damaged', () => {
  test.each([
    ['a record is missing', 'DELETE FROM intentions WHERE seq = 4', 'witness 4'],
    [
      'a record is altered',
      'UPDATE intentions SET record = substr(record, 1, 55) || zeroblob(200) WHERE seq = 3',
      'witness 3',
    ],
    ['a record is cut short', 'UPDATE intentions SET record = substr(record, 1, 60) WHERE seq = 5', 'witness 5'],
    ['its end is missing', 'DELETE FROM intentions WHERE seq > 2; UPDATE log_meta SET head_seq = 4', 'log_meta'],
  ])('is refused by name when %s', async (_, sql, record) => {
    const { kernel, options, directory } = await createTestStore()
    for (let n = 0; n < 6; n += 1) await kernel.submit(appOp(`set k ${n}`))
    const copy = copyOf(directory)
    await kernel.close()
    const database = openLogOf(copy)
    database.transaction(() => sql.split(';').forEach((statement) => database.prepare(statement).run()))
    database.close()
    await expect(openTestKernel({ ...options, directory: copy })).rejects.toMatchObject({
      code: 'LOG_DAMAGED',
      detail: { record },
    })
  })

  test('that lost its last commit to a torn write opens at the commit before', async () => {
    const { kernel, options, directory } = await createTestStore()
    for (let n = 0; n < 6; n += 1) await kernel.submit(appOp(`set k ${n}`))
    const copy = copyOf(directory)
    await kernel.close()
    const wal = join(copy, 'log.db-wal')
    // One byte is enough: the checksum of the last frame fails.
    truncateSync(wal, statSync(wal).size - 1)
    for (const name of ['state.db', 'state.db-wal']) rmSync(join(copy, name), { force: true })
    const { kernel: replayed } = await openTestKernel({ ...options, directory: copy })
    expect(replayed.stats().witnessCount).toBe(6)
    await replayed.close()
  })
})

function openLogOf(directory: string): ReturnType<typeof openDatabase> {
  return openDatabase({
    path: join(directory, 'log.db'),
    contents: 'log',
    durability: 'full',
    applicationId: LOG_APPLICATION_ID,
    migrations: LOG_MIGRATIONS,
  })
}

function metaOf(directory: string): number {
  const database = openLogOf(directory)
  const row = database.prepare<{ readonly head_seq: number }>('SELECT head_seq FROM log_meta').get()
  database.close()
  return row?.head_seq ?? -1
}
