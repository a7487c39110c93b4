/** A store that is made of a foundation and a snapshot is the store of those who handed them over. */
import { readdirSync } from 'node:fs'
import { toHex } from '@lattice/model'
import { afterEach, describe, expect, test } from 'vitest'
import { openPrunedStore } from '../src/index.ts'
import { catchUp, handOver, makeStore, openMade, openScene, prunedStoreOptions, until } from './foundation-scene.ts'
import { removeDirectories, signerOf } from './harness.ts'
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

  test('comes to the same state at the next epoch, prunes as the others do, and hands on what it has', async () => {
    const scene = await openScene()
    const { mesh, nodes, epoch } = scene
    const [a, b] = nodes
    const made = await openMade(scene, await makeStore(scene))
    await until(mesh, () => made.kernel.projection().appliedSeq === made.kernel.projection().headSeq)
    a.kernel.onWitnessed(({ intentions }) => void made.kernel.ingest(intentions, undefined).catch(() => {}))
    await catchUp(scene, a.kernel, made.kernel)
    await mesh.run(a.kernel.submit(appOp('put p0 later')))
    await mesh.run(b.kernel.submit(appOp('set k1 later')))
    const next = await mesh.run(a.kernel.submitEpoch({ kind: 'prune' }))
    const all = [...nodes, made]
    await until(mesh, () => all.every(({ kernel }) => toHex(kernel.base()?.epoch ?? epoch) === toHex(next)))
    const roots = all.map(({ kernel }) => kernel.snapshot().settled?.root)
    expect(new Set(roots.map((root) => root && toHex(root))).size).toBe(1)
    expect(made.kernel.snapshot()).toMatchObject({ state: 'ready', divergences: [] })
    expect(made.kernel.digest()).toEqual(a.kernel.digest())
    expect((await mesh.run(made.kernel.verify())).problems).toEqual([])
    // One more begins with what this one was given and has made of it.
    const later = { ...scene, nodes: [made, b, nodes[2]], epoch: next } as const
    const another = await openMade(later, await makeStore(later, { signer: signerOf(8) }), { signer: signerOf(8) })
    await until(mesh, () => another.kernel.projection().appliedSeq === another.kernel.projection().headSeq)
    await catchUp(later, made.kernel, another.kernel)
    expect(another.kernel.digest()).toEqual(a.kernel.digest())
    expect(await mesh.run(another.kernel.stateDigest())).toEqual(await mesh.run(a.kernel.stateDigest()))
    for (const { kernel } of [...all, another]) await mesh.run(kernel.close())
  })

  test('has no row of a state that nobody vouches for', async () => {
    const scene = await openScene()
    const { kernel } = scene.nodes[0]
    const store = openPrunedStore(prunedStoreOptions(scene))
    while (store.stage().kind === 'foundation') await handOver(kernel, scene.epoch, store)
    const { rows } = kernel.readSnapshot({ epoch: scene.epoch, maxBytes: 1e6 })
    const [first, ...others] = rows
    if (first === undefined) expect.unreachable()
    // In another order, twice, and not at all.
    expect(await store.addRows([...others, first])).toMatchObject({ ok: false })
    expect(await store.addRows([first, first])).toMatchObject({ ok: false })
    expect((await store.addRows(others)).ok).toBe(true)
    expect(store.endRows()).toMatchObject({ ok: false, error: { code: 'root_mismatch' } })
    expect(store.stage()).toMatchObject({ kind: 'snapshot', after: undefined })
    const changed = { ...first, value: Uint8Array.of(...first.value, 1) }
    expect((await store.addRows([changed, ...others])).ok).toBe(true)
    expect(store.endRows()).toMatchObject({ error: { code: 'root_mismatch' } })
    expect((await store.addRows(rows)).ok).toBe(true)
    expect(store.endRows()).toEqual({ ok: true, value: undefined })
    expect(store.stage()).toEqual({ kind: 'whole' })
    store.close()
    for (const node of scene.nodes) await scene.mesh.run(node.kernel.close())
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
    for (let steps = 0; ; steps += 3) {
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
