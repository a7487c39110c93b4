/** Disks that fail: at each storage point in turn, and directories that cannot be written at all. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { genesisStoreId, isLatticeError, toIntentionId } from '@lattice/model'
import { createManualScheduler } from '@lattice/model/testing'
import type { StorageHooks, StoragePoint } from '@lattice/storage'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel } from '../../src/index.ts'
import { RETRY_MS } from '../../src/retry-pause.ts'
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
} from '../harness.ts'
import { createPruneHistory } from '../prune-history.ts'
import { ingest, openPruning } from '../prune-pair.ts'
import { appOp } from '../tracking-projector.ts'

afterEach(removeDirectories)

const TYPED: ReadonlySet<string> = new Set([
  'DISK_FULL',
  'STORAGE_FAILED',
  'PROJECTION_STALLED',
  'LOG_DAMAGED',
  'STATE_DAMAGED',
])
/** What disks report. */
const CODES = ['SQLITE_IOERR_WRITE', 'SQLITE_IOERR_FSYNC', 'SQLITE_FULL', 'EIO', 'SQLITE_READONLY', 'ENOSPC'] as const
const COUNTED: ReadonlySet<StoragePoint> = new Set(['write', 'written', 'commit', 'committed'])

interface FailingDisk {
  readonly hooks: StorageHooks
  /** Counts from now on, and fails at point number `failAt`. */
  readonly arm: (failAt: number) => void
  readonly points: () => number
}

/** Fails once, with `code`. */
function createFailingDisk(code: string, counted = COUNTED): FailingDisk {
  let points = 0
  let failing = 0
  return {
    points: () => points,
    arm: (failAt) => void ([points, failing] = [0, failAt]),
    hooks: {
      at: (point) => {
        if (!counted.has(point)) return
        points += 1
        if (points === failing) throw Object.assign(new Error(`the disk says ${code}`), { code })
      },
    },
  }
}

type Attempt = (kernel: Kernel) => Promise<unknown>

const genesis = genesisOf(signerOf(1))
const first = write(signerOf(2), { prev: genesis.id, at: at(1), close: false })
const second = write(signerOf(2), { prev: first.id, at: at(2), op: appOp('set b v') })
const third = write(signerOf(2), { prev: second.id, at: at(3), op: appOp('reject') })

const ATTEMPTS: readonly Attempt[] = [
  async (kernel) => kernel.submit(appOp('set k v')),
  async (kernel) => kernel.ingest([third], undefined),
  async (kernel) => Promise.all([1, 2, 3].map(async (n) => kernel.submit(appOp(`set k${n} v`)))),
  async (kernel) => kernel.ingest([first, second], undefined),
  async (kernel) => kernel.rebuild(),
  async (kernel) => kernel.submit(appOp('set last v')),
]

/** Tries everything; what fails is tried again, once. Answers the ids that were acknowledged. */
async function tryAll(kernel: Kernel): Promise<readonly Uint8Array[]> {
  const acknowledged: Uint8Array[] = []
  kernel.onWitnessed(({ intentions }) => acknowledged.push(...intentions.map(({ id }) => id)))
  for (const attempt of ATTEMPTS) {
    try {
      await attempt(kernel)
    } catch (error) {
      expect(isLatticeError(error) && TYPED.has(error.code) ? 'typed' : error).toBe('typed')
      if (kernel.projection().stalled !== undefined) await kernel.retry()
      await attempt(kernel)
    }
    if (kernel.projection().stalled !== undefined) await kernel.retry()
  }
  return acknowledged
}

/** Nothing acknowledged is lost, state is what the log makes, and the own chain has one end. */
async function expectSound(kernel: Kernel, acknowledged: readonly Uint8Array[]): Promise<void> {
  const { witnessCount, appliedSeq, forkCount } = kernel.stats()
  expect({ appliedSeq, forkCount }).toEqual({ appliedSeq: witnessCount, forkCount: 0 })
  const held = new Set(kernel.scanWitness(1, 4096).map(({ parsed }) => Buffer.from(parsed.id).toString('hex')))
  expect(acknowledged.filter((id) => !held.has(Buffer.from(id).toString('hex')))).toEqual([])
  for (const { id } of [first, second, third]) expect(kernel.has(id)).toBe(true)
}

describe('a disk that is full when the time of an epoch has come', () => {
  test('is left alone for a while, and asked again', async () => {
    const { kernel, early, manual, disk } = await openFull()
    for (const asked of [1, 2]) {
      expect(disk.refused).toBe(asked)
      manual.advance(RETRY_MS)
      await turned()
    }
    disk.isFull = false
    const seen = kernel.waitFor(early.id)
    manual.advance(RETRY_MS)
    await seen
    await kernel.close()
  })

  test('is not asked by a store that was closed', async () => {
    const { kernel, manual, disk } = await openFull()
    await kernel.close()
    expect(manual.pending()).toBe(0)
    expect(disk.refused).toBe(1)
  })
})

