/** Whom the simulation expects to come together: two that removed each other stay apart where history was cut on that. */
import { equalBytes } from '@lattice/model'
import { system } from '@lattice/proto'
import { expect, test } from 'vitest'
import { createSimMesh } from '../src/index.ts'
import { gather } from '../src/simulation/gathering.ts'
import { isAlone, keyOf, put } from './support.ts'

/** Node 0 is away, and 1, an admin, removes it; what is more is drawn. Nobody hears of the other side. */
async function sides({ hasRemoved, isCut }: { readonly hasRemoved: boolean; readonly isCut: boolean }) {
  const mesh = await createSimMesh({ seed: `sides ${String(hasRemoved)} ${String(isCut)}`, nodes: 4, discovery: true })
  const id = await mesh.share('team')
  await mesh.complete(mesh.store(0, id).setPeerRole(keyOf(mesh, 1), system.Role.ADMIN))
  await mesh.converge(id)
  mesh.partition([0], [1, 2, 3])
  await mesh.run(() => isAlone(mesh, 0, id), 'node 0 is alone')
  if (hasRemoved) await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 1)))
  await put(mesh, 2, id, ['k', 'v'])
  await mesh.complete(mesh.store(1, id).revokePeer(keyOf(mesh, 0)))
  await mesh.converge(id, [1, 2, 3])
  if (isCut) {
    const epoch = await mesh.complete(mesh.store(1, id).kernel().submitEpoch({ kind: 'prune' }))
    const isAt = (index: number): boolean => equalBytes(mesh.store(index, id).kernel().base()?.epoch ?? id, epoch)
    await mesh.run(() => [1, 2, 3].every(isAt), 'the others have cut history')
  }
  const nodes = [0, 1, 2, 3]
  const gathered = () =>
    gather({ mesh, honest: nodes, stores: { team: id, watched: id }, keyOf: (index) => mesh.node(index).id })
  return { mesh, id, gathered }
}

test('who was removed has to know, unless it has removed whoever did so, and that was cut', async () => {
  for (const [scene, kind] of [
    [{ hasRemoved: false, isCut: true }, 'apart'],
    [{ hasRemoved: true, isCut: false }, 'apart'],
    [{ hasRemoved: true, isCut: true }, 'together'],
  ] as const) {
    const { mesh, gathered } = await sides(scene)
    await using _ = mesh
    expect(gathered()).toMatchObject(kind === 'apart' ? { kind } : { kind, nodes: [1, 2, 3] })
  }
})

test('nor is it expected once the two sides have met, and each has seen what the other says', async () => {
  const { mesh, gathered } = await sides({ hasRemoved: true, isCut: true })
  await using _ = mesh
  mesh.heal()
  await mesh.time.pass(120_000)
  expect(gathered()).toMatchObject({ kind: 'together', nodes: [1, 2, 3] })
})
