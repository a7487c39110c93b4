import { idKey, silentLogger } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, get, put } from './support.ts'

describe('a node that crashed and is back before its silence was noticed', () => {
  // Keys follow from the seed: with either order of them, and whoever dialled first.
  test.each([1, 2, 3, 4].flatMap((seed) => [0, 1].map((crashed) => [seed, crashed] as const)))(
    'is written to at once over its new connection (seed %i, node %i)',
    async (seed, crashed) => {
      await using mesh = await createSimMesh({ seed, nodes: 2 })
      const id = await mesh.share()
      await mesh.converge(id)
      mesh.crash(crashed)
      await mesh.start(crashed)
      const { clock } = mesh.time.scheduler
      const backAt = clock.monotonicMs()
      await mesh.run(() => mesh.node(crashed).network.connectedPeers().length === 1, 'it is connected')
      await put(mesh, 1 - crashed, id, ['k', 'v'])
      await mesh.converge(id)
      expect(clock.monotonicMs() - backAt).toBeLessThan(3_000)
      expect(await get(mesh, crashed, id, 'k')).toBe('v')
    },
  )
})

describe('a node that is restarted', () => {
  test('draws other random bytes than before, also where no time has passed', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 1 })
    const ids: string[] = []
    for (let round = 0; round < 3; round += 1) {
      await mesh.restart(0)
      ids.push(idKey((await mesh.complete(mesh.node(0).createStore())).id))
    }
    expect(new Set(ids).size).toBe(3)
  })

  test('brings no store into use while its network closes, and so reports no error', async () => {
    const errors: string[] = []
    await using mesh: SimMesh = await createSimMesh({
      seed: 1,
      nodes: 1,
      logger: () => ({ ...silentLogger, error: (event) => errors.push(event) }),
      // Connections take their time to end.
      wrapTransport: ({ transport }) => ({
        ...transport,
        close: async () => {
          await new Promise<void>((resolve) => mesh.time.scheduler.after(1_000, resolve))
          await transport.close()
        },
      }),
    })
    const made = codeOf(mesh, mesh.node(0).createStore({ name: 'notes' }))
    await mesh.stop(0)
    expect(errors).toEqual([])
    // It was under way already, and came to its end before.
    expect(await made).toBe('resolved')
    await mesh.start(0)
    expect(mesh.node(0).store('notes').state()).toBe('active')
  })
})
