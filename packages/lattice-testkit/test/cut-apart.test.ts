/** Two admins that took each other for dormant and each cut history without the other: nothing is lost, and a person decides. */
import { compareEpochs, equalBytes, type StoreId } from '@lattice/model'
import { system } from '@lattice/proto'
import { expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { get, isAlone, keyOf, put } from './support.ts'

const kernelOf = (mesh: SimMesh, index: number, id: StoreId) => mesh.store(index, id).kernel()

/** The node goes on without the other, and deletes its history. */
async function cutWithout(mesh: SimMesh, index: number, id: StoreId, { other }: { other: number }): Promise<void> {
  await put(mesh, index, id, [`of ${index}`, 'the only copy'])
  await mesh.complete(mesh.store(index, id).setPeerStatus(keyOf(mesh, other), system.PeerStatus.DORMANT))
  await prune(mesh, index, id)
}

async function prune(mesh: SimMesh, index: number, id: StoreId): Promise<void> {
  const epoch = await mesh.complete(kernelOf(mesh, index, id).submitEpoch({ kind: 'prune' }))
  const isCut = (): boolean => equalBytes(kernelOf(mesh, index, id).base()?.epoch ?? new Uint8Array(0), epoch)
  await mesh.run(isCut, `node ${index} has cut`)
}

/** Apart from each other, both cut: node 0 more often than node 1, by so many. */
async function cutApart(seed: string, { more }: { more: number }): Promise<{ mesh: SimMesh; id: StoreId }> {
  const mesh = await createSimMesh({ seed, nodes: 2 })
  const id = await mesh.share('team')
  await mesh.complete(mesh.store(0, id).setPeerRole(keyOf(mesh, 1), system.Role.ADMIN))
  await put(mesh, 1, id, ['shared', 'both'])
  await mesh.converge(id)
  mesh.partition([0], [1])
  await mesh.run(() => isAlone(mesh, 0, id) && isAlone(mesh, 1, id), 'they are apart')
  await cutWithout(mesh, 0, id, { other: 1 })
  for (let cut = 0; cut < more; cut += 1) {
    await put(mesh, 0, id, ['more', 'of 0'])
    await prune(mesh, 0, id)
  }
  await cutWithout(mesh, 1, id, { other: 0 })
  return { mesh, id }
}

test.each([
  ['earlier', 1],
  ['at an epoch of the same number', 0],
])('who was cut apart %s keeps what it has, and is told', async (_name, more) => {
  const { mesh, id } = await cutApart('cut apart', { more })
  await using _ = mesh
  const bases = [0, 1].map((index) => kernelOf(mesh, index, id).base() ?? expect.unreachable())
  const [first, second] = bases
  if (first === undefined || second === undefined) expect.unreachable()
  expect(first.seq - second.seq).toBe(BigInt(more))
  const told = compareEpochs(first, second) < 0 ? 1 : 0
  mesh.heal()
  const isTold = async (): Promise<boolean> => {
    const findings = await mesh.complete(mesh.node(told).why({ store: id }))
    return findings.some(({ code }) => code === 'cut_apart')
  }
  for (let minute = 0; minute < 10 && !(await isTold()); minute += 1) await mesh.time.pass(60_000)
  expect(await isTold()).toBe(true)
  expect([0, 1].map((index) => kernelOf(mesh, index, id).base())).toEqual(bases)
  for (const index of [0, 1]) expect(await get(mesh, index, id, `of ${index}`)).toBe('the only copy')
  await put(mesh, told, id, ['goes', 'on'])
  expect(await get(mesh, told, id, 'goes')).toBe('on')
})
