/**
 * One dial of a peer, with what discovery finds while it goes on.
 *
 * It starts with what is known. New addresses make it begin anew with all of them, a bounded number of times, so that
 * addresses that lead nowhere cost no more than the time until the peer is found. A dial that has failed is given that
 * time too.
 *
 * @module
 */
import { type AbortSignal, createAbortController, type PublicKey, type Scheduler } from '@lattice/model'
import type { Connection, Transport } from '@lattice/net-types'
import { createDeadline, orAborted, pause } from './deadline.ts'
import { FIND_WITHIN_MS, MAX_DIAL_RESTARTS } from './limits.ts'
import { mergeAddresses } from './merge-addresses.ts'
import type { PeerFinder } from './peer-finder.ts'

export interface DialPeerDeps {
  readonly transport: Transport
  readonly finder: PeerFinder
  readonly scheduler: Scheduler
  readonly nowMs: () => number
  /** The deadline of it all. */
  readonly signal: AbortSignal
  /** Closes a connection that nobody waits for any more. */
  readonly closeLate: (connection: Connection) => void
}

/** Rejects with what the transport rejected with last, or `signal.reason`. */
export async function dialPeer(peer: PublicKey, addresses: readonly string[], deps: DialPeerDeps): Promise<Connection> {
  const { finder, signal } = deps
  const findByMs = deps.nowMs() + FIND_WITHIN_MS
  let onNews: () => void = () => undefined
  const endSearch = finder.seek(peer, () => onNews())
  const tried = new Set<string>()
  try {
    for (let restarts = MAX_DIAL_RESTARTS; ; restarts -= 1) {
      const targets = mergeAddresses(addresses, finder.addresses(peer))
      for (const address of targets) tried.add(address)
      const news = createAbortController()
      onNews = () => {
        if (restarts > 0 && finder.addresses(peer).some((address) => !tried.has(address))) news.abort(new FoundMore())
      }
      try {
        return await attempt(peer, { targets, news: news.signal }, deps)
      } catch (error) {
        signal.throwIfAborted()
        const leftMs = findByMs - deps.nowMs()
        if (!news.signal.aborted && finder.isActive && leftMs > 0)
          await pause(deps.scheduler, leftMs, [signal, news.signal])
        signal.throwIfAborted()
        if (!news.signal.aborted) throw error
      }
    }
  } finally {
    endSearch()
  }
}

/** Ends an attempt so that another begins with more addresses. Never leaves this file. */
class FoundMore extends Error {}

async function attempt(
  peer: PublicKey,
  { targets, news }: { readonly targets: readonly string[]; readonly news: AbortSignal },
  { transport, scheduler, signal: whole, closeLate }: DialPeerDeps,
): Promise<Connection> {
  const deadline = createDeadline({ parents: [whole, news], scheduler, waitingFor: 'a connection' })
  try {
    const { signal } = deadline
    return await orAborted(transport.connect(peer, { addresses: targets, signal }), signal, closeLate)
  } finally {
    deadline.release()
  }
}
