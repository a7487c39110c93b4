/** State on disk follows what is published, whenever it is written, interrupted or refused. */
import { cpSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  assert,
  genesisStoreId,
  type ParsedIntention,
  type ReadTable,
  silentLogger,
  type TableRow,
  toHash,
  toHex,
  utf8Encode,
} from '@lattice/model'
import { createManualClock } from '@lattice/model/testing'
import { openStateDatabase, type StorageHooks, type StoragePoint } from '@lattice/storage'
import type { Projector } from '@lattice/store-base'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { AppliedCuts } from '../src/applied-cuts.ts'
import type { LogEntry } from '../src/log-entry.ts'
import { createProjection, type Projection } from '../src/projection.ts'
import {
  at,
  createTestStore,
  genesisOf,
  openTestKernel,
  removeDirectories,
  signerOf,
  temporaryDirectory,
  turnScheduler,
  write,
} from './harness.ts'
import { appOp, createTrackingProjector } from './tracking-projector.ts'

afterEach(removeDirectories)

const genesis = genesisOf(signerOf(1))
const storeId = genesisStoreId(genesis)
const hashOf = (seq: number) => {
  const bytes = new Uint8Array(32)
  new DataView(bytes.buffer).setUint32(0, seq)
  return toHash(bytes)
}

/** A log of records that are applied and never looked at otherwise. */
function createLog(texts: readonly string[]): readonly LogEntry[] {
  const bob = signerOf(2)
  return texts.map((text, index) => ({
    parsed: write(bob, { prev: genesis.id, at: at(1, index), op: appOp(text), close: false }),
    meta: { seq: index + 1, lane: 1, author: 0, position: 1, generation: 1, timestamp: at(1, index) },
    witnessedMs: 0,
    chainHash: hashOf(index + 1),
    witnessSignature: new Uint8Array(0),
  }))
}

const nothing = { spans: new Map(), faulty: [] }
const uncut: AppliedCuts = {
  now: () => nothing,
  modeOf: () => 'full',
  compare: () => () => true,
  markOf: () => new Uint8Array(0),
  isMarkOf: () => true,
}

function openProjection(
  directory: string,
  hooks?: StorageHooks,
  projector: Projector = createTrackingProjector(),
): Projection {
  const state = openStateDatabase({
    path: join(directory, 'state.db'),
    storeId,
    projectorVersion: 'a/1',
    ...(hooks && { hooks }),
  })
  return createProjection({
    state,
    projector,
    follows: () => true,
    cuts: uncut,
    isBelowEpoch: () => false,
    depsOf: () => [],
    clock: createManualClock({ wallMs: 0 }),
    logger: silentLogger,
  })
}

function applyTo(projection: Projection, log: readonly LogEntry[], until: number): void {
  for (const entry of log.slice(projection.appliedSeq(), until)) projection.apply(entry, 'record')
  projection.publish()
}

function rowsOf(table: ReadTable): readonly TableRow[] {
  return [...table.scan({})]
}

function rejectedSeqs(projection: Projection): readonly number[] {
  return projection.rejections(0, 1000).map(({ seq }) => seq)
}

/** What a log comes to: rows by key as the tracking projector has them, and which records it rejects. */
function modelOf(
  log: readonly LogEntry[],
  until: number,
): { readonly rows: Map<string, string>; readonly rejected: number[] } {
  const rows = new Map<string, string>()
  const rejected: number[] = []
  for (const { parsed, meta } of log.slice(0, until)) {
    const { op, id } = parsed
    const text = op.kind === 'appData' ? Buffer.from(op.value).toString() : ''
    const [word, key = '', value = ''] = text.split(' ')
    if (word === 'reject' || value === 'reject') rejected.push(meta.seq)
    else if (word !== 'set') rows.set(toHex(id), toHex(utf8Encode(text)))
    else {
      const name = toHex(utf8Encode(key))
      const row = toHex(utf8Encode(`${toHex(id)} ${value}`))
      if ((rows.get(name) ?? '') < row) rows.set(name, row)
    }
  }
  return { rows, rejected }
}

