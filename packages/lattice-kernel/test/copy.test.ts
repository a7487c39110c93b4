/** Copies of a store in use: whole, of one moment, and never with state ahead of the log. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { toHex } from '@lattice/model'
import { openStateReader } from '@lattice/storage'
import { afterEach, expect, test } from 'vitest'
import { type BulkWrite, KernelClosed, readLogEnd } from '../src/index.ts'
import { createFilledStore, verifyDirectory } from './damage.ts'
import {
  createTestStore,
  crypto,
  openTestKernel,
  removeDirectories,
  signerOf,
  temporaryDirectory,
  turnScheduler,
} from './harness.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

const WITNESS = { witnessKey: signerOf(1).publicKey, crypto, scheduler: turnScheduler }

async function* endlessly(isOver: () => boolean): AsyncGenerator<Iterable<BulkWrite>> {
  for (let part = 0; !isOver(); part += 1)
    yield Array.from({ length: 256 }, (_, n): BulkWrite => ({ op: appOp(`set k${n} v${part}`) }))
}

test('a copy made while a bulk write runs is sound, holds what was acknowledged, and ends though that does not', async () => {
  const { kernel, options } = await createTestStore()
  await kernel.submit(appOp('set first v'))
  let isOver = false
  const written: number[] = []
  const writing = kernel.submitMany(
    endlessly(() => isOver),
    { onProgress: (progress) => written.push(progress.written) },
  )
  for (let copy = 0; copy < 2; copy += 1) {
    const directory = temporaryDirectory()
    const acknowledged = (written.at(-1) ?? 0) + 2
    await kernel.copyTo(directory)
    expect(readdirSync(directory).toSorted()).toEqual(['log.db', 'state.db'])
    const end = await readLogEnd({ directory, ...WITNESS })
    expect(end.seq).toBeGreaterThanOrEqual(acknowledged)
    const [last] = kernel.scanWitness(end.seq, 1)
    expect(toHex(last?.chainHash ?? new Uint8Array())).toBe(toHex(end.chainHash))
    expect(end.ownTips.map(toHex)).toEqual([toHex(last?.parsed.id ?? new Uint8Array())])
    const state = openStateReader(join(directory, 'state.db'))
    expect(state.cursor.seq).toBeLessThanOrEqual(end.seq)
    state.close()
    expect(await verifyDirectory(directory, { ...options, directory }, { full: copy === 0 })).toMatchObject({
      outcome: 'sound',
    })
    const opened = await openTestKernel({ ...options, directory })
    expect(opened.kernel.projection()).toMatchObject({ appliedSeq: end.seq, headSeq: end.seq })
    await opened.kernel.submit(appOp('set goes on'))
    await opened.kernel.close()
  }
  isOver = true
  await writing
  await kernel.close()
}, 120_000)

test('the end of a log that forked names each branch', async () => {
  const { options, directory } = await createFilledStore({ writes: 3 })
  const { kernel } = await openTestKernel({ ...options })
  const own = kernel.tips().find(({ author }) => toHex(author) === toHex(WITNESS.witnessKey))
  await kernel.close()
  const end = await readLogEnd({ directory, ...WITNESS })
  expect(end.ownTips.map(toHex)).toEqual(own?.tips.map(({ id }) => toHex(id)))
  const stranger = await readLogEnd({ directory, ...WITNESS, witnessKey: signerOf(9).publicKey })
  expect(stranger.ownTips).toEqual([])
})

test('closing ends a copy under way, and one that begins later', async () => {
  const { kernel } = await createTestStore()
  await kernel.submitMany(Array.from({ length: 2000 }, (_, n): BulkWrite => ({ op: appOp(`set k${n} v`) })))
  const directory = temporaryDirectory()
  let closing: Promise<void> | undefined
  await expect(
    kernel.copyTo(directory, {
      onProgress: () => {
        closing ??= kernel.close()
      },
    }),
  ).rejects.toBeInstanceOf(KernelClosed)
  await closing
  await expect(kernel.copyTo(temporaryDirectory())).rejects.toBeInstanceOf(KernelClosed)
})

test('a place that is taken is refused, and harmed not', async () => {
  const { kernel } = await createTestStore()
  await kernel.submit(appOp('set k v'))
  for (const file of ['log.db', 'state.db']) {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, file), 'mine')
    await expect(kernel.copyTo(directory)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    expect(readFileSync(join(directory, file), 'utf8')).toBe('mine')
    expect(readdirSync(directory)).toEqual([file])
  }
  await kernel.close()
})

test('a copy goes without state where that is closed, and is opened with state made anew', async () => {
  const { kernel, options } = await createTestStore()
  await kernel.submitMany(Array.from({ length: 3000 }, (_, n): BulkWrite => ({ op: appOp(`set k${n} v`) })))
  const digest = toHex(await kernel.stateDigest())
  const directory = temporaryDirectory()
  let rebuilding: Promise<void> | undefined
  // A rebuild puts another file in the place of the one that is copied.
  await kernel.copyTo(directory, {
    onProgress: () => {
      rebuilding ??= kernel.rebuild()
    },
  })
  await rebuilding
  await kernel.close()
  const opened = await openTestKernel({ ...options, directory })
  expect(toHex(await opened.kernel.stateDigest())).toBe(digest)
  await opened.kernel.close()
})
