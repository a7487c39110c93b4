/** A peer that is removed before it has fetched anything: it is shown by what, and believes nobody's word for it. */
import { createAbortController, toHex } from '@lattice/model'
import { expect, test } from 'vitest'
import { BootstrapFailed } from '../src/index.ts'
import { type Mesh, type MeshNode, openMesh } from './mesh.ts'

/** Nodes 0 and 1 hold a store; node 2 has nothing of it, and is out: by what is there only when `isShown`. */
async function removedEarly(seed: string, { isShown }: { readonly isShown: boolean }): Promise<Mesh> {
  const mesh = await openMesh({ nodes: 2, seed })
  mesh.connectAll()
  for (let run = 0; run < 30; run += 1) mesh.node(0).store.write(2)
  const [epoch] = mesh.node(0).store.write(1)
  if (epoch === undefined) throw new Error('an epoch was written')
  await mesh.until('both hold it', mesh.converged)
  const late = mesh.addNode()
  const out = toHex(late.id)
  for (const { store, id } of mesh.nodes) {
    store.setEpochs(isShown ? [epoch] : [], false)
    const holdsEpoch = (): boolean => store.missing([epoch.id]).length === 0
    // Who only claims it has nothing to show; who is asked believes nothing else.
    const isOut = isShown ? holdsEpoch : (): boolean => toHex(id) !== out
    store.setAccess((key) => (toHex(key) === out && isOut() ? 'revoked' : 'full'))
  }
  return mesh
}

const hints = (mesh: Mesh): { readonly peer: MeshNode['id']; readonly addresses: readonly string[] }[] =>
  [0, 1].map((index) => ({ peer: mesh.node(index).id, addresses: [] }))

const request = (mesh: Mesh) => ({
  store: mesh.node(2).store,
  peers: hints(mesh),
  signal: createAbortController().signal,
})

test('it is refused the store by that name, and shown all up to what removed it', async () => {
  const mesh = await removedEarly('early', { isShown: true })
  const { service, store } = mesh.node(2)
  const fetched = mesh.settle(service.bootstrap(request(mesh)))
  await expect(fetched).rejects.toBeInstanceOf(BootstrapFailed)
  await expect(fetched).rejects.toMatchObject({ detail: { codes: ['REVOKED'] } })
  expect(await mesh.settle(service.askRemoval(request(mesh)))).toBe(true)
  expect(store.digest()).toEqual(mesh.node(0).store.digest())
})

test('a peer that only says so is not believed, whoever says it', async () => {
  const mesh = await removedEarly('claimed', { isShown: false })
  const { service, store, events } = mesh.node(2)
  await expect(mesh.settle(service.bootstrap(request(mesh)))).rejects.toMatchObject({ detail: { codes: ['REVOKED'] } })
  expect(await mesh.settle(service.askRemoval(request(mesh)))).toBe(false)
  expect(store.digest().witnessCount).toBe(1)
  expect(events.filter((event) => 'kind' in event && event.kind === 'revoked')).toEqual([])
})

test('peers that are away are passed over, and the abort ends it', async () => {
  const mesh = await removedEarly('away', { isShown: true })
  const { service } = mesh.node(2)
  mesh
    .node(0)
    .service.close()
    .catch(() => undefined)
  expect(await mesh.settle(service.askRemoval(request(mesh)))).toBe(true)
  const controller = createAbortController()
  controller.abort(new Error('enough'))
  await expect(service.askRemoval({ ...request(mesh), signal: controller.signal })).rejects.toThrow('enough')
})