/** A store that has refused such an epoch for want of room. */
async function openFull() {
  const manual = createManualScheduler()
  const { clock } = manual
  clock.setWallMs(at(1000).wall)
  const disk = { isFull: false, refused: 0 }
  const refuse = (point: StoragePoint, path: string): void => {
    if (!disk.isFull || point !== 'write' || basename(path) !== 'log.db') return
    disk.refused += 1
    // Whoever asks for ever comes to an end.
    if (disk.refused === 100) disk.isFull = false
    throw Object.assign(new Error('full'), { code: 'SQLITE_FULL' })
  }
  const history = createPruneHistory(29)
  const scheduler = { ...manual, soon: turnScheduler.soon }
  const { kernel } = await openPruning(history, { clock, scheduler, storageHooks: { at: refuse } })
  await ingest(kernel, history.all)
  const { op, intention } = history.prune(0)
  if (op.kind !== 'epoch') throw new Error('a prune is an epoch')
  const prev = toIntentionId(intention.storePrev)
  const early = write(history.creator, { prev, deps: intention.causalDeps, at: at(61_500), op })
  expect(await kernel.ingest([early], undefined)).toMatchObject([{ kind: 'floating', reason: 'future' }])
  disk.isFull = true
  manual.advance(600)
  await turned()
  return { kernel, early, manual, disk }
}

/** More turns of the event loop than anything takes here. */
async function turned(): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) await new Promise<void>((resolve) => void setImmediate(resolve))
}

describe('a disk that fails once', () => {
  test(
    'at any point of a write: what it was asked is refused by name or done, and all goes on',
    { timeout: 60_000 },
    async () => {
      const base = temporaryDirectory()
      await (await createTestStore({ directory: base })).kernel.close()
      let points = Infinity
      for (let failAt = 0; failAt <= points; failAt += 1) {
        const directory = temporaryDirectory()
        cpSync(base, directory, { recursive: true })
        const disk = createFailingDisk(CODES[failAt % CODES.length] ?? 'EIO')
        const { kernel } = await createTestStore({ directory, storageHooks: disk.hooks })
        disk.arm(failAt)
        const acknowledged = await tryAll(kernel)
        // The first life fails nowhere.
        if (failAt === 0) points = disk.points()
        disk.arm(0)
        await expectSound(kernel, acknowledged)
        await kernel.close()
        const again = await createTestStore({ directory })
        await expectSound(again.kernel, acknowledged)
        const digest = await again.kernel.stateDigest()
        await again.kernel.rebuild()
        expect(await again.kernel.stateDigest()).toEqual(digest)
        await again.kernel.close()
        rmSync(directory, { recursive: true })
      }
      expect(points).toBeGreaterThan(50)
    },
  )

  test('at any point of opening: refused by name, nothing stays open, and it opens the next time', async () => {
    const counted: ReadonlySet<StoragePoint> = new Set([...COUNTED, 'open', 'opened'])
    const quiet = createFailingDisk('none', counted)
    await (await createTestStore({ storageHooks: quiet.hooks })).kernel.close()
    expect(quiet.points()).toBeGreaterThan(8)
    for (let failAt = 1; failAt <= quiet.points(); failAt += 1) {
      const directory = temporaryDirectory()
      const disk = createFailingDisk(CODES[failAt % CODES.length] ?? 'EIO', counted)
      disk.arm(failAt)
      try {
        const { kernel } = await createTestStore({ directory, storageHooks: disk.hooks })
        // State may lag behind: that is seen and told.
        if (kernel.projection().stalled !== undefined) await kernel.retry()
        await kernel.close()
      } catch (error) {
        expect(isLatticeError(error) && TYPED.has(error.code) ? 'typed' : error).toBe('typed')
      }
      const { kernel } = await createTestStore({ directory })
      await kernel.submit(appOp('set k v'))
      expect(kernel.stats()).toMatchObject({ witnessCount: 2, appliedSeq: 2, forkCount: 0 })
      await kernel.close()
      rmSync(directory, { recursive: true })
    }
  })
})

/** A closed store with some writes. */
async function closedStore(): Promise<string> {
  const directory = join(temporaryDirectory(), 'store')
  const { kernel } = await createTestStore({ directory })
  for (let n = 0; n < 5; n += 1) await kernel.submit(appOp(`set k${n} v`))
  await kernel.close()
  return directory
}

