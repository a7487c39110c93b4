/**
 * Calls to the worker that wait for their answer.
 *
 * Once closed, every call is refused at once, so nobody waits for an answer that cannot come.
 *
 * @module
 */
import { assert } from '@lattice/model'
import { StreamLost } from '@lattice/net-types'
import type { Answer, Answers, Operation } from './worker-protocol.ts'

export interface CallTable {
  /** Rejects with {@link StreamLost} when the call is refused. `post` is given the call's number. */
  readonly start: <O extends Operation>(operation: O, post: (call: number) => void) => Promise<Answers[O['op']]>
  readonly answer: (call: number, value: Answer) => void
  readonly refuse: (call: number, why: string) => void
  readonly close: (why: string) => void
}

interface Waiting {
  readonly resolve: (value: never) => void
  readonly reject: (error: StreamLost) => void
}

export function createCallTable(): CallTable {
  // Bounded by the callers: each entry is a call that somebody awaits.
  const waiting = new Map<number, Waiting>()
  let callCount = 0
  let closedBy: string | undefined

  const take = (call: number): Waiting => {
    const found = waiting.get(call)
    assert(found !== undefined, 'an answer belongs to a call')
    waiting.delete(call)
    return found
  }

  return {
    start: async (_operation, post) => {
      if (closedBy !== undefined) throw new StreamLost(closedBy)
      const call = callCount
      callCount += 1
      return new Promise((resolve, reject) => {
        waiting.set(call, { resolve, reject })
        post(call)
      })
    },
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The protocol ties each answer to its call.
    answer: (call, value) => take(call).resolve(value as never),
    refuse: (call, why) => take(call).reject(new StreamLost(why)),
    close: (why) => {
      closedBy = why
      for (const { reject } of waiting.values()) reject(new StreamLost(why))
      waiting.clear()
    },
  }
}
