/**
 * How the acts of a store's life are refused, each as one sentence that says who must do what.
 *
 * @module
 */
import { type PublicKey, type StoreId, toHex } from '@lattice/model'
import { NodeError, shortId, storeNotReady } from './errors.ts'
import type { StoreState } from './store-types.ts'

/** The act does not fit the state the store is in. */
export function wrongState(storeId: StoreId, state: StoreState, what: string): NodeError {
  return new NodeError('WRONG_STATE', what, { detail: { storeId: toHex(storeId), state } })
}

/** Why a store is not in use, and how it comes into use. `cause` is the store that keeps it out of use. */
export function storeOutOfUse(
  storeId: StoreId,
  { state, cause = storeId }: { readonly state: StoreState; readonly cause?: StoreId },
): NodeError {
  const own = shortId(storeId)
  const at = toHex(cause) === toHex(storeId) ? `the store ${own}` : `the store ${own} is below ${shortId(cause)}, which`
  switch (state) {
    case 'archived':
      return wrongState(storeId, state, `${at} is archived: an admin of its parent can unarchive it`)
    case 'left':
      return wrongState(storeId, state, `${at} was left by this node: rejoin it to use it again`)
    case 'destroyed':
      return wrongState(storeId, state, `${at} is destroyed for everybody: nothing brings it back`)
    default:
      return storeNotReady(storeId, state)
  }
}

/** It was fetched by its state, and whoever could say what came after that is away. */
export function fetchedUnheard(storeId: StoreId): NodeError {
  return new NodeError(
    'PEER_UNREACHABLE',
    `the store ${shortId(storeId)} is fetched, and no peer is there to say how it goes on: it comes into use once one is`,
    { detail: { storeId: toHex(storeId) } },
  )
}

/** Its peers do not hold what would make the epoch final at which it was to begin. */
export function fetchedUnproven(storeId: StoreId, server: PublicKey | undefined): NodeError {
  return new NodeError(
    'BOOTSTRAP_FAILED',
    `the store ${shortId(storeId)} was offered from an epoch that is not final by what its peers hold: it is fetched anew, from others first`,
    { detail: { storeId: toHex(storeId), ...(server === undefined ? {} : { server: toHex(server) }) } },
  )
}

export function fetchedContradicted(storeId: StoreId): NodeError {
  return new NodeError(
    'BOOTSTRAP_FAILED',
    `what was fetched of the store ${shortId(storeId)} and what its peers wrote after it contradict each other: it is fetched anew, from others first`,
    { detail: { storeId: toHex(storeId) } },
  )
}

/** Fetched as a child, it does not say of which store: whoever creates it has not finished. */
export function parentUnnamed(storeId: StoreId): NodeError {
  return new NodeError(
    'BOOTSTRAP_FAILED',
    `the store ${shortId(storeId)} does not say yet which store it belongs to: its creator has to finish creating it`,
    { detail: { storeId: toHex(storeId) } },
  )
}

/** Declared as a child of a store that it does not belong to. */
export function parentForeign(storeId: StoreId): NodeError {
  return new NodeError(
    'BOOTSTRAP_FAILED',
    `the store ${shortId(storeId)} is declared here as a child, but belongs to another store or to none: an admin of the declaring store can archive the declaration`,
    { detail: { storeId: toHex(storeId) } },
  )
}

export function notAdmitted(storeId: StoreId): NodeError {
  return new NodeError(
    'NOT_ADMITTED',
    `this node is no peer of the store ${shortId(storeId)} any more: ask one of its admins for an invite`,
    { detail: { storeId: toHex(storeId) } },
  )
}

export function notConfirmed(storeId: StoreId): NodeError {
  return new NodeError(
    'NOT_CONFIRMED',
    `the data of the store ${shortId(storeId)} would be removed from this node for good: confirm that it is to go`,
    { detail: { storeId: toHex(storeId) } },
  )
}

/** What of one store is not known to be anywhere else. */
export interface Unreplicated {
  readonly path: string
  /** Intentions that the best peer has not shown to have; undefined where nothing is known. */
  readonly unproven: number | undefined
  readonly peer: PublicKey | undefined
}

export function notReplicated(storeId: StoreId, stores: readonly Unreplicated[]): NodeError {
  const what = stores.map(({ path, unproven, peer }) => {
    const count =
      unproven === undefined ? 'an unknown number of writes' : unproven === 1 ? 'one write' : `${unproven} writes`
    return peer === undefined
      ? `\`${path}\` (no other peer is known to hold any of it)`
      : `\`${path}\` (peer ${shortId(peer)} has not shown to hold ${count})`
  })
  return new NodeError(
    'NOT_REPLICATED',
    `no other peer is known to hold everything of ${what.join(', ')}: connect one and try again, or force it and risk the data`,
    {
      detail: {
        storeId: toHex(storeId),
        stores: stores.map(({ path, unproven, peer }) => ({ path, unproven, peer: peer && toHex(peer) })),
      },
    },
  )
}

/** It was decided, and could not be done: the log says why. */
export function notRemoved(storeId: StoreId): NodeError {
  return new NodeError(
    'STORAGE_FAILED',
    `the data of the store ${shortId(storeId)} could not be removed: see the log for why; it is removed as soon as that is possible`,
    { detail: { storeId: toHex(storeId) } },
  )
}