function expectModel(projection: Projection, log: readonly LogEntry[]): void {
  const { rows, rejected } = modelOf(log, projection.publishedSeq())
  const found = rowsOf(projection.visible.app).map(({ key, value }) => [toHex(key), toHex(value)])
  expect(found).toEqual([...rows].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  expect(rejectedSeqs(projection)).toEqual(rejected)
  expect(projection.rejectionCount()).toBe(rejected.length)
}

const texts = fc.array(
  fc.oneof(
    fc.tuple(fc.nat(30), fc.nat(3)).map(([key, value]) => `set k${key} v${value}`),
    fc.constantFrom('reject me', 'set k1 reject', 'word'),
  ),
  { minLength: 1, maxLength: 300 },
)

type Step =
  | { readonly kind: 'apply'; readonly records: number }
  | { readonly kind: 'step' | 'request' | 'crash' | 'reopen' | 'undone' }
  | { readonly kind: 'fail'; readonly point: StoragePoint; readonly nth: number }

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('apply' as const), records: fc.nat(100) }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('step' as const) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('request' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constantFrom('crash' as const, 'reopen' as const, 'undone' as const) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('fail' as const),
        point: fc.constantFrom<StoragePoint>('write', 'commit', 'committed'),
        nth: fc.nat(40),
      }),
    },
  ),
  { maxLength: 40 },
)

describe('state on disk', () => {
  // Model: the rows that a plain map has after the same records.
  test('comes to the same rows and rejections whatever is flushed when, refused, or crashed between two slices', () => {
    fc.assert(
      fc.property(texts, steps, (words, all) => {
        const log = createLog(words)
        let fault: { readonly point: StoragePoint; left: number } | undefined
        const hooks: StorageHooks = {
          at: (point) => {
            if (fault?.point !== point) return
            fault.left -= 1
            if (fault.left >= 0) return
            fault = undefined
            throw Object.assign(new Error('full'), { code: 'SQLITE_FULL' })
          },
        }
        let directory = temporaryDirectory()
        let projection = openProjection(directory, hooks)
        for (const step of all) {
          switch (step.kind) {
            case 'apply':
              applyTo(projection, log, projection.appliedSeq() + step.records)
              break
            case 'undone': {
              // The log commit of these failed.
              const from = projection.appliedSeq()
              for (const entry of log.slice(from, from + 10)) projection.apply(entry, 'record')
              projection.discard()
              expect(projection.appliedSeq()).toBe(from)
              break
            }
            case 'step':
              projection.flush.step()
              break
            case 'request':
              projection.flush.request()
              break
            case 'fail':
              fault = { point: step.point, left: step.nth }
              break
            case 'crash': {
              // What the system would find: the files as they are.
              const copy = temporaryDirectory()
              cpSync(directory, copy, { recursive: true })
              const before = projection
              projection = openProjection(copy, hooks)
              before.flush.stop()
              before.state.close()
              directory = copy
              expect(projection.appliedSeq()).toBeLessThanOrEqual(before.publishedSeq())
              break
            }
            case 'reopen':
              projection.flush.stop()
              projection.state.close()
              projection = openProjection(directory, hooks)
          }
          expectModel(projection, log)
        }
        fault = undefined
        applyTo(projection, log, log.length)
        projection.flush.leaveLog()
        projection.flush.request()
        while (projection.flush.isBehind()) expect(projection.flush.step()).toBeDefined()
        projection.state.close()
        projection = openProjection(directory)
        expect(projection.appliedSeq()).toBe(log.length)
        expectModel(projection, log)
        projection.state.close()
      }),
      { numRuns: 40 },
    )
  })
})

/** Counts what is done to state.db, and refuses it while told to. */
function watchState() {
  const watch = { writes: 0, commits: 0, isRefusing: false }
  const hooks: StorageHooks = {
    at: (point, path) => {
      if (!path.endsWith('state.db')) return
      if (point === 'write') watch.writes += 1
      if (point === 'commit') watch.commits += 1
      if (watch.isRefusing && (point === 'write' || point === 'commit')) {
        throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' })
      }
    },
  }
  return { watch, hooks }
}

