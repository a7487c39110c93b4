import { toHex } from '@lattice/model'
import { system } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { get, put } from './support.ts'

const isLinked = (mesh: SimMesh, a: number, b: number): boolean =>
  mesh
    .node(a)
    .network.connectedPeers()
    .some(({ publicKey }) => toHex(publicKey) === toHex(mesh.node(b).id))

describe('peers that joined through the same inviter', () => {
  test('come to know each other and sync once the inviter is gone', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 3, discovery: false })
    const id = await mesh.share()
    await mesh.run(() => isLinked(mesh, 1, 2) && isLinked(mesh, 2, 1), 'the two are connected')
    await mesh.stop(0)
    await put(mesh, 1, id, ['k', 'v'])
    await mesh.converge(id, [1, 2])
    expect(await get(mesh, 2, id, 'k')).toBe('v')
  })

  test('keep the addresses: each alone finds the other after a restart', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 3, discovery: false })
    const id = await mesh.share()
    await mesh.run(() => isLinked(mesh, 1, 2), 'the two are connected')
    for (const index of [0, 1, 2]) await mesh.stop(index)
    await mesh.start(1)
    await put(mesh, 1, id, ['k', 'v'])
    await mesh.start(2)
    await mesh.converge(id, [1, 2])
    await mesh.run(() => isLinked(mesh, 1, 2), 'the two are connected again')
  })

  test('also when both joined at the same moment, so that the inviter could tell neither of the other', async () => {
    await using mesh = await createSimMesh({ seed: 3, nodes: 3, discovery: false, latencyMs: { min: 5, max: 5 } })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const tokens = [await mesh.invite(0, id), await mesh.invite(0, id)]
    await mesh.complete(Promise.all(tokens.map((token, at) => mesh.node(at + 1).join(token))))
    await mesh.run(() => isLinked(mesh, 1, 2), 'the two are connected')
    await mesh.stop(0)
    await put(mesh, 2, id, ['k', 'v'])
    await mesh.converge(id, [1, 2])
  })

  test('and across two steps of joining: through one who joined', async () => {
    await using mesh = await createSimMesh({ seed: 4, nodes: 3, discovery: false })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const { token } = await mesh.complete(mesh.store(0, id).invite({ role: system.Role.ADMIN }))
    await mesh.complete(mesh.node(1).join(token))
    await mesh.complete(mesh.node(2).join(await mesh.invite(1, id)))
    await mesh.run(() => isLinked(mesh, 0, 2), 'the first knows the last')
    await mesh.stop(1)
    await put(mesh, 2, id, ['k', 'v'])
    await mesh.converge(id, [0, 2])
  })
})
