/**
 * The sending half of a transfer.
 *
 * @module
 */
import { assert, type SignedIntention } from '@lattice/model'
import type { net } from '@lattice/proto'
import { type FrameInit, signedBytes, toWire } from './frame.ts'
import { CREDIT_WINDOW, CREDIT_WINDOW_BYTES, INTENTIONS_FRAME_BYTES, MAX_SESSION_BYTES } from './limits.ts'
import type { SendSource } from './send-source.ts'
import type { SessionAnswer } from './session-call.ts'
import { type Effect, type Effects, send, violation } from './session.ts'

/** So many intentions, and bytes of them and their signatures. */
interface Amount {
  readonly count: number
  readonly bytes: number
}

export interface TransferSender {
  readonly begin: (source: SendSource, sendMax: number) => Effects<never>
  readonly loaded: (answer: SessionAnswer) => Effects<never>
  readonly credit: (frame: net.Ingested) => Effects<never>
  readonly complete: () => boolean
  readonly sent: () => number
}

export function createSender(): TransferSender {
  let source: SendSource | undefined
  let held: readonly SignedIntention[] = []
  let reading = false
  let exhausted = false
  let lastSent = false
  let sent = 0
  let sentBytes = 0
  let sentMax = 0
  let outstanding = 0
  let outstandingBytes = 0

  function refill(): Effects<never> {
    if (source === undefined || reading || exhausted || held.length > 0) return []
    // Between two reads every run is closed.
    const call = sent >= sentMax || sentBytes >= MAX_SESSION_BYTES ? undefined : source.next()
    if (call === undefined) {
      exhausted = true
      return []
    }
    reading = true
    return [{ kind: 'pull', call }]
  }

  function pump(): Effects<never> {
    const effects: Effect<never>[] = []
    for (;;) {
      const room = { count: CREDIT_WINDOW - outstanding, bytes: CREDIT_WINDOW_BYTES - outstandingBytes }
      const frame = frameful(held, room)
      if (frame.count === 0) break
      const batch = held.slice(0, frame.count)
      held = held.slice(frame.count)
      sent += frame.count
      sentBytes += frame.bytes
      outstanding += frame.count
      outstandingBytes += frame.bytes
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
    begin: (from, sendMax) => {
      assert(source === undefined || (lastSent && outstanding === 0), 'a transfer begins once the one before is over')
      source = from
      sentMax = sent + sendMax
      exhausted = false
      lastSent = false
      return pump()
    },
    loaded: (answer) => {
      assert(reading && source !== undefined, 'a read was asked for')
      reading = false
      held = source.take(answer)
      return pump()
    },
    credit: ({ count, bytes: claimed }) => {
      const bytes = Number(claimed)
      if (count < 1 || count > outstanding || bytes > outstandingBytes) return [violation('credit_not_owed')]
      outstanding -= count
      outstandingBytes -= bytes
      // Credit for the last of what was sent is credit for its bytes too.
      if ((outstanding === 0) !== (outstandingBytes === 0)) return [violation('credit_not_owed')]
      return pump()
    },
    complete: () => lastSent && outstanding === 0,
    sent: () => sent,
  }
}

/** The first of `intentions` that go into one frame: about a frame's payload (one of any size), and within the credit. */
function frameful(intentions: readonly SignedIntention[], room: Amount): Amount {
  let [count, bytes] = [0, 0]
  for (const signed of intentions) {
    const size = signedBytes(signed)
    const isFull = count === room.count || bytes + size > room.bytes
    if (isFull || (count > 0 && bytes + size > INTENTIONS_FRAME_BYTES)) break
    count += 1
    bytes += size
  }
  return { count, bytes }
}

function intentionsFrame(batch: readonly SignedIntention[], last: boolean): FrameInit {
  return { case: 'intentions', value: { intentions: toWire(batch), last } }
}