describe('files that are not what they should be', () => {
  test.each<readonly [string, (directory: string) => void, string]>([
    ['the directory is a file', (path) => replaceByFile(path), 'STORAGE_FAILED'],
    ['log.db is a directory', (path) => replaceByDirectory(join(path, 'log.db')), 'STORAGE_FAILED'],
    ['state.db is a directory', (path) => replaceByDirectory(join(path, 'state.db')), 'STORAGE_FAILED'],
    ['log.db-wal is a directory', (path) => mkdirSync(join(path, 'log.db-wal')), 'STORAGE_FAILED'],
    ['log.db is cut in the middle', (path) => truncateSync(join(path, 'log.db'), 8192), 'LOG_DAMAGED'],
    ['log.db is empty', (path) => truncateSync(join(path, 'log.db'), 0), 'LOG_DAMAGED'],
    ['log.db is gone', (path) => rmSync(join(path, 'log.db')), 'LOG_DAMAGED'],
  ])('%s: refused by name, and nothing is touched', async (_, spoil, code) => {
    const directory = await closedStore()
    spoil(directory)
    const before = existsSync(join(directory, 'state.db')) ? readdirSync(directory) : []
    await expect(openTestKernel({ directory, storeId: genesisStoreId(genesis) })).rejects.toMatchObject({ code })
    for (const name of before) expect(readdirSync(directory)).toContain(name)
  })

  test.each([
    ['state.db is empty', (path: string) => truncateSync(join(path, 'state.db'), 0)],
    ['state.db is gone', (path: string) => rmSync(join(path, 'state.db'))],
    ['log.db-wal is empty', (path: string) => writeFileSync(join(path, 'log.db-wal'), '')],
    ['log.db-wal is noise', (path: string) => writeFileSync(join(path, 'log.db-wal'), Buffer.alloc(9000, 0x5a))],
    [
      'state.db-wal is of another time',
      (path: string) => writeFileSync(join(path, 'state.db-wal'), Buffer.alloc(9000, 1)),
    ],
  ])('%s: opens with all there was', async (_, spoil) => {
    const directory = await closedStore()
    spoil(directory)
    const { kernel } = await openTestKernel({ directory, storeId: genesisStoreId(genesis) })
    expect(kernel.stats()).toMatchObject({ witnessCount: 6, appliedSeq: 6 })
    await kernel.submit(appOp('set on v'))
    expect(kernel.stats().forkCount).toBe(0)
    await kernel.close()
  })
})

function replaceByFile(path: string): void {
  rmSync(path, { recursive: true })
  writeFileSync(path, 'a file')
}

function replaceByDirectory(path: string): void {
  rmSync(path)
  mkdirSync(path)
}

const OPENER = join(import.meta.dirname, 'open-store-process.ts')
/** Nobody in particular. */
const NOBODY = 65_534

describe('a user who may not', () => {
  test.each<readonly [string, (directory: string) => void]>([
    ['write the directory', (path) => chmodSync(path, 0o500)],
    ['read log.db', (path) => chmodSync(join(path, 'log.db'), 0)],
    ['write log.db', (path) => chmodSync(join(path, 'log.db'), 0o400)],
    ['read what stands in log.db-wal', (path) => withWal(path)],
    ['write state.db', (path) => chmodSync(join(path, 'state.db'), 0o400)],
  ])('%s is told so by name, and the store is as it was afterwards', async (_, forbid) => {
    const directory = await closedStore()
    const content = readdirSync(directory).filter((name) => !name.endsWith('-wal'))
    const isRoot = process.getuid?.() === 0
    if (isRoot)
      for (const path of [join(directory, '..'), directory, ...content.map((name) => join(directory, name))])
        chownSync(path, NOBODY, NOBODY)
    forbid(directory)
    // Root may everything; whoever runs this as root looks as somebody else.
    const asUser = isRoot ? { uid: NOBODY, gid: NOBODY } : {}
    const child = spawnSync(process.execPath, ['--conditions=source', OPENER, directory], {
      encoding: 'utf8',
      ...asUser,
    })
    expect(child.stdout.trim()).toBe('STORAGE_FAILED')
    chmodSync(directory, 0o700)
    for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o600)
    const { kernel } = await openTestKernel({ directory, storeId: genesisStoreId(genesis) })
    expect(kernel.stats().witnessCount).toBe(6)
    await kernel.close()
  })
})

/** Leaves a write-ahead log beside log.db as a killed process would, for nobody to read. */
function withWal(directory: string): void {
  const copy = `${directory}.copy`
  cpSync(directory, copy, { recursive: true })
  writeFileSync(join(directory, 'log.db-wal'), Buffer.alloc(32))
  chmodSync(join(directory, 'log.db-wal'), 0)
}
