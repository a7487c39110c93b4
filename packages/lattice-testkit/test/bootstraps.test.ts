import { idKey, type StoreId, toHex } from '@lattice/model'
import type { NodeEvent } from '@lattice/node'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { get, kvOf, put } from './support.ts'

/** Writes at node 0 that are worth several requests. */
const WRITES = 100

/** Nodes 0 to 2 hold a store; node 3 has a token for it. Those three know each other. */
async function createHolders(seed: string, writes: number = WRITES) {
  const mesh = await createSimMesh({ seed, nodes: 4, discovery: true })
  const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
  for (const index of [1, 2]) await mesh.complete(mesh.node(index).join(await mesh.invite(0, id)))
  const kv = kvOf(mesh, 0, id)
  await mesh.complete(Promise.all(Array.from({ length: writes }, (_, n) => kv.put(`k${n}`, 'x'.repeat(200)))))
  await mesh.converge(id, [0, 1, 2])
  return { mesh, id, token: await mesh.invite(0, id) }
}

/** Collects a node's events until it closes. */
function follow(mesh: SimMesh, index: number): NodeEvent[] {
  const events: NodeEvent[] = []
  const run = async (): Promise<void> => {
    for await (const event of mesh.node(index).events(new AbortController().signal)) {
      if ('kind' in event) events.push(event)
    }
  }
  run().catch(() => undefined)
  return events
}

const isHere = (mesh: SimMesh, index: number, id: StoreId): boolean =>
  mesh
    .node(index)
    .stores()
    .some((store) => idKey(store.id) === idKey(id))

describe('a bootstrap from several holders', () => {
  test('brings everything, says how far it is and from how many, and goes over to live sync without a gap', async () => {
    const { mesh, id, token } = await createHolders('whole')
    await using _ = mesh
    const events = follow(mesh, 3)
    const joined = mesh.node(3).join(token)
    let written = 0
    // Somebody writes all the while.
    await mesh.run(() => {
      if (written < 40 && isHere(mesh, 3, id)) {
        written += 1
        kvOf(mesh, written % 3, id)
          .put(`meanwhile ${written}`, 'v')
          .catch(() => undefined)
      }
      return written === 40
    }, 'all is written')
    await mesh.complete(joined)
    await mesh.converge(id)
    expect(await get(mesh, 3, id, 'meanwhile 40')).toBe('v')
    expect(await get(mesh, 3, id, `k${WRITES - 1}`)).toBe('x'.repeat(200))
    const progress = events.flatMap((event) => (event.kind === 'bootstrap_progress' ? [event] : []))
    expect(progress.length).toBeGreaterThan(0)
    const last = progress.at(-1)
    expect(last?.done).toBe(last?.total)
    expect(last?.peers).toBeGreaterThan(1)
    expect(last?.bytes).toBeGreaterThan(WRITES * 200)
  })

  test('goes on with the others when the inviter is gone in the middle', async () => {
    const { mesh, id, token } = await createHolders('inviter gone', 60)
    await using _ = mesh
    const joined = mesh.node(3).join(token)
    await mesh.run(() => isHere(mesh, 3, id), 'the joiner is let in')
    mesh.crash(0)
    await mesh.complete(joined)
    await mesh.converge(id, [1, 2, 3])
    expect(await get(mesh, 3, id, 'k3')).toBe('x'.repeat(200))
  })

  // joins.test.ts looks at all points with one holder.
  test('is made good after a crash of the joiner at any commit', async () => {
    let points = 0
    for (let nth = 1; nth < 60; nth += 1) {
      const { mesh, id, token } = await createHolders('crash', 40)
      await using _ = mesh
      const crashed = mesh.crashAt(3, 'commit', nth)
      let isJoined = false
      mesh
        .node(3)
        .join(token)
        .then(() => (isJoined = true))
        .catch(() => undefined)
      await mesh.run(() => crashed() || isJoined, 'it crashed or joined')
      if (!crashed()) break
      points += 1
      await mesh.start(3)
      if (!isHere(mesh, 3, id)) await mesh.complete(mesh.node(3).join(token))
      await mesh.converge(id)
      await put(mesh, 3, id, ['from', 'the joiner'])
      await mesh.converge(id)
    }
    expect(points).toBeGreaterThanOrEqual(8)
    expect(points).toBeLessThan(59)
  }, 120_000)

  test('of a child brings it too, from all who have it', async () => {
    const { mesh, id, token } = await createHolders('child', 10)
    await using _ = mesh
    const { id: child } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: id }))
    await mesh.converge(child, [0, 1, 2])
    for (let n = 0; n < 20; n += 1) await put(mesh, n % 3, child, [`n${n}`, 'v'])
    await mesh.converge(child, [0, 1, 2])
    await mesh.complete(mesh.node(3).join(token))
    await mesh.converge(child)
    expect(await get(mesh, 3, child, 'n19')).toBe('v')
    expect(toHex(child)).not.toBe(toHex(id))
  })
})
