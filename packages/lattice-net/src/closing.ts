/**
 * The last part of a reconcile session, the same on both sides: transfer, then `Done` both ways.
 *
 * After an exchange by tip maps it may come twice: the side that answered says `Done` first, and the other, which alone
 * has seen both maps when it began to send, says so too or goes on to find the difference by ranges.
 *
 * @module
 */
import { MAX_RUN_LENGTH } from '@lattice/model'
import type { ChainSpan } from '@lattice/net-types'
import type { net } from '@lattice/proto'
import type { Frame } from './frame.ts'
import { MAX_DIFFERENCE_IDS, MAX_SPAN_INTENTIONS } from './limits.ts'
import { doneFrame, readClaim, type ReconcileOutcome, sameSet } from './reconcile.ts'
import type { SendOrder } from './send-order.ts'
import { idsSource, spansSource } from './send-source.ts'
import { type BasedStore, isStillOver } from './session-base.ts'
import type { ClaimedDigest, SessionAnswer } from './session-call.ts'
import { baseMoved, type Effect, type Effects, finish, send, unexpected, violation } from './session.ts'
import { createTransfer } from './transfer.ts'

export interface SpansStart {
  readonly spans: readonly ChainSpan[]
  /** What the peer may send. */
  readonly needMax: number
  /**
   * Makes this the side that says `Done` last: asked then whether there is something else to say. `full`: the peer sent
   * as much as a session takes.
   */
  readonly instead?: (end: { readonly theirs: ClaimedDigest; readonly full: boolean }) => Effects<ReconcileOutcome>
}

export interface Closing {
  /** What this side sends is known by id. `peerCount` is what the peer says it holds: it can send no more than that. */
  readonly beginIds: (order: SendOrder, peerCount: number) => Effects<ReconcileOutcome>
  /** What both sides send is known by tip maps. */
  readonly beginSpans: (start: SpansStart) => Effects<ReconcileOutcome>
  readonly receive: (frame: Frame) => Effects<ReconcileOutcome>
  readonly answered: (answer: SessionAnswer) => Effects<ReconcileOutcome>
  /** This side has said `Done`. */
  readonly said: () => boolean
}

export function createClosing(based: BasedStore): Closing {
  const { store, base } = based
  const transfer = createTransfer(store)
  let instead: SpansStart['instead']
  let ours: ClaimedDigest | undefined
  let theirs: ClaimedDigest | undefined

  /** Says `Done` once all is exchanged, and finishes once the peer said so too. */
  function advance(): Effects<ReconcileOutcome> {
    if (!transfer.complete()) return []
    const effects: Effect<ReconcileOutcome>[] = []
    if (ours === undefined) {
      if (instead !== undefined && theirs === undefined) return []
      if (instead !== undefined && theirs !== undefined) {
        const other = instead({ theirs, full: transfer.full() })
        if (other.length > 0) return other
      }
      ours = store.digest()
      effects.push(send(doneFrame(ours)))
    }
    if (theirs !== undefined) {
      effects.push(finish({ storeId: store.id, ...transfer.counts(), synced: sameSet(ours, theirs), theirs }))
    }
    return effects
  }
  function done(frame: net.Done): Effects<ReconcileOutcome> {
    // What the peer knows to be complete is complete here: its credit for us and ours for it came before.
    if (!transfer.complete()) return [violation('done_too_early')]
    const claim = readClaim(frame)
    if (claim === undefined) return [violation('done_malformed')]
    theirs = { ...claim, base: base?.epoch }
    return advance()
  }
  function restart(then: SpansStart['instead']): void {
    instead = then
    ours = undefined
    theirs = undefined
  }
  return {
    beginIds: (order, peerCount) => {
      restart(undefined)
      // With each slice come the closers of the runs it cuts, which the next slice has again: at most twice the difference.
      const receiveMax = 2 * Math.min(peerCount, MAX_DIFFERENCE_IDS) + MAX_RUN_LENGTH
      const sendMax = 2 * MAX_DIFFERENCE_IDS
      return [...transfer.begin({ source: idsSource(store, order), sendMax, receiveMax }), ...advance()]
    },
    beginSpans: ({ spans, needMax, instead: then }) => {
      restart(then)
      const source = spansSource(store, spans)
      // A sender looks at its bound between two reads.
      const receiveMax = Math.min(needMax, 2 * MAX_SPAN_INTENTIONS)
      return [...transfer.begin({ source, sendMax: MAX_SPAN_INTENTIONS, receiveMax }), ...advance()]
    },
    receive: (frame) => {
      switch (frame.case) {
        case 'intentions':
          return [...transfer.intentions(frame.value), ...advance()]
        case 'ingested':
          return [...transfer.credit(frame.value), ...advance()]
        case 'done':
          return done(frame.value)
        default:
          return [unexpected(frame)]
      }
    },
    answered: (answer) => {
      // With what was taken in, this side may have something beside the base that keeps it from working over it.
      if (!isStillOver(based)) return [baseMoved()]
      if (answer.kind === 'ingested') return [...transfer.ingested(answer.outcomes), ...advance()]
      return [...transfer.loaded(answer), ...advance()]
    },
    said: () => ours !== undefined,
  }
}
