/** Whole nodes sign the state at epochs, and agree that it is final. */
import { toHex } from '@lattice/model'
import { expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { put } from './support.ts'

/** How a mesh came to the end of an epoch: when, and with which root. */
async function courseOf(seed: string): Promise<{ readonly tookMs: number; readonly root: string }> {
  await using mesh = await createSimMesh({ seed, nodes: 3 })
  const id = await mesh.share()
  for (let n = 0; n < 20; n += 1) await put(mesh, n % 3, id, [`k${n % 7}`, `of ${n}`])
  const epoch = await mesh.complete(mesh.store(0, id).kernel().submitEpoch({ kind: 'prune' }))
  await mesh.run(() => [0, 1, 2].every((index) => isFinal(mesh, index)), 'the epoch is final everywhere')
  const infos = await Promise.all(
    [0, 1, 2].map((index) => mesh.complete(mesh.store(index, id).kernel().makeSnapshot())),
  )
  expect(infos.map((info) => toHex(info.epoch))).toEqual([epoch, epoch, epoch].map(toHex))
  expect(new Set(infos.map(({ root }) => toHex(root))).size).toBe(1)
  const { roots } = mesh.store(0, id).kernel().epochs()[0] ?? { roots: [] }
  expect(roots.map(({ root }) => toHex(root))).toEqual(infos.map(({ root }) => toHex(root)))
  return { tookMs: mesh.time.scheduler.clock.monotonicMs(), root: toHex(infos[0]?.root ?? new Uint8Array()) }

  function isFinal(of: SimMesh, index: number): boolean {
    return of.store(index, id).kernel().epochs()[0]?.isFinal === true
  }
}

test('an epoch is final once all have signed the same state at it, and a seed has one course', async () => {
  expect(await courseOf('final')).toEqual(await courseOf('final'))
})
