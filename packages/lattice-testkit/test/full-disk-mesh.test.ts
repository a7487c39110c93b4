/** A disk that takes nothing for a while, in a mesh that goes on. */
import { createAbortController, isLagged, silentLogger } from '@lattice/model'
import { expect, test } from 'vitest'
import { createSimMesh } from '../src/index.ts'
import { put } from './support.ts'

test('a node whose disk was full catches up by itself, and still hears of its peers', async () => {
  let isFull = false
  const errors: string[] = []
  await using mesh = await createSimMesh({
    seed: 1,
    nodes: 2,
    logger: () => ({ ...silentLogger, error: (event) => errors.push(event) }),
    disk: (index, point) => {
      if (!isFull || index !== 1 || (point !== 'write' && point !== 'commit')) return
      throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' })
    },
  })
  const id = await mesh.share()
  isFull = true
  // Where it is now is told with the connection, and cannot be kept.
  await mesh.restart(0)
  await mesh.run(() => mesh.node(1).network.connectedPeers().length === 1, 'they are connected again')
  await put(mesh, 0, id, ['k', 'v'])
  await mesh.time.pass(10_000)
  expect(mesh.isConverged(id)).toBe(false)
  isFull = false
  await mesh.converge(id)
  expect(errors).toEqual([])

  const heard: string[] = []
  const follow = async (): Promise<void> => {
    for await (const event of mesh.node(1).events(createAbortController().signal)) {
      if (!isLagged(event)) heard.push(event.kind)
    }
  }
  const following = follow()
  await mesh.stop(0)
  await mesh.run(() => heard.includes('peer_offline'), 'the peer is told to be gone')
  await mesh.start(0)
  await mesh.run(() => heard.includes('peer_online'), 'the peer is told to be back')
  await mesh.stop(1)
  await following
})
