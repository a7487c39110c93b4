/**
 * The state at an epoch as a peer signs it in an acknowledgement, and what of it is agreed.
 *
 * @module
 */
import { equalBytes, HASH_BYTES, type Hash, type PublicKey, toHash } from '@lattice/model'
import type { weaver } from '@lattice/proto'

/** What an ack says of what lies below its epoch. */
export interface SignedState {
  readonly root: Hash
  /** Where chains end, see `chain-ends.ts`. */
  readonly chainEnds: Hash
}

/** States that are told and taken of a peer, and kept of one chain: two that differ are a contradiction already. */
export const STATES_MAX = 2
/** Roots that agree for an epoch to be final; one suffices where no more than one peer has to acknowledge it. */
export const QUORUM = 2

/** Undefined for one that vouches for none. */
export function signedStateOf({ stateRoot, chainEnds }: weaver.EpochAckOp): SignedState | undefined {
  if (stateRoot.length !== HASH_BYTES || chainEnds.length !== HASH_BYTES) return undefined
  return { root: toHash(stateRoot.slice()), chainEnds: toHash(chainEnds.slice()) }
}

function isSame(a: SignedState, b: SignedState): boolean {
  return equalBytes(a.root, b.root) && equalBytes(a.chainEnds, b.chainEnds)
}

/** Different states of one peer with one more; the very same list where that says nothing new, or there are enough. */
export function withState(states: readonly SignedState[], state: SignedState): readonly SignedState[] {
  return states.length >= STATES_MAX || states.some((known) => isSame(known, state)) ? states : [...states, state]
}

/** What a peer that signed these, which differ, vouches for: nothing where it contradicts itself. */
export function vouchedState(states: readonly SignedState[]): SignedState | undefined {
  return states.length === 1 ? states[0] : undefined
}

/** True for states of which one is wrong. */
export function isDivergence(states: readonly SignedState[]): boolean {
  const [first] = states
  return first !== undefined && !states.every((state) => isSame(state, first))
}

/** What a quorum signed, of one state each, if those who signed anything else are fewer: a lone liar stops nobody. */
export function agreedState(states: readonly SignedState[], required: readonly PublicKey[]): SignedState | undefined {
  const votes = (state: SignedState): number => states.filter((other) => isSame(state, other)).length
  const least = required.length > 1 ? QUORUM : 1
  return states.find((state) => votes(state) >= least && votes(state) * 2 > states.length)
}
