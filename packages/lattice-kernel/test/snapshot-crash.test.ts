/** Snapshots after the process ended, or the disk refused, at any point of their making. */
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { toHex } from '@lattice/model'
import type { StoragePoint } from '@lattice/storage'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel } from '../src/index.ts'
import { createHistory, type History, openCut } from './cutoff-history.ts'
import { removeDirectories, signerOf, temporaryDirectory } from './harness.ts'

afterEach(removeDirectories)

/** Two epochs, the second of which leaves what lies below the first as it is. */
function twoEpochs() {
  const history = createHistory()
  for (let n = 0; n < 20; n += 1) history.write(3, `set a${n} ${n}`)
  const first = history.remove(1, 5, history.all)
  for (let n = 0; n < 20; n += 1) history.write(4, `set b${n} ${n}`, n === 0 ? [first] : [])
  const second = history.remove(1, 3, history.all)
  const upto = (id: Uint8Array) => history.all.findIndex((parsed) => parsed.id === id) + 1
  return { history, first: history.all.slice(0, upto(first.id)), second: history.all.slice(0, upto(second.id)) }
}

async function open(history: History, options: Partial<Parameters<typeof openCut>[0]> = {}) {
  return openCut({ storeId: history.storeId, signer: signerOf(99), snapshots: true, ...options })
}

async function rootOf(kernel: Kernel): Promise<string> {
  const { epoch, root } = await kernel.makeSnapshot()
  return `${toHex(epoch)} ${toHex(root)}`
}

/** What an undisturbed node comes to. */
async function expectedRoots(): Promise<{ readonly first: string; readonly second: string }> {
  const { history, first, second } = twoEpochs()
  const { kernel } = await open(history)
  await kernel.ingest(first, undefined)
  const before = await rootOf(kernel)
  await kernel.ingest(second, undefined)
  const after = await rootOf(kernel)
  await kernel.close()
  return { first: before, second: after }
}

async function turn(): Promise<void> {
  await new Promise<void>((resolve) => void setImmediate(resolve))
}

const isSnapshot = (path: string): boolean => /snapshot\.[a-z.]*db/.test(path)

describe('a snapshot', () => {
  test('is whole, and the same, wherever the process ended while one was made, copied or put in place', async () => {
    const expected = await expectedRoots()
    const { history, first, second } = twoEpochs()
    const images: { readonly point: StoragePoint; readonly directory: string }[] = []
    const directory = temporaryDirectory()
    const hooks = {
      at: (point: StoragePoint, path: string) => {
        if (!isSnapshot(path)) return
        const image = temporaryDirectory()
        cpSync(directory, image, { recursive: true })
        images.push({ point, directory: image })
      },
    }
    const { kernel } = await open(history, { directory, storageHooks: hooks })
    await kernel.ingest(first, undefined)
    expect(await rootOf(kernel)).toBe(expected.first)
    await kernel.ingest(second, undefined)
    expect(await rootOf(kernel)).toBe(expected.second)
    await kernel.close()
    expect(images.length).toBeGreaterThan(40)
    expect(new Set(images.map(({ point }) => point)).size).toBe(8)
    for (const image of images) {
      const again = await open(history, { directory: image.directory })
      const isSecond = again.kernel.epochs().length === 2
      expect(await rootOf(again.kernel)).toBe(isSecond ? expected.second : expected.first)
      expect(readdirSync(image.directory).filter((name) => isSnapshot(name) && !name.includes('-'))).toEqual([
        'snapshot.db',
      ])
      await again.kernel.close()
    }
  })

  test('goes on from the last rows that were committed, where much is missing', async () => {
    const history = createHistory()
    const count = 320
    for (let n = 0; n < count; n += 1) history.write(3, `set large${n} ${'v'.repeat(100_000)}`)
    history.remove(1, 5, history.all)
    const directory = temporaryDirectory()
    const image = temporaryDirectory()
    const written = { before: 0, after: 0 }
    const isMaking = (path: string): boolean => path.endsWith('snapshot.making.db')
    const before = (point: StoragePoint, path: string): void => {
      if (!isMaking(path)) return
      if (point === 'write') written.before += 1
      // The first after the tables were made that holds rows.
      if (point !== 'committed' || written.before < 10 || existsSync(join(image, 'log.db'))) return
      cpSync(directory, image, { recursive: true })
    }
    const { kernel } = await open(history, { directory, storageHooks: { at: before } })
    await kernel.ingest(history.all, undefined)
    const expected = await rootOf(kernel)
    await kernel.close()
    const after = (point: StoragePoint, path: string): void => {
      if (isMaking(path) && point === 'write') written.after += 1
    }
    const again = await open(history, { directory: image, storageHooks: { at: after } })
    expect(await rootOf(again.kernel)).toBe(expected)
    expect(written.after).toBeGreaterThan(0)
    expect(written.after).toBeLessThan(written.before - 20)
    await again.kernel.close()
  })

  test.each(['snapshot.db', 'snapshot.making.db', 'snapshot.next.db', 'snapshot.cut.db', 'snapshot.copy.db'])(
    'is made again where %s is damaged or of another make',
    async (file) => {
      const expected = await expectedRoots()
      const { history, second } = twoEpochs()
      const { kernel, directory } = await open(history)
      await kernel.ingest(second, undefined)
      await kernel.close()
      const bytes = existsSync(join(directory, file)) ? readFileSync(join(directory, file)) : Buffer.alloc(5000, 7)
      writeFileSync(join(directory, file), Buffer.concat([Buffer.alloc(100, 1), bytes.subarray(100)]))
      const again = await open(history, { directory })
      expect(await rootOf(again.kernel)).toBe(expected.second)
      await again.kernel.close()
    },
  )

  test('is begun again where it was left, when the disk refuses a write, and says so', async () => {
    const expected = await expectedRoots()
    for (const nth of [0, 1, 7, 15, 22]) {
      const { history, second } = twoEpochs()
      let left = Infinity
      const hooks = {
        at: (point: StoragePoint, path: string) => {
          if (!isSnapshot(path) || (point !== 'write' && point !== 'commit')) return
          left -= 1
          if (left >= 0) return
          left = Infinity
          throw Object.assign(new Error('full'), { code: 'SQLITE_FULL' })
        },
      }
      const { kernel } = await open(history, { storageHooks: hooks })
      left = nth
      await kernel.ingest(second, undefined)
      while (kernel.snapshot().failure === undefined) await turn()
      expect(kernel.snapshot()).toMatchObject({ failure: { code: 'DISK_FULL' }, settled: undefined })
      left = 0
      await expect(kernel.makeSnapshot()).rejects.toMatchObject({ code: 'DISK_FULL' })
      expect(await rootOf(kernel)).toBe(expected.second)
      expect(kernel.snapshot()).toMatchObject({ failure: undefined, state: 'ready' })
      await kernel.close()
    }
  })
})
