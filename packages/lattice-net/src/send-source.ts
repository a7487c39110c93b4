/**
 * Where a transfer takes what it sends: from the log, one read after the other, causes first.
 *
 * @module
 */
import { assert, type IntentionId, type SignedIntention } from '@lattice/model'
import type { ChainSpan } from '@lattice/net-types'
import { INTENTIONS_FRAME_BYTES } from './limits.ts'
import type { SendOrder } from './send-order.ts'
import type { SessionAnswer, SessionCall, SessionStore } from './session-call.ts'

export interface SendSource {
  /** The next read; undefined at the end. Not called again before its answer is taken. */
  readonly next: () => SessionCall | undefined
  /** What the read brought: closed runs, so that a transfer may end after any of them. */
  readonly take: (answer: SessionAnswer) => readonly SignedIntention[]
}

/** What ids name, slice by slice. */
export function idsSource(store: SessionStore, order: SendOrder): SendSource {
  // Ids of the current slice that did not fit the last read.
  let rest: readonly IntentionId[] = []
  return {
    next: () => {
      const slice = rest.length === 0 ? order.next() : rest
      if (slice === undefined) return { kind: 'next_turn' }
      rest = slice
      if (rest.length === 0) return undefined
      return { kind: 'read', store, ids: rest, maxBytes: INTENTIONS_FRAME_BYTES }
    },
    take: (answer) => {
      if (answer.kind === 'turned') return []
      assert(answer.kind === 'loaded', 'a read was asked for')
      const { read } = answer
      assert(read.intentions.length > 0 || read.rest.length === 0, 'a read that leaves something makes progress')
      assert(read.rest.length < rest.length, 'a read leaves less than it was asked')
      rest = read.rest
      return read.intentions
    },
  }
}

/** Spans of chains, in the order of the log. */
export function spansSource(store: SessionStore, spans: readonly ChainSpan[]): SendSource {
  let rest = spans
  return {
    next: () =>
      rest.length === 0 ? undefined : { kind: 'read_spans', store, spans: rest, maxBytes: INTENTIONS_FRAME_BYTES },
    take: (answer) => {
      assert(answer.kind === 'spans', 'spans were asked for')
      const { read } = answer
      assert(read.intentions.length > 0 || read.rest.length === 0, 'a read that leaves something makes progress')
      rest = read.rest
      return read.intentions
    },
  }
}
