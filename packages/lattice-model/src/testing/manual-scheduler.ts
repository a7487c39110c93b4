/**
 * A scheduler in virtual time: tasks run when a test advances it, in order of time, then of insertion.
 *
 * The same calls give the same order in every run. A task scheduled while advancing runs in the same advance if its time
 * is within it.
 *
 * @module
 */
import { assert } from '../assert.ts'
import type { Scheduler } from '../ports.ts'
import { createManualClock, type ManualClock } from './manual-clock.ts'

/** A {@link Scheduler} under a test's control. */
export interface ManualScheduler extends Scheduler {
  /** Moved along by every advance. */
  readonly clock: ManualClock
  /** Runs every task due within `ms` from now, each at its time; the clock ends `ms` later. */
  readonly advance: (ms: number) => void
  /**
   * As `advance`, letting promise chains go on before each task and at the end, so that what a task awakened may
   * schedule again within the same advance.
   */
  readonly advanceAsync: (ms: number) => Promise<void>
  /** Milliseconds until the next task; `undefined` when there is none. */
  readonly nextDelayMs: () => number | undefined
  /** Tasks that wait. */
  readonly pending: () => number
}

/** Choices for {@link createManualScheduler}. */
export interface ManualSchedulerOptions {
  readonly clock?: ManualClock
  /** Resolves when promise chains have gone as far as they can; by default after {@link SETTLE_TURNS} microtasks. */
  readonly settle?: () => Promise<void>
}

/** Longest chain of awaits that `advanceAsync` sees through by default: far longer than any between two timers here. */
export const SETTLE_TURNS = 100

interface Task {
  readonly dueMs: number
  readonly order: number
  readonly run: () => void
}

/** Makes a scheduler whose time stands still. */
export function createManualScheduler({
  clock = createManualClock(),
  settle = settleMicrotasks,
}: ManualSchedulerOptions = {}): ManualScheduler {
  // A binary heap by (dueMs, order); cancelled tasks stay in it and are skipped.
  const heap: Task[] = []
  const live = new Set<Task>()
  let order = 0

  const schedule = (delayMs: number, run: () => void): (() => void) => {
    assert(delayMs >= 0, 'a delay is not negative')
    const task: Task = { dueMs: clock.monotonicMs() + delayMs, order, run }
    order += 1
    live.add(task)
    heapPush(heap, task)
    return () => {
      live.delete(task)
    }
  }
  const peek = (): Task | undefined => {
    for (let task = heap[0]; task !== undefined; task = heap[0]) {
      if (live.has(task)) return task
      heapPop(heap)
    }
    return undefined
  }
  /** Runs the next task due by `endMs`; false when there is none. */
  const step = (endMs: number): boolean => {
    const task = peek()
    if (task === undefined || task.dueMs > endMs) return false
    heapPop(heap)
    live.delete(task)
    clock.advance(Math.max(0, task.dueMs - clock.monotonicMs()))
    task.run()
    return true
  }

  return {
    clock,
    after: schedule,
    soon: (task) => schedule(0, task),
    advance: (ms) => {
      const endMs = clock.monotonicMs() + ms
      while (step(endMs));
      clock.advance(endMs - clock.monotonicMs())
    },
    advanceAsync: async (ms) => {
      const endMs = clock.monotonicMs() + ms
      await settle()
      while (step(endMs)) await settle()
      clock.advance(endMs - clock.monotonicMs())
    },
    nextDelayMs: () => {
      const task = peek()
      return task === undefined ? undefined : Math.max(0, task.dueMs - clock.monotonicMs())
    },
    pending: () => live.size,
  }
}

async function settleMicrotasks(): Promise<void> {
  for (let turn = 0; turn < SETTLE_TURNS; turn += 1) await Promise.resolve()
}

function isBefore(a: Task, b: Task): boolean {
  return a.dueMs === b.dueMs ? a.order < b.order : a.dueMs < b.dueMs
}

function heapPush(heap: Task[], task: Task): void {
  let index = heap.length
  heap.push(task)
  while (index > 0) {
    const above = (index - 1) >> 1
    const parent = heap[above]
    if (parent === undefined || !isBefore(task, parent)) break
    heap[index] = parent
    index = above
  }
  heap[index] = task
}

function heapPop(heap: Task[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let index = 0
  for (;;) {
    let childIndex = index * 2 + 1
    let child = heap[childIndex]
    const right = heap[childIndex + 1]
    if (child !== undefined && right !== undefined && isBefore(right, child)) {
      child = right
      childIndex += 1
    }
    if (child === undefined || !isBefore(child, last)) break
    heap[index] = child
    index = childIndex
  }
  heap[index] = last
}
