/**
 * Asks peers that say this node was removed from a store by what, and tells what they showed.
 *
 * One question at a time for each peer and store, and none once the store here says so itself: whatever is said then is no
 * news. Questions follow what peers say over their connections, and end with them.
 *
 * @module
 */
import {
  type AbortSignal,
  idKey,
  type IdKey,
  isLatticeError,
  type Logger,
  type PublicKey,
  type StoreId,
  toHex,
} from '@lattice/model'
import { net } from '@lattice/proto'
import { REVOCATION_KNOWN_MAX } from './limits.ts'
import type { NetworkEvent } from './network-event.ts'
import type { PeerLink } from './peer-link.ts'
import { createRevocationAsker } from './revocation.ts'
import type { SessionAnswer, SessionCall } from './session-call.ts'
import type { StoreRegistry } from './store-registry.ts'

export interface RevocationRunnerDeps {
  readonly self: PublicKey
  readonly logger: Logger
  readonly stores: Pick<StoreRegistry, 'get' | 'forAsking' | 'signal'>
  readonly link: (peer: PublicKey) => PeerLink | undefined
  readonly perform: (link: PeerLink, call: SessionCall) => Promise<SessionAnswer>
  readonly publish: (event: NetworkEvent) => void
}

/** Told that a peer says so, in whatever protocol. Never throws, never waits. */
export type RevocationRunner = (peer: PublicKey, storeId: StoreId) => void

export function createRevocationRunner(deps: RevocationRunnerDeps): RevocationRunner {
  /** By connection, so that what runs on one that ends holds up nothing on the next. */
  const running = new WeakMap<PeerLink, Set<IdKey>>()

  async function ask(link: PeerLink, storeId: StoreId, signal: AbortSignal): Promise<void> {
    const { peer } = link
    const store = deps.stores.get(storeId)
    const view = deps.stores.forAsking(peer, storeId)
    if (store === undefined || view === undefined) return
    try {
      const { epochs } = await link.run({
        protocol: net.Protocol.REVOCATION,
        machine: createRevocationAsker(view, store.tipIds(REVOCATION_KNOWN_MAX)),
        perform: (call) => deps.perform(link, call),
        signal,
      })
      if (epochs.length === 0) return
      deps.publish({ kind: 'revoked', storeId, peer, epochs, held: store.missing(epochs).length === 0 })
    } catch (error) {
      // Scored where it was run; the next connection tells again.
      if (!isLatticeError(error)) deps.logger.warn('asking for a revocation failed', { peer: toHex(peer), error })
    }
  }

  return (peer, storeId) => {
    const link = deps.link(peer)
    const store = deps.stores.get(storeId)
    if (link === undefined || store === undefined || store.access(deps.self) === 'revoked') return
    const key = idKey(storeId)
    const asked = running.get(link) ?? new Set<IdKey>()
    running.set(link, asked)
    if (asked.has(key)) return
    asked.add(key)
    link.spawn('revocation', async () => {
      try {
        await ask(link, storeId, deps.stores.signal(storeId))
      } finally {
        asked.delete(key)
      }
    })
  }
}
