/**
 * Who was given the right to write, by whom who had the right to give it: as the history says it, whatever was taken since.
 *
 * An author's first intention in a store with peers of its own has such an admission in its past. That follows from the DAG
 * alone, so it holds on every node: one without would be witnessed where the admission came first, and float where what
 * cuts the admission did.
 *
 * @module
 */
import { type IdKey, idKey, type PublicKey } from '@lattice/model'
import type { MembershipPolicy } from '@lattice/store-base'
import type { BookItem } from './book-items.ts'
import type { IntentionMeta } from './log-entry.ts'

export interface AdmissionIndex {
  /** True where one of these is, or has in its past, an admission of the author; always, where peers are another store's. */
  readonly hasAdmission: (author: PublicKey, causes: readonly IntentionMeta[]) => boolean
  /** How many admissions of the author a place has in its past; none where peers are another store's. */
  readonly countBefore: (author: PublicKey, place: IntentionMeta) => number
  readonly clear: () => void
}

export interface AdmissionIndexDeps {
  readonly policy: MembershipPolicy | undefined
  /** Records in the order in which they were witnessed. */
  readonly items: () => readonly BookItem[]
  readonly isBefore: (a: IntentionMeta, b: IntentionMeta) => boolean
}

interface Admission {
  readonly meta: IntentionMeta
  readonly isAdmin: boolean
}

export function createAdmissionIndex({ policy, items, isBefore }: AdmissionIndexDeps): AdmissionIndex {
  const byPeer = new Map<IdKey, Admission[]>()
  let read = 0

  /** Records are few; each is read once, when it is asked for the first time after it came. */
  function readOn(rolesIn: NonNullable<MembershipPolicy['rolesIn']>): void {
    const all = items()
    for (let item = all[read]; item !== undefined; item = all[read]) {
      read += 1
      const { record, meta } = item
      const mayGive = (given: Admission): boolean => given.isAdmin && isBefore(given.meta, meta)
      if (record.op.kind !== 'genesis' && byPeer.get(idKey(record.author))?.some(mayGive) !== true) continue
      for (const { peer, isAdmin } of rolesIn(record)) {
        const key = idKey(peer)
        byPeer.set(key, [...(byPeer.get(key) ?? []), { meta, isAdmin }])
      }
    }
  }

  return {
    hasAdmission: (author, causes) => {
      if (policy?.rolesIn === undefined) return true
      readOn(policy.rolesIn)
      const admissions = byPeer.get(idKey(author)) ?? []
      return admissions.some(({ meta }) => causes.some((cause) => cause.seq === meta.seq || isBefore(meta, cause)))
    },
    countBefore: (author, place) => {
      if (policy?.rolesIn === undefined) return 0
      readOn(policy.rolesIn)
      return (byPeer.get(idKey(author)) ?? []).filter(({ meta }) => isBefore(meta, place)).length
    },
    clear: () => {
      byPeer.clear()
      read = 0
    },
  }
}
