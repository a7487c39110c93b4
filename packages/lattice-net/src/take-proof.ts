/**
 * Takes in the foundation that shows this node that it was removed: page after page, from whoever says so.
 *
 * What comes is believed as far as it proves itself, and a peer whose foundation does not count against it. One that proves
 * itself and is outdone by what is here is no fault of who showed it.
 *
 * Pure and synchronous, as a part of the machine that asks.
 *
 * @module
 */
import type { IntentionId, StoreId } from '@lattice/model'
import type { RemovalProof, WriterRefused } from '@lattice/net-types'
import type { net } from '@lattice/proto'
import type { SessionAnswer } from './session-call.ts'
import { broken, type Effect, type Fail, send } from './session.ts'
import { readItems } from './snapshot-client.ts'

export interface ProofTaking {
  readonly storeId: StoreId
  /** The epoch that the foundation is of. */
  readonly base: IntentionId
  readonly proof: RemovalProof
}

export type ProofStep =
  | { readonly kind: 'effects'; readonly effects: readonly Effect<never>[] }
  /** The end: whether the store knows now that this node was removed. */
  | { readonly kind: 'over'; readonly isShown: boolean }

export interface ProofTaker {
  readonly start: () => ProofStep
  readonly receive: (page: net.FoundationPage) => ProofStep
  readonly answered: (answer: SessionAnswer) => ProofStep
}

export function createProofTaker({ storeId, base, proof }: ProofTaking): ProofTaker {
  let after = 0
  let total: number | undefined
  let isWorking = false

  const step = (...effects: readonly Effect<never>[]): ProofStep => ({ kind: 'effects', effects })
  const ask = (): ProofStep => step(send({ case: 'foundationRequest', value: { storeId, base, after: BigInt(after) } }))
  function next(): ProofStep {
    if (after !== total) return ask()
    isWorking = true
    return step({ kind: 'call', call: { kind: 'end_proof', proof } })
  }
  return {
    start: ask,
    receive: (page) => {
      // One page at a time, as each was asked for.
      if (isWorking) return step(broken('removal_page_not_asked_for'))
      const read = readItems({ base, after }, page)
      if ('kind' in read) return step(read)
      const { items } = read.answer
      ;({ total } = read.answer)
      after += items.length
      if (items.length === 0) return next()
      isWorking = true
      return step({ kind: 'call', call: { kind: 'add_proof', proof, items } })
    },
    answered: (answer) => {
      isWorking = false
      if (answer.kind === 'proof_added') return answer.refused === undefined ? next() : step(refused(answer.refused))
      if (answer.kind !== 'proof_ended') return step()
      const { result } = answer
      return typeof result === 'boolean' ? { kind: 'over', isShown: result } : step(refused(result))
    },
  }
}

function refused({ code }: WriterRefused): Fail {
  return broken(`removal_${code}`)
}
