/** What a crash, a full disk or a damaged file may do, and what it may not. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  openSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
  closeSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { assert, parseIntentionId, toHex } from '@lattice/model'
import type { StorageHooks, StoragePoint } from '@lattice/storage'
import { afterEach, describe, expect, test } from 'vitest'
import { peekLog } from '../src/index.ts'
import {
  at,
  createTestStore,
  openTestKernel,
  removeDirectories,
  signerOf,
  temporaryDirectory,
  turnScheduler,
  write,
} from './harness.ts'
import { appOp, createTrackingProjector } from './tracking-projector.ts'

afterEach(removeDirectories)

interface Fault {
  readonly hooks: StorageHooks
  readonly isArmed: () => boolean
  /** Fails at the given point of the given file, once. */
  readonly arm: (file: string, point: StoragePoint, error: Error) => void
}

function createFault(): Fault {
  let armed: { readonly file: string; readonly point: StoragePoint; readonly error: Error } | undefined
  return {
    hooks: {
      at: (point, path) => {
        if (armed === undefined || point !== armed.point || !path.endsWith(armed.file)) return
        const { error } = armed
        armed = undefined
        throw error
      },
    },
    isArmed: () => armed !== undefined,
    arm: (file, point, error) => {
      armed = { file, point, error }
    },
  }
}

const boom = (): Error => new Error('power lost')
const diskFull = (): Error => Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' })

