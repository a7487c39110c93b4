import { afterEach, expect, test } from 'vitest'
import { toHex, utf8Encode, utf8Decode } from '@lattice/model'
import { createTestStore, openTestKernel, removeDirectories, signerOf } from './harness.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

test('a write is witnessed, projected and there after opening again', async () => {
  const { kernel, projector, options, directory } = await createTestStore()
  const id = await kernel.submit(appOp('set k v'))
  expect(kernel.has(id)).toBe(true)
  expect(projector.applied).toHaveLength(2)
  expect(utf8Decode(kernel.tables().app.get(utf8Encode('k')) ?? new Uint8Array())).toBe(`${toHex(id)} v`)
  const ids = await Promise.all(Array.from({ length: 300 }, async (_, n) => kernel.submit(appOp(`w ${n}`))))
  expect(kernel.stats().witnessCount).toBe(302)
  const digest = await kernel.stateDigest()
  await kernel.close()
  const again = await openTestKernel({ ...options, directory })
  expect(again.kernel.stats().witnessCount).toBe(302)
  expect(await again.kernel.stateDigest()).toEqual(digest)
  expect(again.kernel.has(ids[299] ?? id)).toBe(true)

  const other = await openTestKernel({ storeId: options.storeId, signer: signerOf(2) })
  const all = again.kernel.read(
    again.kernel.scanWitness(1, 1000).map((entry) => entry.parsed.id),
    1e9,
  )
  expect(all.rest).toEqual([])
  const outcomes = await other.kernel.ingest(all.intentions, signerOf(1).publicKey)
  expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['witnessed']))
  expect(await other.kernel.stateDigest()).toEqual(digest)
  expect(other.kernel.digest()).toEqual(again.kernel.digest())
  await other.kernel.close()
  await again.kernel.close()
})
