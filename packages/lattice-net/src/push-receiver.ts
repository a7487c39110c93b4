/**
 * The receiving side of a push stream: ingests what comes, in order, and says what became of it.
 *
 * A push for a store that is not here, or not shared with the sender, is answered by a refusal in its place and the
 * stream goes on: the sender cannot know.
 *
 * @module
 */
import { assert, type IngestOutcome, MAX_SIGNED_INTENTION_BYTES } from '@lattice/model'
import { net } from '@lattice/proto'
import { type FrameInit, fromWire } from './frame.ts'
import { PUSH_WINDOW } from './limits.ts'
import { readOptionalClaim } from './reconcile.ts'
import type { SessionStore } from './session-call.ts'
import {
  type Effect,
  type Effects,
  finish,
  refusedFrame,
  send,
  type SessionMachine,
  unexpected,
  violation,
} from './session.ts'

export interface PushReceiverOptions {
  /** The store as the sender may use it; undefined for any other. */
  readonly resolve: (storeId: Uint8Array) => SessionStore | undefined
}

/** Waits for pushes until the peer ends its side. */
export function createPushReceiver({ resolve }: PushReceiverOptions): SessionMachine<void> {
  // What is to be answered, in the order of arrival: an ingest under way, or a refusal that waits for those before it.
  const answers: (OwedResult | undefined)[] = []

  function push(frame: net.Push): Effects<void> {
    const claim = readOptionalClaim(frame)
    if (claim === 'malformed') return [violation('push_malformed')]
    if (frame.intentions.length === 0) return [violation('push_empty')]
    // An honest sender waits for answers; those owed are kept here.
    if (answers.length >= PUSH_WINDOW) return [violation('push_window_exceeded')]
    if (frame.intentions.some((signed) => signed.intention.length > MAX_SIGNED_INTENTION_BYTES)) {
      return [violation('intention_too_large')]
    }
    const store = resolve(frame.storeId)
    if (store === undefined || !store.allowed()) {
      answers.push(undefined)
      return refusals()
    }
    answers.push({ store, withDigest: claim !== undefined })
    const intentions = fromWire(frame.intentions)
    return [{ kind: 'call', call: { kind: 'ingest', store, intentions, ...(claim === undefined ? {} : { claim }) } }]
  }
  /** The refusals that nothing older waits before. */
  function refusals(): Effects<void> {
    const effects: Effect<void>[] = []
    while (answers.length > 0 && answers[0] === undefined) {
      answers.shift()
      effects.push(send(refusedFrame(net.RefusalCode.NO_SUCH_STORE, 'no such store')))
    }
    return effects
  }

  return {
    start: () => [],
    receive: (frame) => (frame.case === 'push' ? push(frame.value) : [unexpected(frame)]),
    answered: (answer) => {
      assert(answer.kind === 'ingested', 'a push receiver ingests only')
      const owed = answers.shift()
      assert(owed !== undefined, 'an ingest answers a push')
      return [send(resultFrame(owed, answer.outcomes)), ...refusals()]
    },
    ended: () => [finish(undefined)],
    idle: () => true,
    lasting: () => true,
  }
}

/** A push that is being ingested. */
interface OwedResult {
  readonly store: SessionStore
  /** The push ended a batch and said what the sender holds; its answer says what is held here. */
  readonly withDigest: boolean
}

function resultFrame({ store, withDigest }: OwedResult, outcomes: readonly IngestOutcome[]): FrameInit {
  const count = (kind: IngestOutcome['kind']): number => outcomes.filter((outcome) => outcome.kind === kind).length
  const counts = { witnessed: count('witnessed'), floating: count('floating'), invalid: count('invalid') }
  // What the batch brought may have ended the sender's part in the store.
  const digest = withDigest && store.allowed() ? store.digest() : undefined
  const claim =
    digest === undefined ? {} : { witnessCount: BigInt(digest.witnessCount), fingerprint: digest.fingerprint }
  return { case: 'pushResult', value: { storeId: store.id, ...counts, ...claim } }
}
