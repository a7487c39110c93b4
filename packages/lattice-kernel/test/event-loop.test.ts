/** How long one turn of the event loop may be held, counted by the steps between which others come to their turn. */
import { basename } from 'node:path'
import type { ParsedIntention, StoreId } from '@lattice/model'
import { afterEach, describe, expect, test } from 'vitest'
import { at, createTestStore, openTestKernel, removeDirectories, signerOf, turnScheduler, write } from './harness.ts'
import { appOp, createTrackingProjector } from './tracking-projector.ts'

afterEach(removeDirectories)

function longRun(storeId: StoreId, length: number): readonly ParsedIntention[] {
  const bob = signerOf(2)
  const run: ParsedIntention[] = []
  for (let n = 0; n < length; n += 1) {
    const prev = run.at(-1)?.id ?? storeId
    run.push(write(bob, { prev, at: at(1, n), op: appOp(`w ${n}`), close: n % 250 === 249 }))
  }
  return run
}

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

  test('of a flush is done in slices: between two turns few rows are written, whatever is flushed', async () => {
    let [written, most, total] = [0, 0, 0]
    const hooks = {
      at: (point: string, path: string) => {
        if (point !== 'write' || !basename(path).startsWith('state')) return
        written += 1
        total += 1
        most = Math.max(most, written)
      },
    }
    const scheduler = {
      ...turnScheduler,
      soon: (task: () => void) =>
        turnScheduler.soon(() => {
          written = 0
          task()
        }),
    }
    const { kernel, options } = await createTestStore({ storageHooks: hooks, scheduler })
    await kernel.ingest(longRun(kernel.storeId, 3000), undefined)
    expect(total).toBeLessThan(10)
    await kernel.close()
    expect(total).toBeGreaterThan(3000)
    expect(most).toBeLessThan(1100)
    const { kernel: again } = await openTestKernel({ ...options })
    ;[written, most, total] = [0, 0, 0]
    // Built beside in slices, too; the last records go with the swap.
    await again.rebuild()
    expect(total).toBeGreaterThan(3000)
    expect(most).toBeLessThan(1100)
    await again.close()
  })

  test('of a state digest leaves turns to others, and is that of the state it was asked for', async () => {
    let turns = 0
    const scheduler = {
      ...turnScheduler,
      soon: (task: () => void) => {
        turns += 1
        return turnScheduler.soon(task)
      },
    }
    const { kernel } = await createTestStore({ scheduler })
    const run = longRun(kernel.storeId, 5000)
    await kernel.ingest(run, undefined)
    const before = await kernel.stateSummary()
    expect(before).toMatchObject({ appRows: 5000, systemRows: 1 })
    // The same state, whose digest is not known.
    await kernel.rebuild()
    turns = 0
    const digest = kernel.stateDigest()
    expect(turns).toBe(1)
    // Changes while it is made, before and behind the place it has reached.
    await kernel.ingest([write(signerOf(3), { prev: kernel.storeId, at: at(1) })], undefined)
    await Promise.all(Array.from({ length: 20 }, async (_, n) => kernel.submit(appOp(`more ${n}`))))
    expect(await digest).toEqual(before.digest)
    expect(await kernel.stateDigest()).not.toEqual(before.digest)
    await kernel.submit(appOp('last'))
    const late = kernel.stateDigest()
    await Promise.all([expect(late).rejects.toMatchObject({ code: 'CLOSED' }), kernel.close()])
    await expect(kernel.stateDigest()).rejects.toMatchObject({ code: 'CLOSED' })
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
