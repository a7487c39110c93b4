/** Putting a store that was fetched in place of the old one: whichever file was moved last before the power went. */
import type * as Fs from 'node:fs'
import { cpSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { toHex } from '@lattice/model'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { FETCHING, hasFetched } from '../src/index.ts'
import type * as Replacing from '../src/replace-log.ts'
import type { Node } from './epoch-nodes.ts'
import { makeStore, newcomer, openMade, openScene, type Scene } from './foundation-scene.ts'
import { removeDirectories, temporaryDirectory } from './harness.ts'
import { appOp, openAuthority } from './tracking-projector.ts'

/** Changes of files that are left before the power goes. */
const power = vi.hoisted(() => ({ left: Number.POSITIVE_INFINITY }))

vi.mock('node:fs', async (importOriginal) => {
  const real = await importOriginal<typeof Fs>()
  const cut =
    <Parameters extends readonly unknown[], Answer>(change: (...parameters: Parameters) => Answer) =>
    (...parameters: Parameters): Answer => {
      if (power.left <= 0) throw new Error('the power is gone')
      power.left -= 1
      return change(...parameters)
    }
  return {
    ...real,
    renameSync: cut(real.renameSync),
    rmSync: cut(real.rmSync),
    writeFileSync: cut(real.writeFileSync),
  }
})

/** Loaded over the file calls above: other tests of the process may have loaded it over the real ones. */
let replacing: typeof Replacing
let scene: Scene
/** An old store with a write that the fetched one has not; and the fetched one within it. */
let both: string

beforeAll(async () => {
  vi.resetModules()
  replacing = await import('../src/replace-log.ts')
  scene = await openScene()
  both = await makeStore(scene)
  const old = await openOwn(both)
  await scene.mesh.run(old.kernel.submit(appOp('set old 1')))
  await scene.mesh.run(old.kernel.close())
  const fetched = await makeStore(scene, { directory: join(both, FETCHING) })
  const made = await openOwn(fetched)
  await scene.mesh.run(made.kernel.submit(appOp('set fetched 1')))
  await scene.mesh.run(made.kernel.close())
})
afterAll(async () => {
  for (const { kernel } of scene.nodes) await scene.mesh.run(kernel.close())
  removeDirectories()
})

/** Where the newcomer may write. */
const openOwn = async (directory: string): Promise<Node> => openMade(scene, directory, { authority: openAuthority })

/** What the store says that it holds; it opens as any. */
async function stateOf(directory: string): Promise<string> {
  const { kernel } = await openOwn(directory)
  const { outcome } = await scene.mesh.run(kernel.verify())
  const tips = kernel.tips().find(({ author }) => toHex(author) === toHex(newcomer.publicKey))?.tips
  const digest = toHex(await scene.mesh.run(kernel.stateDigest()))
  await scene.mesh.run(kernel.close())
  return `${outcome} ${tips?.map(({ id }) => toHex(id)).join() ?? ''} ${digest}`
}

function copyOf(directory: string): string {
  const copy = temporaryDirectory()
  cpSync(directory, copy, { recursive: true })
  return copy
}

describe('a store that is put in place of another', () => {
  test('is the one or the other after any change of files, and the new one once it goes on', async () => {
    const [before, after] = [await stateOf(copyOf(both)), await stateOf(copyOf(join(both, FETCHING)))]
    expect(before).not.toBe(after)
    let changes = 0
    for (let isOver = false; !isOver; changes += 1) {
      const directory = copyOf(both)
      power.left = changes
      try {
        replacing.commitFetched(directory)
        isOver = true
      } catch (error) {
        expect(String(error)).toContain('the power is gone')
      } finally {
        power.left = Number.POSITIVE_INFINITY
      }
      // Whoever opens the store goes on with what was decided; else it is fetched, and decided once more.
      replacing.finishReplacement(directory)
      const isDecided = !hasFetched(directory)
      expect(await stateOf(directory)).toBe(isDecided ? after : before)
      if (!isDecided) {
        replacing.commitFetched(directory)
        expect(await stateOf(directory)).toBe(after)
      }
      expect([FETCHING, 'repaired'].filter((name) => existsSync(join(directory, name)))).toEqual([])
    }
    expect(changes).toBeGreaterThan(8)
  })

  test('is that also where the power goes again as it goes on', async () => {
    const after = await stateOf(copyOf(join(both, FETCHING)))
    for (let first = 3; first < 12; first += 2) {
      const directory = copyOf(both)
      for (const left of [first, 2, 3]) {
        power.left = left
        try {
          if (hasFetched(directory)) replacing.commitFetched(directory)
          else replacing.finishReplacement(directory)
        } catch (error) {
          expect(String(error)).toContain('the power is gone')
        } finally {
          power.left = Number.POSITIVE_INFINITY
        }
      }
      if (hasFetched(directory)) replacing.commitFetched(directory)
      replacing.finishReplacement(directory)
      expect(await stateOf(directory)).toBe(after)
    }
  })
})
