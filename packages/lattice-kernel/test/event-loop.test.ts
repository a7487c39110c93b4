/** How long one turn of the event loop may be held, counted by the steps between which others come to their turn. */
import { afterEach, describe, expect, test } from 'vitest'
import { at, createTestStore, openTestKernel, removeDirectories, signerOf, turnScheduler, write } from './harness.ts'
import { appOp, createTrackingProjector } from './tracking-projector.ts'

afterEach(removeDirectories)

describe('work that takes long', () => {
  test('of a slow machine is cut by the clock: others have their turn between few of its records', async () => {
    let nowMs = 0
    const clock = { wallMs: () => at(1000).wall, monotonicMs: () => nowMs }
    const slow = createTrackingProjector()
    let applied = 0
    let appliedInTurn = 0
    let mostInTurn = 0
    const projector = {
      ...slow,
      version: slow.version,
      apply: (...args: Parameters<typeof slow.apply>) => {
        nowMs += 2
        applied += 1
        appliedInTurn += 1
        mostInTurn = Math.max(mostInTurn, appliedInTurn)
        return slow.apply(...args)
      },
    }
    const scheduler = {
      ...turnScheduler,
      soon: (task: () => void) =>
        turnScheduler.soon(() => {
          appliedInTurn = 0
          task()
        }),
    }
    const { kernel, genesis } = await createTestStore({ clock, projector, scheduler })
    const bob = signerOf(2)
    const run = [write(bob, { prev: genesis.id, at: at(1), close: false })]
    for (let n = 1; n < 200; n += 1) {
      const prev = run.at(-1)?.id ?? genesis.id
      run.push(write(bob, { prev, deps: [genesis.id], at: at(1, n), op: appOp(`w ${n}`), close: n === 199 }))
    }
    const outcomes = await kernel.ingest(run, undefined)
    expect(outcomes.every(({ kind }) => kind === 'witnessed')).toBe(true)
    expect(applied).toBe(200)
    // It resolves when all of it is in state, however many turns that took.
    expect(kernel.projection()).toEqual({ appliedSeq: 201, headSeq: 201 })
    expect(mostInTurn).toBeLessThan(8)
    await kernel.close()
  })

  test('of the range index is done in pages after opening, and whoever asks earlier gets all of it', async () => {
    const { kernel, options } = await createTestStore()
    await Promise.all(Array.from({ length: 3000 }, async (_, n) => kernel.submit(appOp(`w ${n}`))))
    expect(kernel.rangeIndex().size()).toBe(3001)
    await kernel.close()
    const { kernel: again } = await openTestKernel({ ...options })
    const late = again.submit(appOp('while it is built'))
    expect(again.rangeIndex().size()).toBe(3001)
    await late
    expect(again.rangeIndex().size()).toBe(3002)
    await again.close()
  })

  test('of a state digest is done once until something is applied or state is rebuilt', async () => {
    const { kernel } = await createTestStore()
    await kernel.submit(appOp('set k v'))
    const digest = await kernel.stateDigest()
    expect(await kernel.stateDigest()).toBe(digest)
    await kernel.rebuild()
    expect(await kernel.stateDigest()).toEqual(digest)
    await kernel.submit(appOp('set k w'))
    await kernel.submit(appOp('other'))
    expect(await kernel.stateDigest()).not.toEqual(digest)
    await kernel.close()
  })
})
