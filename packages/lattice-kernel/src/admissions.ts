/**
 * Answers of the authority, remembered until the system table changes.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { type IdKey, idKey, type IntentionId, type PublicKey, type UniversalOp } from '@lattice/model'
import { weaver } from '@lattice/proto'
import { toEnvelope } from './envelope.ts'

export interface Admissions {
  readonly admits: (author: PublicKey) => boolean
  /** What a write has to follow by its author's membership. */
  readonly requires: (author: PublicKey, op: UniversalOp) => readonly IntentionId[]
  readonly forget: () => void
}

/** Remembered answers: as many authors as write at about the same time. */
const ADMISSIONS_MAX = 4096

export interface AdmissionsDeps {
  readonly admits: (author: PublicKey) => boolean
  readonly requires: (author: PublicKey, op: weaver.UniversalOp) => readonly IntentionId[]
}

/** Any application write: what it says is not the authority's concern. */
const APP_WRITE: weaver.UniversalOp = create(weaver.UniversalOpSchema, {
  op: { case: 'appData', value: new Uint8Array(0) },
})

export function createAdmissions(ask: AdmissionsDeps): Admissions {
  const admits = createMemory(ask.admits)
  const requires = createMemory((author) => ask.requires(author, APP_WRITE))
  const forget = (): void => {
    admits.forget()
    requires.forget()
  }
  return {
    admits: admits.answer,
    requires: (author, op) => {
      if (op.kind === 'appData') return requires.answer(author)
      const envelope = toEnvelope(op)
      // It may change the table that is asked as soon as it is applied.
      forget()
      return envelope === undefined ? [] : ask.requires(author, envelope)
    },
    forget,
  }
}

interface Memory<T> {
  readonly answer: (author: PublicKey) => T
  readonly forget: () => void
}

function createMemory<T>(ask: (author: PublicKey) => T): Memory<T> {
  const answers = new Map<IdKey, T>()
  return {
    answer: (author) => {
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
