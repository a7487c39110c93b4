/**
 * The actor of a store: one thing at a time, in turns short enough for the event loop.
 *
 * Work is done in steps, each synchronous; between steps promise chains go on, so that writers whose write has just
 * resolved join the next group. After enough steps the loop lets I/O in, by the injected scheduler.
 *
 * @module
 */
import { assert, type Clock, type Scheduler } from '@lattice/model'

/** Something to do in steps. */
export interface Work {
  /** Does one step; answers what it cost in about microseconds, or `undefined` when there is nothing (left) to do. */
  readonly step: () => number | undefined
  /** What to wait for rather than to be idle, where `step` cannot go on before. Never rejects. */
  readonly waiting?: () => Promise<void> | undefined
  /** The writer has failed: nothing of this work will be done. */
  readonly fail?: (error: unknown) => void
}

export interface WorkLoop {
  /** Makes sure that all works are stepped until none has anything to do. */
  readonly wake: () => void
  readonly isRunning: () => boolean
  /** Resolves when nothing is left to do. */
  readonly idle: () => Promise<void>
}

/** About how long steps may hold the event loop, in microseconds. */
const TURN_COST = 2000
const MICROSECONDS = 1000
/** Awaits between a write's resolution and its caller's next write: the layers of an interface, with room. */
const SETTLE_TICKS = 16

export interface WorkLoopOptions {
  readonly scheduler: Scheduler
  readonly clock: Clock
  /** In their order of precedence. */
  readonly works: readonly Work[]
  /** Is told what a step threw; the loop has ended then. */
  readonly onFailure: (error: unknown) => void
}

export function createWorkLoop({ scheduler, clock, works, onFailure }: WorkLoopOptions): WorkLoop {
  let running: Promise<void> | undefined
  let spent = 0
  const bell = createBell()

  function spend(cost: number): void {
    // Whatever the loop does, a turn of the event loop ends it anew.
    if (spent === 0) {
      scheduler.soon(() => {
        spent = 0
      })
    }
    spent += cost
  }

  async function breathe(): Promise<void> {
    if (spent >= TURN_COST) await new Promise<void>((resolve) => void scheduler.soon(resolve))
  }

  /** Steps one work; answers its cost. */
  function stepOne(work: Work): number {
    const startedMs = clock.monotonicMs()
    const cost = work.step()
    assert(cost === undefined || cost > 0, 'a step costs something')
    if (cost === undefined) return 0
    // What a step says bounds a turn where time stands still, the clock where it was wrong.
    spend(Math.max(cost, (clock.monotonicMs() - startedMs) * MICROSECONDS))
    return cost
  }

  async function run(): Promise<void> {
    for (;;) {
      await settle()
      let cost = 0
      for (const work of works) {
        await breathe()
        cost += stepOne(work)
      }
      if (cost > 0) continue
      const waiting = works.map((work) => work.waiting?.()).find((promise) => promise !== undefined)
      if (waiting === undefined) return
      await Promise.race([waiting, bell.heard()])
    }
  }

  function wake(): void {
    if (running !== undefined) return
    running = run()
      .catch(onFailure)
      .finally(() => {
        running = undefined
        // What came in while the loop was ending.
        if (bell.take()) wake()
      })
  }

  return {
    wake: () => {
      if (running === undefined) wake()
      else bell.ring()
    },
    isRunning: () => running !== undefined,
    idle: async () => {
      while (running !== undefined) await running
    },
  }
}

interface Bell {
  readonly ring: () => void
  /** Answers whether it was rung, and forgets it. */
  readonly take: () => boolean
  /** Resolves when it is rung, at once if it was, and forgets it. */
  readonly heard: () => Promise<void>
}

/** Remembers that something came in while nobody waited for it. */
function createBell(): Bell {
  let isRung = false
  let hear: (() => void) | undefined
  const take = (): boolean => {
    const was = isRung
    isRung = false
    return was
  }
  return {
    ring: () => {
      isRung = true
      hear?.()
    },
    take,
    heard: async () => {
      if (take()) return
      await new Promise<void>((resolve) => {
        hear = resolve
      })
      take()
    },
  }
}

async function settle(): Promise<void> {
  for (let tick = 0; tick < SETTLE_TICKS; tick += 1) await Promise.resolve()
}
