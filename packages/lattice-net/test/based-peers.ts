/**
 * Peers of one store whose histories were cut at some of its epochs.
 *
 * @module
 */
import { type IdKey, idKey, type IntentionId, type ParsedIntention } from '@lattice/model'
import type { ModelStore } from './model-store.ts'
import type { Peer } from './pair.ts'
import { session, threePeers } from './tip-peers.ts'

export interface BasedPeers {
  readonly a: Peer
  readonly b: Peer
  readonly c: Peer
  /** A further peer, which holds nothing. */
  readonly peer: (index: number) => Peer
  /** One intention of `a`, that all are told to be a record, and an epoch at which history may be cut. */
  readonly epoch: (by?: Peer) => IntentionId
  /** All three hold the same. */
  readonly meet: () => Promise<void>
  readonly declareTo: (store: ModelStore) => void
}

export async function basedPeers(): Promise<BasedPeers> {
  const { a, b, c, peer } = await threePeers()
  const records = new Map<IdKey, bigint>()
  const stores = [a.store, b.store, c.store]
  const declare = (): void => {
    for (const store of stores) store.declare(records)
  }
  return {
    a,
    b,
    c,
    peer: (index) => {
      const further = peer(index, { holdsGenesis: false })
      stores.push(further.store)
      declare()
      return further
    },
    epoch: (by = a) => {
      const [epoch] = by.store.write(1) as [ParsedIntention]
      records.set(idKey(epoch.id), BigInt(records.size))
      declare()
      return epoch.id
    },
    meet: async () => {
      for (let round = 0; round < 2; round += 1) {
        await session(a, b)
        await session(b, c)
      }
    },
    declareTo: (store) => store.declare(records),
  }
}
