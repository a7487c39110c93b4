/**
 * Two connections with one peer, made in opposite directions at about the same time: which one stays.
 *
 * Mostly both sides dialled at once, and both agree to keep the one of the smaller key. But a peer that was killed and is
 * back looks the same: its old connection seems whole for half a minute, and it knows of the new one only. So the one that
 * would stay is asked for a sign of life first; without it the new one takes its place.
 *
 * @module
 */
import type { Scheduler } from '@lattice/model'
import { net } from '@lattice/proto'
import { createDeadline } from './deadline.ts'
import { createDigestInitiator, type DigestOptions } from './digest-exchange.ts'
import type { PeerLink } from './peer-link.ts'
import type { SessionAnswer, SessionCall } from './session-call.ts'

export interface SignOfLifeOptions {
  readonly scheduler: Scheduler
  readonly deadlineMs: number
  /** What the question shows the peer: of no store, since only the answer counts. */
  readonly digests: Pick<DigestOptions, 'crypto' | 'addresses'>
  readonly nonce: Uint8Array
  readonly perform: (call: SessionCall) => Promise<SessionAnswer>
}

/** True when the peer answers over this connection in time; a refusal is an answer too. Never rejects. */
export async function showsLife(link: PeerLink, options: SignOfLifeOptions): Promise<boolean> {
  const { scheduler, deadlineMs: afterMs, digests, nonce, perform } = options
  const deadline = createDeadline({ parents: [link.signal], scheduler, afterMs, waitingFor: 'a sign of life' })
  const { signal } = deadline
  try {
    const machine = createDigestInitiator({ ...digests, stores: () => [], nonce })
    await link.run({ protocol: net.Protocol.DIGEST, machine, perform, signal })
    return true
  } catch {
    return !signal.aborted
  } finally {
    deadline.release()
  }
}
