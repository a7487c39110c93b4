/** A node comes back behind a cut and puts aside more than app data: the rest is written anew all the same. */
import { type IntentionId, type StoreId, toHash, toHex, toStoreId } from '@lattice/model'
import { system } from '@lattice/proto'
import { expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { isTold } from '../src/simulation/check-history.ts'
import { resubmit } from '../src/simulation/history-acts.ts'
import { drawPlan } from '../src/simulation/plan.ts'
import { createRunRecord } from '../src/simulation/run-record.ts'
import { codeOf, get, keyOf, put } from './support.ts'

const AWAY = 2
const INVITE = 'make the invite again: its token admits nobody'

/** Node 2, an admin, has written several kinds of things over what the others have cut by now, and is back. */
async function comeBack(seed: string): Promise<{ readonly mesh: SimMesh; readonly id: StoreId }> {
  const mesh = await createSimMesh({ seed, nodes: 3 })
  const id = await mesh.share()
  await mesh.complete(mesh.store(0, id).setPeerRole(keyOf(mesh, AWAY), system.Role.ADMIN))
  await mesh.converge(id)
  // Overwritten before anybody acknowledges it, so nothing that is kept cites it.
  await put(mesh, 0, id, ['k', 'for a moment'])
  await mesh.converge(id)
  mesh.partition([0, 1], [AWAY])
  await put(mesh, 0, id, ['k', 'after it'])
  const away = mesh.store(AWAY, id)
  await put(mesh, AWAY, id, ['k', 'over what is gone'])
  await mesh.complete(away.invite())
  await mesh.complete(away.kernel().submitEpoch({ kind: 'initial' }))
  await put(mesh, AWAY, id, ['b', 'the last'])
  await mesh.complete(mesh.store(0, id).setPeerStatus(keyOf(mesh, AWAY), system.PeerStatus.DORMANT))
  const { epoch } = await mesh.complete(mesh.store(0, id).prune())
  const isCut = (index: number): boolean => {
    const { state, base } = mesh.store(index, id).pruning()
    return state === 'idle' && base !== undefined && epoch !== undefined && base.seq >= epoch.seq
  }
  await mesh.run(() => [0, 1].every(isCut), 'the others have cut history')
  await mesh.complete(mesh.store(0, id).setPeerStatus(keyOf(mesh, AWAY), system.PeerStatus.ACTIVE))
  mesh.heal()
  await mesh.run(() => mesh.store(AWAY, id).pruning().base !== undefined, 'it has begun anew')
  await mesh.run(() => mesh.store(AWAY, id).status().held === undefined, 'it may write')
  await mesh.converge(id)
  return { mesh, id }
}

test('what is no app data stays, with what is to be done about it, and the rest is written anew', async () => {
  const { mesh, id } = await comeBack('mixed')
  await using _ = mesh
  const store = mesh.store(AWAY, id)
  // The epoch is not among them: nobody asked for it.
  expect(store.stranded().map(({ op, remedy }) => [op.kind, remedy])).toEqual([
    ['appData', undefined],
    ['system', INVITE],
    ['appData', undefined],
  ])
  const [first, invite, last] = store.stranded()
  const { settled, kept, failure } = await mesh.complete(store.resubmitStranded())
  expect(settled.map(({ lost }) => lost)).toEqual([first?.id, last?.id])
  expect([kept, failure]).toEqual([[{ id: invite?.id, reason: INVITE }], undefined])
  await mesh.converge(id)
  expect([await get(mesh, 0, id, 'k'), await get(mesh, 1, id, 'b')]).toEqual(['over what is gone', 'the last'])
  const before = store.kernel().stats().witnessCount
  expect(await mesh.complete(store.resubmitStranded())).toMatchObject({ settled: [], kept: [{ id: invite?.id }] })
  expect(store.kernel().stats().witnessCount).toBe(before)
  expect(await codeOf(mesh, store.dropStranded([toHex(first?.id ?? id)]))).toBe('INTENTION_NOT_FOUND')
  expect(await mesh.complete(store.dropStranded([toHex(invite?.id ?? id)]))).toBe(1)
  expect(store.stranded()).toEqual([])
})

test('what is let go by its id leaves the others, which a restart does not lose', async () => {
  const { mesh, id } = await comeBack('let go')
  await using _ = mesh
  const [first, invite, last] = mesh.store(AWAY, id).stranded()
  expect(await mesh.complete(mesh.store(AWAY, id).dropStranded([toHex(first?.id ?? id).slice(0, 12)]))).toBe(1)
  await mesh.restart(AWAY)
  expect(mesh.store(AWAY, id).stranded()).toEqual([invite, last])
  await mesh.run(() => mesh.store(AWAY, id).status().held === undefined, 'it may write')
  expect(await mesh.complete(mesh.store(AWAY, id).resubmitStranded())).toMatchObject({ settled: [{ lost: last?.id }] })
  await mesh.converge(id)
  expect([await get(mesh, 0, id, 'k'), await get(mesh, 1, id, 'b')]).toEqual(['after it', 'the last'])
})

test('a simulation holds that for written anew which the node said is, and nothing else', async () => {
  const { mesh, id } = await comeBack('simulated')
  await using _ = mesh
  const record = createRunRecord(drawPlan({ seed: 1 }))
  const nodes = [0, 1, AWAY]
  const world = { mesh, record, honest: nodes, keyOf: (index: number) => mesh.node(index).id }
  const store = mesh.store(AWAY, id)
  const [first, invite, last] = store.stranded().map((write) => write.id)
  if (first === undefined || invite === undefined || last === undefined) throw new Error('three were put aside')
  const isToldOf = (lost: IntentionId): boolean =>
    isTold(world, mesh.store(0, id).kernel(), { id: lost, node: AWAY, storeId: id })
  resubmit({ ...world, stores: { team: id, watched: toStoreId(toHash(new Uint8Array(32))) } })
  expect([...record.beingWrittenAnew]).toEqual([first, invite, last].map(toHex))
  await mesh.run(() => record.underWay.size === 0, 'it is done')
  expect([[...record.beingWrittenAnew], [...record.writtenAnew]]).toEqual([[], [first, last].map(toHex)])
  expect(record.acknowledged.map(({ id: now }) => store.kernel().has(now))).toEqual([true, true])
  expect([first, invite, last].map(isToldOf)).toEqual([true, true, true])
  // Had the node lost it instead, it would be found.
  await mesh.complete(store.dropStranded())
  expect([first, invite, last].map(isToldOf)).toEqual([true, false, true])
})
