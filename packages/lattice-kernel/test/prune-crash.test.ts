/** A prune after the process ended, or the disk refused, at any point of it. */
import { cpSync } from 'node:fs'
import { basename } from 'node:path'
import { toHex } from '@lattice/model'
import type { StoragePoint } from '@lattice/storage'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel } from '../src/index.ts'
import { openTestKernel, removeDirectories, temporaryDirectory } from './harness.ts'
import { createPruneHistory, expectedSet } from './prune-history.ts'
import { expectSame, finishPrune, ingest, openPruning } from './prune-pair.ts'

afterEach(removeDirectories)

/** Two prunes: of all that the crash may meet the second has something that the first left. */
async function live(onSecond: (kernel: Kernel) => void, options: Parameters<typeof openPruning>[1] = {}) {
  const history = createPruneHistory(7)
  const { kernel: whole } = await openPruning(history, { snapshots: false })
  const opened = await openPruning(history, options)
  const kernels = { pruned: opened.kernel, whole }
  history.writes(40)
  await ingest(whole, history.all)
  await ingest(kernels.pruned, history.all)
  await finishPrune(history, kernels, { epoch: history.prune(0), early: history.writes(6, [1, 2, 3]) })
  const later = history.writes(40)
  for (const kernel of [whole, kernels.pruned]) await ingest(kernel, later)
  const epoch = history.prune(1)
  const early = history.writes(6, [0, 2, 3])
  onSecond(kernels.pruned)
  await finishPrune(history, kernels, { epoch, early })
  return { history, epoch, ...opened, ...kernels }
}

describe('a prune', () => {
  test('is not begun, or goes on to its end, wherever the process ended', async () => {
    const images: { readonly point: StoragePoint; readonly directory: string; readonly isDecided: boolean }[] = []
    const directory = temporaryDirectory()
    let isOn = false
    let kernel: Kernel | undefined
    const hooks = {
      at: (point: StoragePoint, path: string) => {
        if (!isOn || basename(path) !== 'log.db' || kernel?.pruning().state !== 'pruning') return
        const image = temporaryDirectory()
        cpSync(directory, image, { recursive: true })
        images.push({ point, directory: image, isDecided: kernel.pruning().done !== undefined })
      },
    }
    const { history, epoch, whole, pruned, options } = await live(
      (opened) => {
        kernel = opened
        isOn = true
      },
      { directory, storageHooks: hooks },
    )
    isOn = false
    await pruned.close()
    expect(images.length).toBeGreaterThan(30)
    expect(images.some(({ isDecided }) => isDecided)).toBe(true)
    const { storageHooks: _, ...plain } = options
    let undecided = 0
    for (const image of some(images)) {
      const again = await openPruning(history, { ...plain, directory: image.directory })
      const isThere = (): boolean => toHex(again.kernel.base()?.epoch ?? new Uint8Array()) === toHex(epoch.id)
      if (!isThere()) undecided += 1
      expect(isThere() || !image.isDecided).toBe(true)
      while (!isThere() || again.kernel.pruning().state !== 'idle') await turn()
      await expectSame(again.kernel, whole, expectedSet(history, epoch))
      expect((await again.kernel.verify()).problems).toEqual([])
      await again.kernel.close()
    }
    expect(undecided).toBeGreaterThan(3)
    await whole.close()
  }, 60_000)

  test('is tried again where the disk refuses any write of it, and leaves all as it was until then', async () => {
    let failed = 0
    for (const nth of [0, 1, 8, 20, 80]) {
      let isPruned = false
      let left = Infinity
      let kernel: Kernel | undefined
      let refused = 0
      let mended = Promise.resolve()
      const hooks = {
        at: (point: StoragePoint, path: string) => {
          const isOurs = basename(path) === 'log.db' && kernel?.pruning().state === 'pruning'
          if (!isOurs || (point !== 'write' && point !== 'commit')) return
          left -= 1
          if (left >= 0) return
          left = Infinity
          refused += 1
          throw Object.assign(new Error('full'), { code: 'SQLITE_FULL' })
        },
      }
      const { scheduler, retry } = heldRetries()
      const { history, epoch, whole, pruned } = await live(
        (opened) => {
          kernel = opened
          left = nth
          mended = (async () => {
            // Indexes that cannot be brought to disk before the decision are brought with it.
            while (!isPruned && opened.pruning().state !== 'failed') await turn()
            if (isPruned) return
            failed += 1
            expect(opened.pruning().failure).toMatchObject({ code: 'DISK_FULL' })
            retry()
          })()
        },
        { storageHooks: hooks, scheduler },
      )
      isPruned = true
      await mended
      expect(refused).toBe(1)
      await expectSame(pruned, whole, expectedSet(history, epoch))
      expect((await pruned.verify({ full: true })).problems).toEqual([])
      await pruned.close()
      await whole.close()
    }
    expect(failed).toBeGreaterThanOrEqual(4)
  }, 60_000)

  test('is not said to have failed for good where what an earlier process left free could not be given back', async () => {
    const { whole, pruned, options } = await live(() => undefined)
    await pruned.close()
    await whole.close()
    const { scheduler, retry } = heldRetries()
    let [kernel, refused]: [Kernel | undefined, number] = [undefined, 0]
    const hooks = {
      at: (point: StoragePoint, path: string) => {
        if (basename(path) !== 'log.db' || point !== 'write' || refused > 0 || kernel?.pruning().state !== 'pruning')
          return
        refused += 1
        throw Object.assign(new Error('full'), { code: 'SQLITE_FULL' })
      },
    }
    ;({ kernel } = await openTestKernel({ ...options, storageHooks: hooks, scheduler }))
    while (kernel.pruning().state !== 'failed') await turn()
    expect(kernel.pruning().failure).toMatchObject({ code: 'DISK_FULL' })
    retry()
    while (kernel.pruning().state !== 'idle') await turn()
    expect(refused).toBe(1)
    await kernel.close()
  })
})

/** A scheduler whose timers never ring but for what is tried again, when it is asked to. */
function heldRetries() {
  const timers: (() => void)[] = []
  return {
    scheduler: {
      after: (ms: number, task: () => void) => {
        if (ms === 5000) timers.push(task)
        return () => {}
      },
      soon: (task: () => void) => {
        const handle = setImmediate(task)
        return () => clearImmediate(handle)
      },
    },
    retry: () => {
      for (const task of timers.splice(0)) task()
    },
  }
}

async function turn(): Promise<void> {
  await new Promise<void>((resolve) => void setImmediate(resolve))
}
/** Around the decision every point, and of the others as many as there is time for. */
function some<T extends { readonly isDecided: boolean }>(images: readonly T[]): readonly T[] {
  const decided = images.findIndex(({ isDecided }) => isDecided)
  const stride = Math.ceil(images.length / 10)
  return images.filter((_image, n) => n % stride === 0 || Math.abs(n - decided) < 4)
}
