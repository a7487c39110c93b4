/**
 * What an epoch that counts changes in the system table: the peers whose rights it takes.
 *
 * Whether it counts is decided by the policy of membership; what does not is never applied.
 *
 * @module
 */
import type { PublicKey, ReadTable } from '@lattice/model'
import type { weaver } from '@lattice/proto'
import type { ProjectedOp, Removal } from '@lattice/store-base'
import { readRemovals } from './membership/records.ts'
import type { SystemRow } from './op-plan.ts'
import { readPeerStatus } from './peers.ts'
import { strongestRole } from './grants.ts'
import type { SystemEvent } from './system-event.ts'
import { encodePeerStatus, encodeRole, encodeSeq, isAtLeast, type PeerStatus, type Role } from './values.ts'

/** What an epoch takes away in this table; undefined for one that is malformed. */
export function removalsIn({ cause }: weaver.EpochOp): readonly Removal[] | undefined {
  return cause?.cause.case === 'membership' ? readRemovals(cause.cause.value) : []
}

/** The rows of an epoch. */
export function epochRows(
  { id }: Pick<ProjectedOp, 'id'>,
  { seq }: weaver.EpochOp,
  removals: readonly Removal[],
): readonly SystemRow[] {
  return [
    { key: { kind: 'store', field: 'epoch' }, value: encodeSeq(seq) },
    ...removals.flatMap(({ peer, remains }): readonly SystemRow[] => [
      remains === 'none'
        ? { key: { kind: 'peer', peer, field: 'status' }, value: encodePeerStatus('revoked') }
        : { key: { kind: 'peer', peer, field: 'role' }, value: encodeRole(remains) },
      { key: { kind: 'revocation', peer, revocation: id }, value: encodeRole(remains) },
    ]),
  ]
}

/** Looks at the peers before an epoch is applied; the answer tells who is revoked or demoted by it. */
export function observeRights(read: ReadTable, removals: readonly Removal[]): () => readonly SystemEvent[] {
  const before = removals.map(({ peer }) => ({ peer, ...rightsOf(read, peer) }))
  return () =>
    before.flatMap(({ peer, status, role }): readonly SystemEvent[] => {
      const after = rightsOf(read, peer)
      if (after.status === 'revoked') return status === 'revoked' ? [] : [{ kind: 'peer_revoked', peer }]
      return isAtLeast(after.role, role) ? [] : [{ kind: 'peer_demoted', peer, role: after.role }]
    })
}

function rightsOf(read: ReadTable, peer: PublicKey): { readonly status: PeerStatus | undefined; readonly role: Role } {
  return { status: readPeerStatus(read, peer), role: strongestRole(read, peer) ?? 'none' }
}
