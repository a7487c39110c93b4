/**
 * Streams intentions both ways at once, each direction at the pace of its receiver.
 *
 * The sender keeps within the receiver's credit and reads the log only once what it read before is on its way, so it
 * holds one batch whatever the difference. The receiver ingests each frame as it comes and gives credit after that, so
 * what it was credited for is durable there. The exchange is complete when everything sent is credited and everything
 * announced is ingested, in both directions; nothing is counted in messages.
 *
 * @module
 */
import {
  assert,
  type IdKey,
  idKey,
  idKeyBytes,
  type IngestOutcome,
  type IntentionId,
  MAX_SIGNED_INTENTION_BYTES,
  type SignedIntention,
  toIntentionId,
} from '@lattice/model'
import type { IntentionsRead } from '@lattice/net-types'
import type { net } from '@lattice/proto'
import { type FrameInit, fromWire, toWire } from './frame.ts'
import { CREDIT_WINDOW, INTENTIONS_FRAME_BYTES, MAX_INVALID_PER_SESSION } from './limits.ts'
import type { SendOrder } from './send-order.ts'
import type { SessionStore } from './session-call.ts'
import { type Effect, type Effects, send, violation } from './session.ts'

/** What a transfer did. */
export interface TransferCounts {
  readonly sent: number
  readonly received: number
  /** Of those received, how many are witnessed now and were not before. */
  readonly witnessed: number
  readonly floating: number
  readonly invalid: number
}

export interface Transfer {
  /** Everything this side sends is known: from here on it streams. */
  readonly begin: (order: SendOrder) => Effects<never>
  readonly intentions: (frame: net.Intentions) => Effects<never>
  readonly credit: (frame: net.Ingested) => Effects<never>
  readonly loaded: (read: IntentionsRead) => Effects<never>
  readonly ingested: (outcomes: readonly IngestOutcome[]) => Effects<never>
  /** All sent and credited, all received and ingested. */
  readonly complete: () => boolean
  readonly counts: () => TransferCounts
}

export interface TransferOptions {
  readonly store: SessionStore
  /** Intentions the peer may send in all. */
  readonly receiveMax: number
}

/** Starts a transfer in which nothing is known to be sent yet. */
export function createTransfer({ store, receiveMax }: TransferOptions): Transfer {
  const sender = createSender(store)
  const receiver = createReceiver(store, receiveMax)
  return {
    begin: sender.begin,
    intentions: receiver.intentions,
    credit: sender.credit,
    loaded: sender.loaded,
    ingested: receiver.ingested,
    complete: () => sender.complete() && receiver.complete(),
    counts: () => ({ sent: sender.sent(), ...receiver.counts() }),
  }
}

interface Sender extends Pick<Transfer, 'begin' | 'credit' | 'loaded' | 'complete'> {
  readonly sent: () => number
}

function createSender(store: SessionStore): Sender {
  let order: SendOrder | undefined
  // Ids of the current slice that did not fit the last read.
  let rest: readonly IntentionId[] = []
  let held: readonly SignedIntention[] = []
  let pulling = false
  let exhausted = false
  let lastSent = false
  let sent = 0
  let outstanding = 0

  function refill(): Effects<never> {
    if (order === undefined || pulling || exhausted || held.length > 0) return []
    if (rest.length === 0) rest = order.next()
    if (rest.length === 0) {
      exhausted = true
      return []
    }
    pulling = true
    return [{ kind: 'pull', call: { kind: 'read', store, ids: rest, maxBytes: INTENTIONS_FRAME_BYTES } }]
  }

  function pump(): Effects<never> {
    const effects: Effect<never>[] = []
    while (held.length > 0 && outstanding < CREDIT_WINDOW) {
      const batch = frameful(held, CREDIT_WINDOW - outstanding)
      held = held.slice(batch.length)
      sent += batch.length
      outstanding += batch.length
      effects.push(send(intentionsFrame(batch, false)))
    }
    effects.push(...refill())
    if (exhausted && held.length === 0 && !lastSent) {
      lastSent = true
      effects.push(send(intentionsFrame([], true)))
    }
    return effects
  }

  return {
    begin: (sendOrder) => {
      assert(order === undefined, 'a transfer begins once')
      order = sendOrder
      return pump()
    },
    loaded: (read) => {
      assert(pulling, 'a read was asked for')
      assert(read.intentions.length > 0 || read.rest.length === 0, 'a read that leaves something makes progress')
      assert(read.rest.length < rest.length || rest.length === 0, 'a read leaves less than it was asked')
      pulling = false
      held = read.intentions
      rest = read.rest
      return pump()
    },
    credit: ({ count }) => {
      if (count < 1 || count > outstanding) return [violation('credit_not_owed')]
      outstanding -= count
      return pump()
    },
    complete: () => lastSent && outstanding === 0,
    sent: () => sent,
  }
}

interface Receiver extends Pick<Transfer, 'intentions' | 'ingested' | 'complete'> {
  readonly counts: () => Omit<TransferCounts, 'sent'>
}

function createReceiver(store: SessionStore, receiveMax: number): Receiver {
  const floated = new Set<IdKey>()
  // Sizes of the batches handed over and not answered yet, oldest first.
  const open: number[] = []
  let uncredited = 0
  let received = 0
  let witnessed = 0
  let invalid = 0
  let lastReceived = false

  return {
    intentions: (frame) => {
      const count = frame.intentions.length
      if (lastReceived) return [violation('intentions_after_last')]
      if (count === 0 && !frame.last) return [violation('intentions_empty')]
      if (uncredited + count > CREDIT_WINDOW) return [violation('credit_exceeded')]
      if (received + count > receiveMax) return [violation('more_intentions_than_announced')]
      if (frame.intentions.some((signed) => signed.intention.length > MAX_SIGNED_INTENTION_BYTES)) {
        return [violation('intention_too_large')]
      }
      lastReceived = frame.last
      if (count === 0) return []
      received += count
      uncredited += count
      open.push(count)
      return [{ kind: 'call', call: { kind: 'ingest', store, intentions: fromWire(frame.intentions) } }]
    },
    ingested: (outcomes) => {
      const count = open.shift()
      assert(count !== undefined && outcomes.length === count, 'an ingest answers for each intention')
      uncredited -= count
      for (const outcome of outcomes) {
        if (outcome.kind === 'witnessed') witnessed += 1
        else if (outcome.kind === 'floating') floated.add(idKey(outcome.id))
        else if (outcome.kind === 'invalid') invalid += 1
      }
      if (invalid > MAX_INVALID_PER_SESSION) return [violation('too_many_invalid_intentions')]
      return [send({ case: 'ingested', value: { count } })]
    },
    complete: () => lastReceived && open.length === 0,
    counts: () => {
      const still = store.missing([...floated].map((key) => toIntentionId(idKeyBytes(key)))).length
      return { received, witnessed: witnessed + floated.size - still, floating: still, invalid }
    },
  }
}

/** The first of `intentions` that go into one frame: at least one, at most `countMax`, at most about a frame's payload. */
function frameful(intentions: readonly SignedIntention[], countMax: number): readonly SignedIntention[] {
  let bytes = 0
  let count = 0
  for (const { bytes: intention, signature } of intentions) {
    bytes += intention.length + signature.length
    if (count > 0 && (count === countMax || bytes > INTENTIONS_FRAME_BYTES)) break
    count += 1
  }
  return intentions.slice(0, count)
}

function intentionsFrame(batch: readonly SignedIntention[], last: boolean): FrameInit {
  return { case: 'intentions', value: { intentions: toWire(batch), last } }
}
