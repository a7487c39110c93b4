/**
 * Whether the other end of a connection is still there.
 *
 * A peer that was killed, whose machine sleeps or whose network changed leaves a connection that looks whole for as long as
 * the transport waits. So it is asked: a ping costs one small round trip, and any answer counts, a refusal too. It is asked
 * when two connections with one peer cross, when one has been silent for long, and when this machine woke or moved.
 *
 * Mostly connections cross because both sides dialled at once, and both agree to keep the one of the smaller key. But a peer
 * that was killed and is back looks the same: its old connection seems whole, and it knows of the new one only.
 *
 * @module
 */
import type { Scheduler } from '@lattice/model'
import { net } from '@lattice/proto'
import { createDeadline } from './deadline.ts'
import type { PeerLink } from './peer-link.ts'
import { createPing } from './ping.ts'
import type { SessionAnswer, SessionCall } from './session-call.ts'

export interface SignOfLifeOptions {
  readonly scheduler: Scheduler
  readonly deadlineMs: number
  readonly perform: (call: SessionCall) => Promise<SessionAnswer>
}

/** True when the peer answers over this connection in time. Never rejects. */
export async function showsLife(link: PeerLink, options: SignOfLifeOptions): Promise<boolean> {
  const { scheduler, deadlineMs: afterMs, perform } = options
  const deadline = createDeadline({ parents: [link.signal], scheduler, afterMs, waitingFor: 'a sign of life' })
  const { signal } = deadline
  const heardBeforeMs = link.heardMs()
  try {
    await link.run({ protocol: net.Protocol.PING, machine: createPing(), perform, signal })
    return true
  } catch {
    // Whatever came meanwhile came from somebody: a busy peer answers late.
    return !link.signal.aborted && (!signal.aborted || link.heardMs() > heardBeforeMs)
  } finally {
    deadline.release()
  }
}
