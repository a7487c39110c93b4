import { createAbortController } from '@lattice/model'
import { createManualScheduler } from '@lattice/model/testing'
import { type BiStream, StreamLost } from '@lattice/net-types'
import { describe, expect, test } from 'vitest'
import { PeerTooSlow } from '../src/errors.ts'
import { createFrameDecoder } from '../src/frame-decoder.ts'
import { DEFAULT_LIMITS } from '../src/limits.ts'
import { performCall } from '../src/perform-call.ts'
import { runSession } from '../src/run-session.ts'
import type { JoinHandler } from '../src/session-call.ts'
import type { SessionMachine } from '../src/session.ts'
import { type Protocol, PROTOCOLS } from './protocols.ts'

/** One end of a stream in memory, whose writer falls silent after so many frames: the rest never leaves. */
class SilentEnd {
  readonly inbox: Uint8Array[] = []
  readonly #decoder = createFrameDecoder()
  #wake: (() => void) | undefined
  #reset = false
  #left: number
  #ended = false
  other: SilentEnd | undefined

  constructor(frames: number) {
    this.#left = frames
  }
  stream(): BiStream {
    return {
      read: async () => {
        while (this.inbox.length === 0 && !this.#reset && !this.#ended) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
        }
        if (this.#reset) throw new StreamLost('reset')
        return this.inbox.shift()
      },
      // A frame is one write.
      write: async (bytes) => {
        if (this.#reset) throw new StreamLost('reset')
        this.#decoder.push(bytes)
        if (this.#left === 0) return
        this.#left -= 1
        this.other?.take(bytes)
      },
      finish: async () => {
        if (this.#left > 0) this.other?.end()
      },
      reset: () => {
        this.lose()
        if (this.#left > 0) this.other?.lose()
      },
    }
  }
  take(bytes: Uint8Array): void {
    this.inbox.push(bytes)
    this.#wake?.()
  }
  end(): void {
    this.#ended = true
    this.#wake?.()
  }
  lose(): void {
    this.#reset = true
    this.#wake?.()
  }
}

type Ended = { readonly outcome: unknown } | { readonly error: unknown }

/** A session of which one side falls silent after so many frames; how both ended, and when the last of them did. */
async function silence({ session, joinHandler }: Protocol, silent: 'a' | 'b', frames: number) {
  const scheduler = createManualScheduler()
  const { clock } = scheduler
  const ends = {
    a: new SilentEnd(silent === 'a' ? frames : Number.POSITIVE_INFINITY),
    b: new SilentEnd(silent === 'b' ? frames : Number.POSITIVE_INFINITY),
  }
  ends.a.other = ends.b
  ends.b.other = ends.a
  const machines = session()
  const { signal } = createAbortController()
  const ended = { a: false, b: false }
  const run = async (side: 'a' | 'b', machine: SessionMachine<unknown>, handler: JoinHandler): Promise<Ended> => {
    const perform = { joinHandler: handler, onIngested: () => undefined, onAdvance: async () => undefined }
    try {
      const outcome = await runSession({
        stream: ends[side].stream(),
        machine,
        perform: (call) => performCall(call, { nextTurn: async () => undefined, ...perform }),
        signal,
        scheduler,
        limits: DEFAULT_LIMITS,
      })
      return { outcome }
    } catch (error) {
      return { error }
    } finally {
      ended[side] = true
    }
  }
  const startedMs = clock.monotonicMs()
  const both = Promise.all([run('a', machines.a, joinHandler), run('b', machines.b, joinHandler)])
  await scheduler.advanceAsync(0)
  while (!ended.a || !ended.b) await scheduler.advanceAsync(scheduler.nextDelayMs() ?? 0)
  const [a, b] = await both
  return { a, b, tookMs: clock.monotonicMs() - startedMs }
}

// Gossip lasts as long as its connection: silence is nothing unusual there. By maps and then by ranges has the steps of both.
const PASSED_OVER = new Set(['gossip', 'reconcile by maps', 'reconcile by ranges'])
describe.each(Object.entries(PROTOCOLS).filter(([name]) => !PASSED_OVER.has(name)))('%s', (_, make) => {
  test.each(['a', 'b'] as const)(
    '%s silent at any step ends both sides within a step and what it takes to leave',
    async (side) => {
      const whole = await silence(await make(), side, Number.POSITIVE_INFINITY)
      expect([whole.a, whole.b].every((end) => 'outcome' in end)).toBe(true)
      let slow = 0
      for (let frames = 0, over = false; !over; frames += 1) {
        const protocol = await make()
        const before = protocol.held()
        const { a, b, tookMs } = await silence(protocol, side, frames)
        const other = side === 'a' ? b : a
        over = 'outcome' in other
        if ('error' in other) {
          expect(other.error).toBeInstanceOf(PeerTooSlow)
          slow += 1
        }
        expect(tookMs).toBeLessThanOrEqual(2 * DEFAULT_LIMITS.stepDeadlineMs + DEFAULT_LIMITS.lingerMs)
        expect(protocol.held()).toBeGreaterThanOrEqual(before)
        const next = await silence(protocol, side, Number.POSITIVE_INFINITY)
        expect([next.a, next.b].every((end) => 'outcome' in end)).toBe(true)
        expect(protocol.isDone()).toBe(true)
      }
      expect(slow).toBeGreaterThan(0)
    },
  )
})
