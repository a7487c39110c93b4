/** A store that is made of a foundation and a snapshot is the store of those who handed them over. */
import { readdirSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { openPrunedStore } from '../src/index.ts'
import { catchUp, handOver, makeStore, openMade, openScene, prunedStoreOptions, until } from './foundation-scene.ts'
import { removeDirectories } from './harness.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

describe('a store that is made at an epoch', () => {
  test.each(['initial', 'prune'] as const)('has base, digest and tables of who handed it over (%s)', async (kind) => {
    const scene = await openScene(kind)
    const { mesh, nodes, epoch } = scene
    const [a, b] = nodes
    if (kind === 'prune') await until(mesh, () => a.kernel.base() !== undefined)
    await mesh.run(b.kernel.submit(appOp('set k1 later')))
    const directory = await makeStore(scene)
    expect(readdirSync(directory).sort()).toEqual(['log.db', 'snapshot.db'])
    const made = await openMade(scene, directory)
    await until(mesh, () => made.kernel.projection().appliedSeq === made.kernel.projection().headSeq)
    await catchUp(scene, a.kernel, made.kernel)
    expect(made.kernel.base()).toMatchObject({ epoch })
    expect(made.kernel.digest()).toEqual(a.kernel.over(epoch)?.digest())
    expect(await mesh.run(made.kernel.stateDigest())).toEqual(await mesh.run(a.kernel.stateDigest()))
    expect((await mesh.run(made.kernel.verify())).problems).toEqual([])
    for (const { kernel } of [...nodes, made]) await mesh.run(kernel.close())
  })

  test('goes on where it was left, whatever was handed over', async () => {
    const scene = await openScene()
    const { mesh, nodes, epoch } = scene
    const options = prunedStoreOptions(scene)
    for (let steps = 0; ; steps += 1) {
      const store = openPrunedStore(options)
      const isGoing = await handOver(nodes[0].kernel, epoch, store)
      store.close()
      if (!isGoing) break
      expect(steps).toBeLessThan(100)
    }
    const made = await openMade(scene, options.directory)
    await catchUp(scene, nodes[0].kernel, made.kernel)
    expect(made.kernel.digest()).toEqual(nodes[0].kernel.over(epoch)?.digest())
    for (const { kernel } of [...nodes, made]) await mesh.run(kernel.close())
  })

  test('leaves nothing when it is given up, at any stage', async () => {
    const scene = await openScene()
    for (let steps = 0; ; steps += 1) {
      const options = prunedStoreOptions(scene)
      const store = openPrunedStore(options)
      let isGoing = true
      for (let step = 0; step < steps && isGoing; step += 1)
        isGoing = await handOver(scene.nodes[0].kernel, scene.epoch, store)
      store.abort()
      expect(readdirSync(options.directory)).toEqual([])
      if (!isGoing) break
    }
    for (const { kernel } of scene.nodes) await scene.mesh.run(kernel.close())
  })
})
