/**
 * Taking rights away: a peer is removed from a store, or keeps a weaker role, by an epoch.
 *
 * The epoch is the act: once it is durable here the peer is out on this node, and on every other as it arrives there. What
 * the peer wrote that this node had not seen counts nowhere from then on.
 *
 * @module
 */
import type { EpochStatus } from '@lattice/kernel'
import { assert, equalBytes, type IntentionId } from '@lattice/model'
import { system } from '@lattice/proto'
import type { Remains } from '@lattice/store-base'
import { NodeError } from './errors.ts'
import type { OpenStore } from './open-store.ts'
import { nameOfPeer } from './peer-reference.ts'
import type { PeerEntry } from './store-types.ts'

/** Makes the epoch. Rejects with `WriteRefused`; then nothing has changed. */
export async function takeRights(
  { kernel }: Pick<OpenStore, 'kernel'>,
  { publicKey: peer }: Pick<PeerEntry, 'publicKey'>,
  remains: Remains,
): Promise<EpochStatus> {
  return epochOf({ kernel }, await kernel.submitEpoch({ kind: 'membership', removals: [{ peer, remains }] }))
}

/** An epoch as it is now. */
export function epochOf({ kernel }: Pick<OpenStore, 'kernel'>, id: IntentionId): EpochStatus {
  const found = findEpoch({ kernel }, id)
  assert(found !== undefined, 'an epoch that was made is there')
  return found
}

export function findEpoch({ kernel }: Pick<OpenStore, 'kernel'>, id: IntentionId): EpochStatus | undefined {
  return kernel.epoch(id)
}

/** Throws where there is nothing to take from the peer. */
export function checkRevocable(peer: PeerEntry): void {
  const { status } = peer
  const who = nameOfPeer(peer)
  if (status === system.PeerStatus.REVOKED) throw new NodeError('WRONG_STATE', `${who} is revoked already`)
  if (status === system.PeerStatus.INVITED) {
    throw new NodeError('WRONG_STATE', `${who} was never admitted, so it has no rights: cancel its invite instead`)
  }
}

/** Throws where the store would be without anybody who can admit peers. */
export function checkSuccession(peers: readonly PeerEntry[], { publicKey }: PeerEntry): void {
  const others = peers.filter(
    ({ status, publicKey: other }) =>
      (status === system.PeerStatus.ACTIVE || status === system.PeerStatus.DORMANT) && !equalBytes(other, publicKey),
  )
  if (others.length === 0) {
    throw new NodeError('WRONG_STATE', 'this node is the only peer of the store: leave it, or destroy it')
  }
  if (!others.some(({ role }) => role === system.Role.ADMIN)) {
    throw new NodeError(
      'WRONG_STATE',
      'this node is the only admin of the store, which nobody could admit a peer to then: make another peer an admin first',
    )
  }
}