/** Timers that a test lets fire. */
function createTimers() {
  let tasks: (() => void)[] = []
  return {
    scheduler: {
      soon: turnScheduler.soon,
      after: (_: number, task: () => void) => {
        tasks.push(task)
        return () => {
          tasks = tasks.filter((other) => other !== task)
        }
      },
    },
    fire: () => {
      for (const task of tasks.splice(0)) task()
    },
    waiting: () => tasks.length,
  }
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
  }
}

/** `fill 10` writes so many rows of 100 bytes, `clear 3` leaves the first so many. */
const fillingProjector: Projector = {
  ...createTrackingProjector(),
  apply: ({ app }, { op }) => {
    assert(op?.op.case === 'appData', 'it is app data')
    const [word, count = ''] = Buffer.from(op.op.value).toString().split(' ')
    const key = (n: number): Uint8Array => utf8Encode(String(n).padStart(6, '0'))
    if (word === 'fill') for (let n = 0; n < Number(count); n += 1) app.set(key(n), new Uint8Array(100).fill(n))
    else Array.from(app.scan({ gte: key(Number(count)) }), (row) => row.key).forEach(app.delete)
    return { kind: 'applied', events: [] }
  },
}

/** Until nothing is to be done and nothing waited for. */
async function settle({ flush }: Projection): Promise<void> {
  flush.request()
  while (flush.step() !== undefined || flush.waiting() !== undefined) await flush.waiting()
}

describe('the file of state', () => {
  const log = createLog(['fill 20000', 'clear 15', 'fill 20000', 'clear 18000'])
  const sizeOf = (directory: string): number => statSync(join(directory, 'state.db')).size

  test('gives back what rows took that are gone, where that is a good part of it', async () => {
    const directory = temporaryDirectory()
    const projection = openProjection(directory, undefined, fillingProjector)
    const sizes: number[] = []
    for (const until of [1, 2, 3, 4]) {
      applyTo(projection, log, until)
      await settle(projection)
      sizes.push(sizeOf(directory))
    }
    const [full = 0, cleared = 0, again = 0, most = 0] = sizes
    expect(full).toBeGreaterThan(2_000_000)
    expect(cleared).toBeLessThan(150_000)
    expect(again).toBeGreaterThan(2_000_000)
    // A tenth that is free is written again soon.
    expect(most).toBeGreaterThan(0.95 * again)
    expect(rowsOf(projection.visible.app)).toHaveLength(18_000)
    projection.flush.stop()
    projection.state.close()
    const reopened = openProjection(directory, undefined, fillingProjector)
    expect(rowsOf(reopened.visible.app)).toHaveLength(18_000)
    expect(reopened.appliedSeq()).toBe(4)
    reopened.state.close()
  })

  test('that could not be made smaller is as it was, and is made so another time', async () => {
    const directory = temporaryDirectory()
    let isRefusing = false
    const hooks: StorageHooks = {
      at: (point) => {
        if (isRefusing && point === 'write') throw new Error('the disk is tired')
      },
    }
    const projection = openProjection(directory, hooks, fillingProjector)
    applyTo(projection, log, 1)
    await settle(projection)
    applyTo(projection, log, 2)
    projection.flush.request()
    const { flush, state } = projection
    while (!isRefusing) {
      const isDone = state.cursor().seq === 2 && state.rowsSinceCheckpoint() === 0
      if (isDone && flush.waiting() === undefined) isRefusing = true
      else if (flush.step() === undefined) await flush.waiting()
    }
    while (flush.step() !== undefined) await flush.waiting()
    isRefusing = false
    expect(sizeOf(directory)).toBeGreaterThan(2_000_000)
    expect([flush.failure(), rowsOf(projection.visible.app).length]).toEqual([undefined, 15])
    for (const until of [3, 4]) {
      applyTo(projection, log, until)
      await settle(projection)
    }
    expect(rowsOf(projection.visible.app)).toHaveLength(18_000)
    projection.flush.stop()
    state.close()
  })
})

