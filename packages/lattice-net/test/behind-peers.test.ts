/** What a round of sessions brought goes on to whoever is behind: nobody has to call for it, and not everybody is called. */
import { expect, test } from 'vitest'
import { createTreeGossip, type GossipFactory } from '../src/index.ts'
import { openMesh } from './mesh.ts'

/** Gossip that says nothing of what is witnessed. */
const silent: GossipFactory = (deps) => ({ ...createTreeGossip(deps), publish: () => undefined })

test('a peer that nobody tells, and that does not ask, gets it from who has it', async () => {
  const mesh = await openMesh({ nodes: 3, seed: 'behind', gossip: silent })
  const [hub, source, behind] = [mesh.node(0), mesh.node(1), mesh.node(2)]
  hub.service.want(behind.id, [])
  await mesh.until('the connection', () => hub.service.connectedPeers().length === 1)
  await mesh.advance(5_000)
  for (let run = 0; run < 20; run += 1) source.store.write(100)
  hub.service.want(source.id, [])
  await mesh.until('it has it', () => hub.store.digest().witnessCount === 2_001)
  await mesh.until('the other has it', mesh.converged, 6_000)
  expect(behind.service.connectedPeers()).toHaveLength(1)
})

test('in a full mesh it costs about a session for each peer, not one for each pair', async () => {
  const mesh = await openMesh({ nodes: 6, seed: 'storm' })
  mesh.connectAll()
  await mesh.until('connections', () => mesh.nodes.every(({ service }) => service.connectedPeers().length === 5))
  await mesh.advance(20_000)
  const counts = (): number =>
    mesh.nodes.flatMap(({ events }) => events.filter((event) => 'kind' in event && event.kind === 'sync_result')).length
  const before = counts()
  const newcomer = mesh.addNode()
  for (let run = 0; run < 12; run += 1) newcomer.store.write(200, 200)
  newcomer.service.want(mesh.node(0).id, [])
  await mesh.until('all have it', mesh.converged)
  await mesh.advance(30_000)
  // Each session is told on both sides; of all pairs there would be 21.
  expect((counts() - before) / 2).toBeLessThan(12)
})
