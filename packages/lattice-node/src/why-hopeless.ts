/**
 * When whoever waits for a store to come into use is told that it does not.
 *
 * @module
 */
import { isLatticeError, type StoreId } from '@lattice/model'
import { nodeClosed, NodeError, shortId, storeNotFound } from './errors.ts'
import { isPassing, toFailure, toRetriedFailure } from './failure.ts'
import { storeOutOfUse } from './life-errors.ts'
import type { Readiness } from './ready-waiters.ts'
import { outOfUse, type StoreEntry } from './store-entry.ts'

/** Attempts to bootstrap after which whoever waits is told; it goes on in the background. */
export const MAX_AWAITED_ATTEMPTS = 5

/** Why waiting for the store is in vain, or no longer worth it. */
export function whyHopeless(entry: StoreEntry): unknown {
  const cause = outOfUse(entry)
  if (cause !== undefined) {
    const { id, state } = cause.record
    return entry.refusal ?? storeOutOfUse(entry.record.id, { state, cause: id })
  }
  if (entry.failure !== undefined) return retriedError(entry.failure)
  const error = entry.bootstrap?.lastFailure()
  if (entry.bootstrap === undefined || error === undefined) return undefined
  if (isLatticeError(error) && error.code === 'NOT_ADMITTED') return error
  // Without a cause it is the content that was bad; anything else may pass.
  const mayPass = error instanceof Error && error.cause !== undefined
  if (mayPass && entry.bootstrap.attempts() < MAX_AWAITED_ATTEMPTS) return undefined
  const { code, message } = toFailure(error)
  return new NodeError(code, `${message} (it is tried again in the background)`, { cause: error })
}

/** Of a store that is tried again that is said: whoever reads it need not ask for it once more. */
function retriedError(error: unknown): unknown {
  if (!isPassing(error)) return error
  const { code, message } = toRetriedFailure(error)
  return new NodeError(code, message, { cause: error })
}

/** Whether a store can be used, may be later, or never will. */
export function readinessOf(id: StoreId, entry: StoreEntry | undefined, isClosing: boolean): Readiness {
  // One that this node was removed from is in use again once it knows of its new admission.
  if (entry?.ready === true) return { kind: entry.revoked ? 'waiting' : 'ready' }
  const error = isClosing ? nodeClosed() : entry === undefined ? storeNotFound(shortId(id)) : whyHopeless(entry)
  return error === undefined ? { kind: 'waiting' } : { kind: 'hopeless', error }
}