describe('a failed commit', () => {
  test.each<StoragePoint>(['write', 'commit', 'committed'])(
    'of the log at %s rejects its whole group, and the chain goes on from what is on disk',
    async (point) => {
      const fault = createFault()
      const { kernel, options, projector } = await createTestStore({ storageHooks: fault.hooks })
      await kernel.submit(appOp('before'))
      const { hlc } = kernel.stats()
      fault.arm('log.db', point, boom())
      const group = await Promise.allSettled([1, 2, 3].map(async (n) => kernel.submit(appOp(`lost ${n}`))))
      expect(group.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
      if (point !== 'committed') expect(kernel.stats().hlc).toEqual(hlc)
      const after = await kernel.submit(appOp('after'))
      // A group whose commit was done and not known of is there as a whole.
      const kept = point === 'committed' ? 3 : 0
      expect(kernel.stats()).toMatchObject({ witnessCount: 3 + kept, forkCount: 0 })
      expect(kernel.tips()[0]?.tips).toMatchObject([{ id: after }])
      expect(projector.applied.at(-1)).toBe(toHex(after))
      expect(kernel.projection()).toEqual({ appliedSeq: 3 + kept, headSeq: 3 + kept })
      const digest = await kernel.stateDigest()
      await kernel.close()
      const again = await openTestKernel({ ...options })
      expect(await again.kernel.stateDigest()).toEqual(digest)
      await again.kernel.rebuild()
      expect(await again.kernel.stateDigest()).toEqual(digest)
      await again.kernel.close()
    },
  )

  test('of the log on a full disk says so, and writing goes on once there is room', async () => {
    const fault = createFault()
    const { kernel } = await createTestStore({ storageHooks: fault.hooks })
    fault.arm('log.db', 'commit', diskFull())
    await expect(kernel.submit(appOp('x'))).rejects.toMatchObject({ code: 'DISK_FULL' })
    fault.arm('log.db', 'write', diskFull())
    const his = write(signerOf(2), { prev: kernel.storeId, at: at(1) })
    await expect(kernel.ingest([his], undefined)).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect(kernel.has(his.id)).toBe(false)
    expect(await kernel.ingest([his], undefined)).toMatchObject([{ kind: 'witnessed' }])
    await kernel.submit(appOp('y'))
    await kernel.close()
  })

  test.each<StoragePoint>(['write', 'commit', 'committed'])(
    "of state at %s is nobody's concern: state stays in memory, and goes to disk later",
    async (point) => {
      const fault = createFault()
      const timers: (() => void)[] = []
      const scheduler = {
        soon: turnScheduler.soon,
        after: (_: number, task: () => void) => {
          timers.push(task)
          return () => {}
        },
      }
      const passTime = async (): Promise<void> => {
        for (const task of timers.splice(0)) task()
        for (let turn = 0; turn < 4; turn += 1)
          await new Promise((resolve) => void turnScheduler.soon(() => resolve(undefined)))
      }
      const { kernel, options } = await createTestStore({ storageHooks: fault.hooks, scheduler })
      const events: string[] = []
      kernel.onEvent(({ kind }) => events.push(kind))
      await kernel.submit(appOp('set k v'))
      fault.arm('state.db', point, diskFull())
      await passTime()
      await passTime()
      expect(fault.isArmed()).toBe(false)
      const his = write(signerOf(2), { prev: kernel.storeId, at: at(1), op: appOp('set k w') })
      expect(await kernel.ingest([his], undefined)).toMatchObject([{ kind: 'witnessed' }])
      await kernel.submit(appOp('y'))
      expect(events).toEqual([])
      expect(kernel.projection()).toEqual({ appliedSeq: 4, headSeq: 4 })
      const digest = await kernel.stateDigest()
      await passTime()
      await kernel.close()
      const projector = createTrackingProjector()
      const again = await openTestKernel({ ...options, projector })
      expect(projector.applied).toEqual([])
      expect(await again.kernel.stateDigest()).toEqual(digest)
      await again.kernel.rebuild()
      expect(await again.kernel.stateDigest()).toEqual(digest)
      await again.kernel.close()
    },
  )
})

describe('a machine that throws', () => {
  test('stalls at that record, visibly, while replication goes on; retry and rebuild resume', async () => {
    const { kernel, projector, genesis } = await createTestStore()
    projector.faults.throwing = true
    const good = write(signerOf(2), { prev: genesis.id, at: at(1) })
    const bad = write(signerOf(2), { prev: good.id, at: at(2), op: appOp('throw') })
    const next = write(signerOf(2), { prev: bad.id, at: at(3) })
    await kernel.ingest([good, bad, next], undefined)
    expect(kernel.projection()).toMatchObject({ appliedSeq: 2, headSeq: 4, stalled: { seq: 3, id: bad.id } })
    await expect(kernel.retry()).rejects.toMatchObject({ code: 'PROJECTION_STALLED' })
    const digest = await kernel.stateDigest()
    await expect(kernel.rebuild()).rejects.toMatchObject({ code: 'PROJECTION_STALLED' })
    expect(await kernel.stateDigest()).toEqual(digest)
    projector.faults.throwing = false
    await kernel.retry()
    await kernel.submit(appOp('x'))
    expect(kernel.projection()).toEqual({ appliedSeq: 5, headSeq: 5 })
    await kernel.close()
  })
})

describe('a process killed by SIGKILL', () => {
  test('has every acknowledged write when it opens again, on one chain', { timeout: 30_000 }, async () => {
    const directory = temporaryDirectory()
    const script = join(import.meta.dirname, 'killed-writer.ts')
    const child = spawn(process.execPath, ['--conditions=source', script, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const acknowledged: string[] = []
    const lines = createInterface({ input: child.stdout })
    lines.on('line', (line) => {
      acknowledged.push(line)
      if (acknowledged.length === 300) child.kill('SIGKILL')
    })
    await Promise.all([once(child, 'close'), once(lines, 'close')])
    expect(child.signalCode).toBe('SIGKILL')
    expect(acknowledged.length).toBeGreaterThanOrEqual(300)
    const { kernel } = await createTestStore({ directory })
    for (const hex of acknowledged) {
      const id = parseIntentionId(hex)
      assert(id !== undefined, 'whole lines are ids')
      expect(kernel.has(id)).toBe(true)
    }
    await kernel.submit(appOp('after'))
    expect(kernel.stats().forkCount).toBe(0)
    expect(kernel.tips()[0]?.tips).toHaveLength(1)
    const digest = await kernel.stateDigest()
    await kernel.rebuild()
    expect(await kernel.stateDigest()).toEqual(digest)
    await kernel.close()
  })
})

async function createFilledStore(): Promise<
  Awaited<ReturnType<typeof createTestStore>> & { readonly digest: Uint8Array }
> {
  const store = await createTestStore()
  for (let n = 0; n < 20; n += 1) await store.kernel.submit(appOp(`set k${n} v`))
  const digest = await store.kernel.stateDigest()
  await store.kernel.close()
  return { ...store, digest }
}

describe('state.db', () => {
  test.each([
    ['missing', (path: string) => rmSync(path)],
    ['no database', (path: string) => writeFileSync(path, 'not a database at all, but long enough to be read as one')],
    ['cut short', (path: string) => truncateSync(path, 5000)],
    ['overwritten in the middle', (path: string) => overwrite(path, 100, 8000)],
  ])('that is %s is rebuilt from the log', async (_, damage) => {
    const { options, digest, directory } = await createFilledStore()
    damage(join(directory, 'state.db'))
    const done: number[] = []
    const { kernel } = await openTestKernel({ ...options, onRebuild: (applied) => done.push(applied) })
    expect(await kernel.stateDigest()).toEqual(digest)
    expect(done.at(-1)).toBe(21)
    await kernel.close()
  })

  test('of another store or an older projector is rebuilt, and the old one kept aside', async () => {
    const { options, digest, directory, projector } = await createFilledStore()
    const other = await createTestStore({ signer: signerOf(5) })
    await other.kernel.close()
    copyFileSync(join(other.directory, 'state.db'), join(directory, 'state.db'))
    const one = await openTestKernel({ ...options })
    expect(await one.kernel.stateDigest()).toEqual(digest)
    expect(existsSync(join(directory, 'state.db.aside'))).toBe(true)
    await one.kernel.close()
    projector.faults.version = 'tracking/2'
    const applied = projector.applied.length
    const two = await openTestKernel({ ...options, projector })
    expect(await two.kernel.stateDigest()).toEqual(digest)
    expect(projector.applied.length).toBe(applied + 21)
    await two.kernel.close()
  })
})

describe('log.db', () => {
  test('that is damaged is refused, with the file and the record', async () => {
    const { options, directory } = await createFilledStore()
    const path = join(directory, 'log.db')
    writeFileSync(path, 'not a database at all, but long enough to be read as one')
    const refused = { code: 'LOG_DAMAGED', detail: { path, record: 'the database file' } }
    await expect(openTestKernel({ ...options })).rejects.toMatchObject(refused)
    expect(() => peekLog(directory)).toThrow(expect.objectContaining({ code: 'LOG_DAMAGED' }))
  })

  test('whose last record was changed is refused', async () => {
    const { options, directory } = await createFilledStore()
    const path = join(directory, 'log.db')
    // The key of the last write stands in the record alone.
    replaceBytes(path, 'set k19 v', 'set k19 w')
    await expect(openTestKernel({ ...options })).rejects.toMatchObject({
      code: 'LOG_DAMAGED',
      detail: { path, record: 'witness 21' },
    })
  })

  test('that lost records which state has seen is refused: going on would fork the chain', async () => {
    const { options, directory } = await createFilledStore()
    const log = join(directory, 'log.db')
    copyFileSync(log, `${log}.old`)
    const { kernel } = await openTestKernel({ ...options })
    await kernel.submit(appOp('more'))
    await kernel.close()
    copyFileSync(`${log}.old`, log)
    await expect(openTestKernel({ ...options })).rejects.toMatchObject({
      code: 'LOG_DAMAGED',
      detail: { record: 'witness 22' },
    })
    rmSync(join(directory, 'state.db'))
    const again = await openTestKernel({ ...options })
    expect(again.kernel.stats().witnessCount).toBe(21)
    await again.kernel.close()
  })

  test('of another store, of another identity, or held by another kernel is refused and stays as it is', async () => {
    const { options } = await createFilledStore()
    const other = await createFilledStore()
    await expect(openTestKernel({ ...options, signer: signerOf(4) })).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    const foreign = await createTestStore({ signer: signerOf(6) })
    await foreign.kernel.close()
    await expect(openTestKernel({ ...other.options, storeId: foreign.kernel.storeId })).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
    })
    const { kernel } = await openTestKernel({ ...options })
    await expect(openTestKernel({ ...options })).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    await kernel.submit(appOp('still mine'))
    await kernel.close()
  })

  test('says whose it is without an opener', async () => {
    const { directory, kernel } = await createFilledStore()
    expect(peekLog(directory)).toEqual({
      storeId: kernel.storeId,
      witnessKey: signerOf(1).publicKey,
      storeType: 'test:tracking',
      schemaVersion: 4,
      witnessCount: 21,
    })
    expect(peekLog(temporaryDirectory())).toBeUndefined()
  })
})

function overwrite(path: string, from: number, to: number): void {
  const file = openSync(path, 'r+')
  writeSync(file, new Uint8Array(to - from).fill(0x5a), 0, to - from, from)
  closeSync(file)
}

function replaceBytes(path: string, text: string, by: string): void {
  const content = Buffer.alloc(statSync(path).size)
  const file = openSync(path, 'r+')
  readSync(file, content, 0, content.length, 0)
  const offset = content.lastIndexOf(text)
  assert(offset > 0, 'the text is in the file')
  writeSync(file, by, offset)
  closeSync(file)
}
