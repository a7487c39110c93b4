/**
 * Fetches an announced run from the peer that announced it, in one exchange.
 *
 * Only what was announced is taken: so many intentions and bytes at most, and only if the run ends with what was named.
 *
 * @module
 */
import {
  type Crypto,
  equalBytes,
  type IntentionId,
  intentionId,
  type SignedIntention,
  type StoreId,
} from '@lattice/model'
import type { net } from '@lattice/proto'
import { fromWire } from '../frame.ts'
import { type Effects, finish, send, type SessionMachine, unexpected, violation } from '../session.ts'
import { type GossipPayload, runBytes } from './tree-frames.ts'

export interface FetchRunOptions {
  readonly crypto: Crypto
  readonly storeId: StoreId
  /** Of the closing intention. */
  readonly id: IntentionId
  readonly announced: Extract<GossipPayload, { readonly kind: 'announced' }>
}

/** Finishes with the run, oldest first; with nothing when the peer has it no more. */
export function createRunFetcher(options: FetchRunOptions): SessionMachine<readonly SignedIntention[]> {
  const { crypto, storeId, id, announced } = options
  const fetched: SignedIntention[] = []

  function take(frame: net.Intentions): Effects<readonly SignedIntention[]> {
    if (frame.intentions.length === 0 && !frame.last) return [violation('fetched_nothing')]
    fetched.push(...fromWire(frame.intentions))
    const isTooMuch = fetched.length > announced.intentions || runBytes(fetched) > announced.bytes
    if (isTooMuch) return [violation('fetched_more_than_announced')]
    if (!frame.last) return []
    const closer = fetched.at(-1)
    const isMeant = closer === undefined || equalBytes(intentionId(crypto, closer.bytes), id)
    return [isMeant ? finish(fetched) : violation('fetched_another_run')]
  }
  return {
    start: () => [send({ case: 'fetchChain', value: { storeId, target: id, limit: announced.intentions } })],
    receive: (frame) => (frame.case === 'intentions' ? take(frame.value) : [unexpected(frame)]),
    answered: () => [],
  }
}
