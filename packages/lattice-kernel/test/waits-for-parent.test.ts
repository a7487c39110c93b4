/** State that is made of a snapshot alone waits, of itself, for the store above that says what counts there. */
import { equalBytes, type Logger, toHex } from '@lattice/model'
import type { MembershipPolicy, MembershipView } from '@lattice/store-base'
import { afterEach, describe, expect, test } from 'vitest'
import type { KernelEvent } from '../src/index.ts'
import type { Node } from './epoch-nodes.ts'
import { catchUp, makeStore, openMade, openScene, type Scene, until } from './foundation-scene.ts'
import { removeDirectories } from './harness.ts'
import { createModelPolicy } from './model-policy.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

/** As of a store that follows another one, which says something of the first epoch only once it has come. */
function policyBelow(parent: { isHere: boolean }): MembershipPolicy {
  const policy = createModelPolicy()
  const resolve = (history: Parameters<MembershipPolicy['resolve']>[0]): MembershipView => {
    const view = policy.resolve(history)
    const first = history.records.find(({ op }) => op.kind === 'epoch')
    return {
      ...view,
      faultOf: (id) =>
        view.faultOf(id) ?? (!parent.isHere && first && equalBytes(first.id, id) ? 'parent_unknown' : undefined),
    }
  }
  return { ...policy, resolve }
}

interface Opened {
  readonly made: Node
  readonly errors: readonly string[]
  readonly told: readonly KernelEvent['kind'][]
}

async function open(scene: Scene, directory: string, membership: MembershipPolicy): Promise<Opened> {
  const errors: string[] = []
  const told: KernelEvent['kind'][] = []
  const ignore = (): void => undefined
  const logger: Logger = { debug: ignore, info: ignore, warn: ignore, error: (message) => void errors.push(message) }
  const made = await openMade(scene, directory, { membership, logger })
  made.kernel.onEvent(({ kind }) => void told.push(kind))
  return { made, errors, told }
}

const isThere = ({ kernel }: Node): boolean => kernel.projection().appliedSeq === kernel.projection().headSeq

async function expectSame(scene: Scene, { kernel }: Node): Promise<void> {
  const [a] = scene.nodes
  expect(kernel.digest()).toEqual(a.kernel.over(scene.epoch)?.digest())
  expect(await scene.mesh.run(kernel.stateDigest())).toEqual(await scene.mesh.run(a.kernel.stateDigest()))
}

async function close(scene: Scene, more: readonly Node[]): Promise<void> {
  for (const { kernel } of [...scene.nodes, ...more]) await scene.mesh.run(kernel.close())
}

describe('a store that was fetched before the store above it', () => {
  test('takes in what others have, and has its state once that store has come', async () => {
    const scene = await openScene()
    const { mesh, nodes } = scene
    const parent = { isHere: false }
    const { made, errors, told } = await open(scene, await makeStore(scene), policyBelow(parent))
    await mesh.run(nodes[1].kernel.submit(appOp('set k1 later')))
    await catchUp(scene, nodes[0].kernel, made.kernel)
    expect(made.kernel.projection()).toMatchObject({
      appliedSeq: 0,
      stalled: { waitsFor: 'parent', error: { code: 'WRONG_STATE' } },
    })
    await expect(mesh.run(made.kernel.submit(appOp('set k1 own')))).rejects.toMatchObject({
      code: 'PROJECTION_STALLED',
    })

    // Something else comes from there first.
    await mesh.run(made.kernel.recheckFloating())
    await mesh.run(made.kernel.retry().catch(() => undefined))
    expect(made.kernel.projection().stalled).toMatchObject({ waitsFor: 'parent' })

    parent.isHere = true
    await mesh.run(made.kernel.recheckFloating())
    await until(mesh, () => isThere(made))
    expect(made.kernel.projection().stalled).toBeUndefined()
    await expectSame(scene, made)
    expect(errors).toEqual([])
    expect(told).toContain('rebuilt')
    expect(told).not.toContain('stalled')
    await close(scene, [made])
  })

  test('goes by what its own epochs name there: what else is known, or is not, decides about now alone', async () => {
    const scene = await openScene()
    const { resolve } = createModelPolicy()
    const { made, errors } = await open(scene, await makeStore(scene), {
      ...policyBelow({ isHere: false }),
      resolvePast: resolve,
    })
    await catchUp(scene, scene.nodes[0].kernel, made.kernel)
    await until(scene.mesh, () => isThere(made))
    expect(made.kernel.epochs().map(({ fault }) => fault)).toContain('parent_unknown')
    expect(errors).toEqual([])
    await close(scene, [made])
  })

  test('goes on waiting where it is opened anew, and has its state at once where that store was opened first', async () => {
    const scene = await openScene()
    const directory = await makeStore(scene)
    for (const isHere of [false, false, true]) {
      const { made, errors } = await open(scene, directory, policyBelow({ isHere }))
      expect(isThere(made)).toBe(isHere)
      expect(toHex(made.kernel.base()?.epoch ?? new Uint8Array())).toBe(toHex(scene.epoch))
      if (isHere) {
        await catchUp(scene, scene.nodes[0].kernel, made.kernel)
        await until(scene.mesh, () => isThere(made))
        await expectSame(scene, made)
      }
      expect(errors).toEqual([])
      await scene.mesh.run(made.kernel.close())
    }
    await close(scene, [])
  })
})
