import { toIntentionId, toPublicKey } from '@lattice/model'
import { createManualScheduler } from '@lattice/model/testing'
import { MAX_SET_ASIDE, type MembershipView } from '@lattice/store-base'
import { describe, expect, test } from 'vitest'
import { createUndecidedEpochs, SET_ASIDE_AFTER_MS, type WaitingKernel } from './undecided-epochs.ts'

type Epoch = readonly [id: number, author: number]

/** A store whose epochs are set by the test; each set is another view. */
function store() {
  let [view, epochs]: [object, readonly Epoch[]] = [{}, []]
  const kernel: WaitingKernel = {
    membership: () => view as MembershipView,
    epochs: () =>
      [...epochs, [250, 1] as const].map(([id, author]) => ({
        id: toIntentionId(new Uint8Array(32).fill(id)),
        author: toPublicKey(new Uint8Array(32).fill(author)),
        fault: id === 250 ? undefined : ('parent_unknown' as const),
      })),
  }
  const set = (...next: readonly Epoch[]): void => {
    ;[view, epochs] = [{}, next]
  }
  return { kernel, set }
}

function scene() {
  const scheduler = createManualScheduler()
  let woken = 0
  const undecided = createUndecidedEpochs({ clock: scheduler.clock, scheduler, wake: () => void (woken += 1) })
  const one = store()
  return {
    scheduler,
    undecided,
    ...one,
    overdue: () => undecided.overdue(one.kernel).map(([byte]) => byte),
    woken: () => woken,
  }
}

describe('epochs that wait for one of the store above', () => {
  test('are overdue after a while that is counted for each, and then said so once', async () => {
    const { scheduler, set, overdue, woken } = scene()
    expect(overdue()).toEqual([])
    set([1, 1])
    expect(overdue()).toEqual([])
    await scheduler.advanceAsync(SET_ASIDE_AFTER_MS / 2)
    set([1, 1], [2, 2])
    expect(overdue()).toEqual([])
    await scheduler.advanceAsync(SET_ASIDE_AFTER_MS / 2)
    expect([woken(), overdue()]).toEqual([1, [1]])
    await scheduler.advanceAsync(SET_ASIDE_AFTER_MS / 2)
    expect([woken(), overdue()]).toEqual([2, [1, 2]])
    await scheduler.advanceAsync(2 * SET_ASIDE_AFTER_MS)
    expect(woken()).toBe(2)
  })

  test('are forgotten where what they name came, and wait anew if it goes again', async () => {
    const { scheduler, set, overdue } = scene()
    set([1, 1])
    expect(overdue()).toEqual([])
    await scheduler.advanceAsync(SET_ASIDE_AFTER_MS - 1)
    set()
    expect(overdue()).toEqual([])
    set([1, 1])
    await scheduler.advanceAsync(1)
    expect(overdue()).toEqual([])
  })

  test('are so with all of the same author, and no more than one epoch may name', async () => {
    const { scheduler, set, overdue } = scene()
    set([1, 1])
    expect(overdue()).toEqual([])
    await scheduler.advanceAsync(SET_ASIDE_AFTER_MS)
    set([1, 1], [2, 2], [3, 1])
    expect(overdue()).toEqual([1, 3])
    set([1, 1], ...Array.from({ length: 100 }, (_, at): Epoch => [at + 4, 1]))
    expect(overdue()).toHaveLength(MAX_SET_ASIDE)
  })

  test('wake nobody once it is closed', async () => {
    const { scheduler, undecided, set, overdue, woken } = scene()
    set([1, 1])
    expect(overdue()).toEqual([])
    undecided.close()
    await scheduler.advanceAsync(2 * SET_ASIDE_AFTER_MS)
    expect(woken()).toBe(0)
  })
})
