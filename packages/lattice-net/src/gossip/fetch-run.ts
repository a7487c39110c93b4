/**
 * Fetches an announced run from the peer that announced it, in one exchange.
 *
 * Only what was announced is taken: so many intentions at most, so many bytes, and of those ids.
 *
 * @module
 */
import { type Crypto, type IdKey, idKey, type IntentionId, intentionId, type SignedIntention } from '@lattice/model'
import type { net } from '@lattice/proto'
import { fromWire } from '../frame.ts'
import { type RunRef, sizeOf } from './gossip-run.ts'
import { type Effects, finish, send, type SessionMachine, unexpected, violation } from '../session.ts'

export interface FetchRunOptions {
  readonly crypto: Crypto
  readonly run: RunRef
  /** Those of its intentions that are lacking here; at least one. */
  readonly wanted: readonly IntentionId[]
}

/** Finishes with those of the wanted intentions that the peer has, in its order. */
export function createRunFetcher({ crypto, run, wanted }: FetchRunOptions): SessionMachine<readonly SignedIntention[]> {
  const outstanding = new Set<IdKey>(wanted.map(idKey))
  const fetched: SignedIntention[] = []
  let bytes = 0

  function take(frame: net.Intentions): Effects<readonly SignedIntention[]> {
    if (frame.intentions.length === 0 && !frame.last) return [violation('fetched_nothing')]
    const intentions = fromWire(frame.intentions)
    bytes += sizeOf(intentions)
    if (bytes > run.bytes) return [violation('fetched_more_than_announced')]
    for (const signed of intentions) {
      if (!outstanding.delete(idKey(intentionId(crypto, signed.bytes)))) return [violation('fetched_unasked')]
      fetched.push(signed)
    }
    return frame.last ? [finish(fetched)] : []
  }
  return {
    start: () => [send({ case: 'fetchIntentions', value: { storeId: run.storeId, ids: [...wanted] } })],
    receive: (frame) => (frame.case === 'intentions' ? take(frame.value) : [unexpected(frame)]),
    answered: () => [],
  }
}