describe('a kernel', () => {
  test('commits a write once, to the log; state follows when the store is idle, and is not applied again then', async () => {
    const { watch, hooks } = watchState()
    const { scheduler, fire } = createTimers()
    const { kernel, directory, options } = await createTestStore({ storageHooks: hooks, scheduler })
    const { commits } = watch
    for (let n = 0; n < 20; n += 1) await kernel.submit(appOp(`set k${n} v`))
    expect(watch.commits).toBe(commits)
    expect(kernel.tables().app.get(utf8Encode('k19'))).toBeDefined()
    expect(kernel.projection()).toEqual({ appliedSeq: 21, headSeq: 21 })
    // Still busy when the first timer fires; idle when the next does.
    fire()
    await kernel.submit(appOp('set k20 v'))
    await turns(2)
    expect(watch.commits).toBe(commits)
    fire()
    await turns(2)
    fire()
    await turns(4)
    expect(watch.commits).toBe(commits + 1)
    const copy = temporaryDirectory()
    cpSync(directory, copy, { recursive: true })
    const again = await openTestKernel({ ...options, directory: copy, projector: createTrackingProjector() })
    expect(await again.kernel.stateDigest()).toEqual(await kernel.stateDigest())
    const { projector } = again.options
    expect('applied' in projector && projector.applied).toEqual([])
    await again.kernel.close()
    await kernel.close()
  })

  test('that is killed before state went to disk applies the rest of the log again', async () => {
    const { kernel, directory, options } = await createTestStore()
    for (let n = 0; n < 50; n += 1) await kernel.submit(appOp(`set k${n % 7} v${n}`))
    const copy = temporaryDirectory()
    cpSync(directory, copy, { recursive: true })
    const projector = createTrackingProjector()
    const again = await openTestKernel({ ...options, directory: copy, projector })
    expect(projector.applied).toHaveLength(51)
    expect(await again.kernel.stateDigest()).toEqual(await kernel.stateDigest())
    expect([...again.kernel.tables().app.scan({})]).toEqual([...kernel.tables().app.scan({})])
    await again.kernel.close()
    await kernel.close()
  })

  test.each(['retry', 'time'])(
    'whose disk takes no state goes on in memory up to a bound, stalls there, and goes on by %s',
    async (how) => {
      const { watch, hooks } = watchState()
      const { scheduler, fire } = createTimers()
      const { kernel, options } = await createTestStore({ storageHooks: hooks, scheduler })
      const events: string[] = []
      kernel.onEvent(({ kind }) => events.push(kind))
      watch.isRefusing = true
      const bob = signerOf(2)
      const large = 'v'.repeat(120_000)
      const run: ParsedIntention[] = []
      /** Takes in so many large records in one run each; answers how many are not applied. */
      const fill = async (records: number): Promise<number> => {
        const next: ParsedIntention[] = []
        for (let n = 1; n <= records; n += 1) {
          const prev = (next.at(-1) ?? run.at(-1))?.id ?? kernel.storeId
          const close = n % 20 === 0 || n === records
          next.push(write(bob, { prev, at: at(1, run.length + n), op: appOp(`set k ${large}`), close }))
        }
        run.push(...next)
        await kernel.ingest(next, undefined)
        const { appliedSeq, headSeq } = kernel.projection()
        return headSeq - appliedSeq
      }
      expect(await fill(260)).toBe(0)
      expect(kernel.projection().stalled).toBeUndefined()
      // Replication goes on, and no more is applied than memory may hold.
      const left = await fill(80)
      expect(left).toBeGreaterThan(40)
      expect(kernel.projection().stalled).toMatchObject({ error: { code: 'DISK_FULL' } })
      await expect(kernel.submit(appOp('x'))).rejects.toMatchObject({ code: 'PROJECTION_STALLED' })
      await expect(kernel.retry()).rejects.toMatchObject({ code: 'PROJECTION_STALLED' })
      expect(kernel.projection().headSeq - kernel.projection().appliedSeq).toBe(left)
      expect(events).toEqual(['stalled', 'resumed', 'stalled'])
      watch.isRefusing = false
      if (how === 'retry') await kernel.retry()
      else fire()
      await turns(300)
      expect(kernel.projection()).toEqual({ appliedSeq: 341, headSeq: 341 })
      expect(events).toEqual(['stalled', 'resumed', 'stalled', 'resumed'])
      await kernel.submit(appOp('set after v'))
      const digest = await kernel.stateDigest()
      await kernel.close()
      const again = await openTestKernel({ ...options })
      expect(await again.kernel.stateDigest()).toEqual(digest)
      await again.kernel.close()
    },
  )
})
