/**
 * The rules of membership of a store that has peers of its own.
 *
 * @module
 */
import type { MembershipHistory, MembershipPolicy } from '@lattice/store-base'
import { ADMIN_LEVEL, WRITER_LEVEL } from './grants-graph.ts'
import { permitEpoch } from './permit.ts'
import { isMembershipRecord, levelOf, readRecord } from './records.ts'
import { type Remembered, type Resolved, resolveMembership } from './resolve.ts'

/** Remembers, of records that are still held, what they say, and of the last history what it came to. */
export function createMembershipPolicy(): MembershipPolicy {
  const remembered: Remembered = { meanings: new WeakMap(), verdicts: new WeakMap() }
  const resolutions = new WeakMap<MembershipHistory, { readonly size: number; readonly resolved: Resolved }>()
  const resolve = (history: MembershipHistory): Resolved => {
    const size = history.records.length
    const known = resolutions.get(history)
    // Whoever holds one history and lets it grow is answered for what it is now.
    if (known?.size === size) return known.resolved
    const resolved = resolveMembership(history, remembered)
    resolutions.set(history, { size, resolved })
    return resolved
  }
  return {
    isRecord: isMembershipRecord,
    rolesIn: (record) => {
      const meaning = readRecord(record)
      if (meaning.kind === 'genesis') return [{ peer: record.author, isAdmin: true }]
      const grants = meaning.kind === 'change' ? meaning.grants : []
      return grants
        .filter(({ role }) => levelOf(role) >= WRITER_LEVEL)
        .map(({ peer, role }) => ({ peer, isAdmin: levelOf(role) >= ADMIN_LEVEL }))
    },
    resolve: (history) => resolve(history).view,
    permit: (history, author, wish) => permitEpoch(resolve(history), author, wish),
  }
}
