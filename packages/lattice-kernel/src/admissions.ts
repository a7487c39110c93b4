/**
 * Answers of the authority, remembered until the system table changes.
 *
 * @module
 */
import { type IdKey, idKey, type IntentionId, type PublicKey, type UniversalOp } from '@lattice/model'

export interface Admissions {
  readonly admits: (author: PublicKey) => boolean
  readonly forget: () => void
}

/** Remembered answers: as many authors as write at about the same time. */
const ADMISSIONS_MAX = 4096

export function createAdmissions(ask: (author: PublicKey) => boolean): Admissions {
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

/** What app data of this node has to cite: the same for all of it, until the system table changes. */
export interface AppRequirement {
  readonly of: (op: UniversalOp) => readonly IntentionId[]
  readonly forget: () => void
}

export function createAppRequirement(ask: (op: UniversalOp) => readonly IntentionId[]): AppRequirement {
  let known: readonly IntentionId[] | undefined
  return {
    of: (op) => (known ??= ask(op)),
    forget: () => {
      known = undefined
    },
  }
}
