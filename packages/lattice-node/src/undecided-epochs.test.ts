import { type IntentionId, toIntentionId, toPublicKey } from '@lattice/model'
import { createManualScheduler } from '@lattice/model/testing'
import { type EpochFault, MAX_SET_ASIDE, type MembershipView } from '@lattice/store-base'
import { describe, expect, test } from 'vitest'
import { createUndecidedEpochs, SET_ASIDE_AFTER_MS, type WaitingKernel } from './undecided-epochs.ts'

type Epoch = readonly [id: number, author: number, fault?: EpochFault]

const idOf = (byte: number): IntentionId => toIntentionId(new Uint8Array(32).fill(byte))
/** One that counts. */
const GOOD = 250

/** A store whose epochs are set by the test; each set is another view. By what it names itself all but those of `void` count. */
function store() {
  let [view, epochs]: [object, readonly Epoch[]] = [{}, []]
  const voided = new Set<number>()
  const kernel: WaitingKernel = {
    membership: () => view as MembershipView,
    membershipAt: ([head]) => ({
      faultOf: ([byte]) => (head?.[0] === GOOD && voided.has(byte ?? 0) ? 'parent_void' : undefined),
    }),
    digest: () => ({ epochHeads: [idOf(GOOD)] }),
    epochs: () => [
      ...epochs.map(([byte, author, fault = 'parent_unknown' as const]) => ({
        id: idOf(byte),
        author: toPublicKey(new Uint8Array(32).fill(author)),
        fault,
      })),
      { id: idOf(GOOD), author: toPublicKey(new Uint8Array(32).fill(1)), fault: undefined },
    ],
  }
  const set = (...next: readonly Epoch[]): void => {
    ;[view, epochs] = [{}, next]
  }
  return { kernel, set, voided }
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

describe('epochs that leave open what counts below them', () => {
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

  test('are those without effect that count by what their own store names, and no others', async () => {
    const { scheduler, set, overdue, voided } = scene()
    voided.add(2)
    set([1, 1, 'parent_void'], [2, 2, 'parent_void'], [3, 3, 'outranked'], [4, 4, 'admin_unknown'], [5, 5, 'set_aside'])
    expect(overdue()).toEqual([])
    await scheduler.advanceAsync(SET_ASIDE_AFTER_MS)
    expect(overdue()).toEqual([1])
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
