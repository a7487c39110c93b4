/**
 * Changes of a store's peers and invites.
 *
 * @module
 */
import { NodeError } from './errors.ts'
import type { PeerActs } from './node-types.ts'

export function createPeerActs(): PeerActs {
  const missing = (): never => {
    throw new NodeError('NOT_SUPPORTED', 'PLACEHOLDER')
  }
  return { cancelInvite: missing, setPeerRole: missing, setPeerStatus: missing, setPeerName: missing }
}
