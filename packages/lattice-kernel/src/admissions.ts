/**
 * Answers of the authority, remembered until the system table changes.
 *
 * @module
 */
import { type IdKey, idKey, type IntentionId, type PublicKey, type UniversalOp } from '@lattice/model'
import type { Authority, ReadStoreTables } from '@lattice/store-base'
import { toEnvelope } from './envelope.ts'

interface Admissions {
  readonly admits: (author: PublicKey) => boolean
  readonly forget: () => void
}

/** Remembered answers: as many authors as write at about the same time. */
const ADMISSIONS_MAX = 4096

function createAdmissions(ask: (author: PublicKey) => boolean): Admissions {
  const answers = new Map<IdKey, boolean>()
  return {
    admits: (author) => {
      const key = idKey(author)
      const known = answers.get(key)
      if (known !== undefined) return known
      const answer = ask(author)
      if (answers.size >= ADMISSIONS_MAX) answers.clear()
      answers.set(key, answer)
      return answer
    },
    forget: () => answers.clear(),
  }
}

/** What the authority says of members, remembered until the system table changes. */
export interface Membership extends Admissions {
  /** Whether what somebody who counts has built on is taken in, whoever made it: see {@link Authority}. */
  readonly admitsByUse: () => boolean
  /** What app data of this node has to cite: the same for all of it. */
  readonly requiredOfApp: (op: UniversalOp) => readonly IntentionId[]
}

export function createMembership({
  authority,
  self,
  tables,
}: {
  readonly authority: Authority
  readonly self: PublicKey
  readonly tables: () => ReadStoreTables
}): Membership {
  const admissions = createAdmissions((author) => authority.admits(tables(), author))
  let required: readonly IntentionId[] | undefined
  let byUse: boolean | undefined
  return {
    admits: admissions.admits,
    admitsByUse: () => (byUse ??= authority.admitsByUse?.(tables()) === true),
    requiredOfApp: (op) => {
      const envelope = toEnvelope(op)
      if (envelope === undefined) return []
      return (required ??= authority.requiredDeps(tables(), self, envelope))
    },
    forget: () => {
      admissions.forget()
      required = undefined
      byUse = undefined
    },
  }
}
