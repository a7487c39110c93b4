/** However the making of a store ends, what is on the disk then goes on to the same store, or begins anew. */
import { cpSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import type { StorageHooks } from '@lattice/storage'
import { afterEach, describe, expect, test } from 'vitest'
import { openPrunedStore } from '../src/index.ts'
import { catchUp, handOver, openMade, openScene, prunedStoreOptions, type Scene } from './foundation-scene.ts'
import { removeDirectories, temporaryDirectory } from './harness.ts'

afterEach(removeDirectories)

/** Copies of the directory as it was at some of the points at which the disk is used. */
async function crashesOf(scene: Scene, everyNth: number): Promise<readonly string[]> {
  const directory = temporaryDirectory()
  const copies: string[] = []
  let points = 0
  const storageHooks: StorageHooks = {
    at: () => {
      points += 1
      if (points % everyNth !== 0) return
      const copy = temporaryDirectory()
      cpSync(directory, copy, { recursive: true })
      copies.push(copy)
    },
  }
  const store = openPrunedStore(prunedStoreOptions(scene, { directory, storageHooks }))
  while (await handOver(scene.nodes[0].kernel, scene.epoch, store));
  store.close()
  return copies
}

async function closeAll({ mesh, nodes }: Scene): Promise<void> {
  for (const { kernel } of nodes) await mesh.run(kernel.close())
}

describe('the making of a store', () => {
  test('goes on after a crash at any point', async () => {
    const scene = await openScene()
    const { mesh, nodes, epoch } = scene
    const copies = await crashesOf(scene, 17)
    expect(copies.length).toBeGreaterThan(7)
    const stages = new Set<string>()
    for (const directory of copies) {
      const store = openPrunedStore(prunedStoreOptions(scene, { directory }))
      stages.add(store.stage().kind)
      while (await handOver(nodes[0].kernel, epoch, store));
      store.close()
      const made = await openMade(scene, directory)
      await catchUp(scene, nodes[0].kernel, made.kernel)
      expect(made.kernel.digest()).toEqual(nodes[0].kernel.over(epoch)?.digest())
      await mesh.run(made.kernel.close())
    }
    expect([...stages].sort().slice(0, 2)).toEqual(['foundation', 'snapshot'])
    await closeAll(scene)
  })

  test('goes on after a disk that refuses, at any point', async () => {
    const scene = await openScene()
    const { nodes, epoch } = scene
    const directory = temporaryDirectory()
    let [points, refused] = [0, 0]
    // Each refusal is further on than the one before, until there is none.
    for (let at = 3; ; at += 11) {
      points = 0
      const storageHooks: StorageHooks = {
        at: (point) => {
          points += 1
          if (points === at && point !== 'close' && point !== 'closed') {
            refused += 1
            throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
          }
        },
      }
      let store: ReturnType<typeof openPrunedStore> | undefined
      try {
        store = openPrunedStore(prunedStoreOptions(scene, { directory, storageHooks }))
        while (await handOver(nodes[0].kernel, epoch, store));
        store.close()
        break
      } catch (error) {
        expect(error).toMatchObject({ code: 'DISK_FULL' })
        store?.close()
      }
    }
    expect(refused).toBeGreaterThan(3)
    expect(existsSync(join(directory, 'snapshot.db'))).toBe(true)
    const made = await openMade(scene, directory)
    await catchUp(scene, nodes[0].kernel, made.kernel)
    expect(made.kernel.digest()).toEqual(nodes[0].kernel.over(epoch)?.digest())
    await scene.mesh.run(made.kernel.close())
    await closeAll(scene)
  })
})
