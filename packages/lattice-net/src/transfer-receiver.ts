/**
 * The receiving half of a transfer: what it holds of a peer's at any time is within the credit window.
 *
 * @module
 */
import {
  assert,
  type IdKey,
  idKey,
  idKeyBytes,
  type IngestOutcome,
  MAX_RUN_LENGTH,
  MAX_SIGNED_INTENTION_BYTES,
  toIntentionId,
} from '@lattice/model'
import type { net } from '@lattice/proto'
import { fromWire, signedBytes } from './frame.ts'
import {
  CREDIT_WINDOW,
  CREDIT_WINDOW_BYTES,
  INTENTIONS_FRAME_BYTES,
  MAX_DIFFERENCE_IDS,
  MAX_INVALID_PER_SESSION,
  MAX_SESSION_BYTES,
  MAX_SPAN_INTENTIONS,
} from './limits.ts'
import type { SessionStore } from './session-call.ts'
import { type Effects, send, violation } from './session.ts'

/** A sender looks at the bound between two reads; one read has a frame's payload and the run that this ends in. */
const RECEIVED_BYTES_MAX: number =
  MAX_SESSION_BYTES + INTENTIONS_FRAME_BYTES + MAX_RUN_LENGTH * MAX_SIGNED_INTENTION_BYTES

/** What came. */
export interface ReceivedCounts {
  readonly received: number
  /** Of those received, how many are witnessed now and were not before. */
  readonly witnessed: number
  readonly floating: number
  readonly invalid: number
}

export interface TransferReceiver {
  readonly begin: (receiveMax: number) => void
  readonly intentions: (frame: net.Intentions) => Effects<never>
  readonly ingested: (outcomes: readonly IngestOutcome[]) => Effects<never>
  readonly complete: () => boolean
  readonly full: () => boolean
  readonly counts: () => ReceivedCounts
}

export function createReceiver(store: SessionStore): TransferReceiver {
  const floated = new Set<IdKey>()
  // Batches handed over and not answered yet, oldest first.
  const open: { readonly count: number; readonly bytes: number }[] = []
  let uncredited = 0
  let uncreditedBytes = 0
  let received = 0
  let receivedBytes = 0
  let receivedMax = 0
  let witnessed = 0
  // Those that float beyond as many as are remembered.
  let floatedBeyond = 0
  let invalid = 0
  let lastReceived = false

  function take(frame: net.Intentions): Effects<never> {
    const intentions = fromWire(frame.intentions)
    const count = intentions.length
    if (lastReceived) return [violation('intentions_after_last')]
    if (count === 0 && !frame.last) return [violation('intentions_empty')]
    let bytes = 0
    for (const signed of intentions) {
      const size = signedBytes(signed)
      if (size > MAX_SIGNED_INTENTION_BYTES) return [violation('intention_too_large')]
      bytes += size
    }
    const exceeded = uncredited + count > CREDIT_WINDOW || uncreditedBytes + bytes > CREDIT_WINDOW_BYTES
    if (exceeded) return [violation('credit_exceeded')]
    if (received + count > receivedMax) return [violation('more_intentions_than_announced')]
    if (receivedBytes + bytes > RECEIVED_BYTES_MAX) return [violation('more_bytes_than_a_session_takes')]
    lastReceived = frame.last
    if (count === 0) return []
    received += count
    receivedBytes += bytes
    uncredited += count
    uncreditedBytes += bytes
    open.push({ count, bytes })
    return [{ kind: 'call', call: { kind: 'ingest', store, intentions } }]
  }

  return {
    begin: (receiveMax) => {
      assert(open.length === 0, 'a transfer begins once the one before is over')
      receivedMax = received + receiveMax
      lastReceived = false
    },
    intentions: take,
    ingested: (outcomes) => {
      const batch = open.shift()
      assert(batch !== undefined && outcomes.length === batch.count, 'an ingest answers for each intention')
      const { count, bytes } = batch
      uncredited -= count
      uncreditedBytes -= bytes
      for (const outcome of outcomes) {
        if (outcome.kind === 'witnessed') {
          // Perhaps one that floated when it came first.
          floated.delete(idKey(outcome.id))
          witnessed += 1
        } else if (outcome.kind === 'invalid') invalid += 1
        else if (outcome.kind === 'floating' && floated.size < MAX_DIFFERENCE_IDS) floated.add(idKey(outcome.id))
        else if (outcome.kind === 'floating') floatedBeyond += 1
      }
      if (invalid > MAX_INVALID_PER_SESSION) return [violation('too_many_invalid_intentions')]
      return [send({ case: 'ingested', value: { count, bytes: BigInt(bytes) } })]
    },
    complete: () => lastReceived && open.length === 0,
    full: () => receivedBytes >= MAX_SESSION_BYTES || received >= MAX_SPAN_INTENTIONS,
    counts: () => {
      const still = store.missing([...floated].map((key) => toIntentionId(idKeyBytes(key)))).length
      return { received, witnessed: witnessed + floated.size - still, floating: still + floatedBeyond, invalid }
    },
  }
}
