/** Any byte of a log may change on the disk: it is told, or it changed nothing. */
import { cpSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { isLatticeError, toHex } from '@lattice/model'
import { afterAll, expect, test } from 'vitest'
import type { Kernel } from '../src/index.ts'
import { createFilledStore, overwrite, verifyDirectory } from './damage.ts'
import { createTestStore, openTestKernel, removeDirectories, signerOf, temporaryDirectory } from './harness.ts'
import { appOp } from './tracking-projector.ts'

afterAll(removeDirectories)

/** Everything a store says of its content. */
async function contentOf(kernel: Kernel): Promise<string> {
  const records = kernel
    .scanWitness(1, 4096)
    .map(({ record, chainHash, parsed }) => [
      record.content,
      record.signature,
      chainHash,
      parsed.bytes,
      parsed.signature,
    ])
  const places = kernel.scanWitness(1, 4096).map(({ parsed }) => {
    const { seq, position, generation } = kernel.get(parsed.id) ?? {}
    return [seq, position, generation].join(' ')
  })
  return JSON.stringify([
    records.map((parts) => parts.map(toHex)),
    places,
    kernel.frontier().map(toHex),
    kernel.tips().map(({ author, tips }) => [toHex(author), ...tips.map(({ id }) => toHex(id)).sort()]),
    toHex(await kernel.stateDigest()),
    toHex(kernel.digest().fingerprint),
  ])
}

const store = await createFilledStore({ writes: 40 })
const path = join(store.directory, 'log.db')
const original = readFileSync(path)
const reference = await openTestKernel({ ...store.options, directory: copyOf(store.directory) })
const content = await contentOf(reference.kernel)
await reference.kernel.close()

function copyOf(directory: string): string {
  const copy = temporaryDirectory()
  cpSync(directory, copy, { recursive: true })
  return copy
}

/** What comes of a store whose log has other bytes from `offset` on. */
async function look(offset: number, bytes: Uint8Array): Promise<'told' | 'refused' | 'same'> {
  const directory = copyOf(store.directory)
  overwrite(join(directory, 'log.db'), offset, bytes)
  const options = { ...store.options, directory }
  const report = await verifyDirectory(directory, options, { full: true })
  let opened: Awaited<ReturnType<typeof openTestKernel>>
  try {
    opened = await openTestKernel(options)
  } catch (error) {
    if (!isLatticeError(error)) throw error
    expect(report.problemCount).toBeGreaterThan(0)
    expect(['LOG_DAMAGED', 'SCHEMA_TOO_NEW', 'STORAGE_FAILED']).toContain(error.code)
    return 'refused'
  }
  try {
    if (report.problemCount === 0) expect(await contentOf(opened.kernel)).toBe(content)
    return report.problemCount === 0 ? 'same' : 'told'
  } catch (error) {
    if (!isLatticeError(error)) throw error
    expect(report.problemCount).toBeGreaterThan(0)
    return 'refused'
  } finally {
    await opened.kernel.close()
  }
}

test('a byte anywhere in a write-ahead log that a crash left: at most the very last commit is taken for unfinished', async () => {
  const live = await openTestKernel({ ...store.options, directory: copyOf(store.directory) })
  for (let n = 0; n < 12; n += 1) await live.kernel.submit(appOp(`set wal${n} v`))
  const { witnessCount } = live.kernel.stats()
  const crashed = copyOf(live.directory)
  await live.kernel.close()
  const wal = readFileSync(join(crashed, 'log.db-wal'))
  const flips = fc.record({ offset: fc.nat({ max: wal.length - 1 }), by: fc.integer({ min: 1, max: 255 }) })
  await fc.assert(
    fc.asyncProperty(flips, async ({ offset, by }) => {
      const directory = copyOf(crashed)
      rmSync(join(directory, 'state.db'))
      rmSync(join(directory, 'state.db-wal'), { force: true })
      overwrite(join(directory, 'log.db-wal'), offset, Uint8Array.of((wal[offset] ?? 0) ^ by))
      const report = await verifyDirectory(directory, { ...store.options, directory })
      try {
        const { kernel } = await openTestKernel({ ...store.options, directory })
        const count = kernel.stats().witnessCount
        await kernel.close()
        expect(report.problemCount).toBe(0)
        expect(count).toBeGreaterThanOrEqual(witnessCount - 1)
      } catch (error) {
        if (!isLatticeError(error)) throw error
        expect(error.code).toBe('LOG_DAMAGED')
        expect(report.problemCount).toBeGreaterThan(0)
      }
    }),
    { numRuns: Number(process.env['LATTICE_FLIPS'] ?? 12) },
  )
}, 600_000)

test('a write-ahead log of another store is refused, or without effect', async () => {
  const other = await openTestKernel({ ...store.options, directory: copyOf(store.directory) })
  const foreign = await createTestStore({ signer: signerOf(6) })
  for (let n = 0; n < 5; n += 1) await foreign.kernel.submit(appOp(`set x${n} v`))
  const directory = copyOf(store.directory)
  cpSync(join(foreign.directory, 'log.db-wal'), join(directory, 'log.db-wal'))
  await Promise.all([other.kernel.close(), foreign.kernel.close()])
  await expect(openTestKernel({ ...store.options, directory })).rejects.toMatchObject({
    code: expect.stringMatching(/LOG_DAMAGED|STORAGE_FAILED/u),
  })
  expect((await verifyDirectory(directory, { ...store.options, directory })).problemCount).toBeGreaterThan(0)
})

test('a byte anywhere in the file', async () => {
  const flips = fc.record({ offset: fc.nat({ max: original.length - 1 }), by: fc.integer({ min: 1, max: 255 }) })
  await fc.assert(
    fc.asyncProperty(flips, async ({ offset, by }) => {
      await look(offset, Uint8Array.of((original[offset] ?? 0) ^ by))
    }),
    { numRuns: Number(process.env['LATTICE_FLIPS'] ?? 12) },
  )
}, 600_000)
