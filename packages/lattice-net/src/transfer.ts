/**
 * Streams intentions both ways at once, each direction at the pace of its receiver.
 *
 * The sender keeps within the receiver's credit, in number and in bytes, and reads the log only once what it read before
 * is on its way, so it holds one read whatever the difference. The receiver ingests each frame as it comes and gives
 * credit after that, so what it was credited for is durable there, and what it holds is within its own window. An
 * exchange is complete when everything sent is credited and everything announced is ingested, in both directions;
 * nothing is counted in messages.
 *
 * @module
 */
import type { IngestOutcome } from '@lattice/model'
import type { net } from '@lattice/proto'
import type { SendSource } from './send-source.ts'
import type { SessionAnswer, SessionStore } from './session-call.ts'
import type { Effects } from './session.ts'
import { createReceiver, type ReceivedCounts } from './transfer-receiver.ts'
import { createSender } from './transfer-sender.ts'

/** What a transfer did. */
export interface TransferCounts extends ReceivedCounts {
  readonly sent: number
}

export interface TransferStart {
  readonly source: SendSource
  /** Intentions that the source may come to; it is left off after. */
  readonly sendMax: number
  /** Intentions the peer may send. */
  readonly receiveMax: number
}

export interface Transfer {
  /** Everything this side sends is known: from here on it streams. Again once complete: what was counted stays. */
  readonly begin: (start: TransferStart) => Effects<never>
  readonly intentions: (frame: net.Intentions) => Effects<never>
  readonly credit: (frame: net.Ingested) => Effects<never>
  readonly loaded: (answer: SessionAnswer) => Effects<never>
  readonly ingested: (outcomes: readonly IngestOutcome[]) => Effects<never>
  /** All sent and credited, all received and ingested. */
  readonly complete: () => boolean
  /** As much came as a session takes: the peer may have more, and was right to stop. */
  readonly full: () => boolean
  readonly counts: () => TransferCounts
}

/** Starts a transfer in which nothing is known to be sent yet. */
export function createTransfer(store: SessionStore): Transfer {
  const sender = createSender()
  const receiver = createReceiver(store)
  return {
    begin: ({ source, sendMax, receiveMax }) => {
      receiver.begin(receiveMax)
      return sender.begin(source, sendMax)
    },
    intentions: receiver.intentions,
    credit: sender.credit,
    loaded: sender.loaded,
    ingested: receiver.ingested,
    complete: () => sender.complete() && receiver.complete(),
    full: receiver.full,
    counts: () => ({ sent: sender.sent(), ...receiver.counts() }),
  }
}
