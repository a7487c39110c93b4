/**
 * Whether a well-formed system operation counts.
 *
 * Reads grants alone, and of them only those in the operation's past, so every
 * node gives the same verdict whatever else has arrived.
 *
 * @module
 */
import { type IdKey, idKey, type IntentionId, type PublicKey, type ReadTable } from '@lattice/model'
import { wasDestroyed } from './children.ts'
import { findGrant } from './grants.ts'
import type { OpPlan } from './op-plan.ts'
import { isAtLeast, type Role } from './values.ts'

/** Why a well-formed operation is a recorded no-op. */
export type UnauthorizedReason =
  /** Its author was no ADMIN in its past. */
  | 'not_admin'
  /** It changes a peer that was not admitted in its past. */
  | 'peer_unknown'
  /** It takes a right away, which only an epoch can do. */
  | 'needs_epoch'
  /** The child was destroyed in its past, which nothing undoes. */
  | 'child_destroyed'

export interface Claimant {
  readonly author: PublicKey
  readonly follows: (ancestor: IntentionId) => boolean
}

/** The first reason why the steps do not count; undefined when they do. */
export function authorize(
  read: ReadTable,
  { author, follows }: Claimant,
  steps: readonly OpPlan[],
): UnauthorizedReason | undefined {
  const holds = (peer: PublicKey, least: Role): boolean => findGrant(read, peer, { least, follows }) !== undefined
  if (steps.some((step) => step.privileged) && !holds(author, 'admin')) return 'not_admin'
  const admittedHere = new Set<IdKey>()
  for (const { known, grants, revives } of steps) {
    if (revives !== undefined && wasDestroyed(read, revives, follows)) return 'child_destroyed'
    if (known !== undefined && !admittedHere.has(idKey(known)) && !holds(known, 'none')) return 'peer_unknown'
    if (grants === undefined) continue
    if (isWeaker(grants.role) && holds(grants.peer, strongerThan(grants.role))) return 'needs_epoch'
    if (grants.admission) admittedHere.add(idKey(grants.peer))
  }
  return undefined
}

type WeakerRole = Exclude<Role, 'admin'>

function isWeaker(role: Role): role is WeakerRole {
  return !isAtLeast(role, 'admin')
}

/** The next role up. */
function strongerThan(role: WeakerRole): Role {
  switch (role) {
    case 'none':
      return 'reader'
    case 'reader':
      return 'writer'
    case 'writer':
      return 'admin'
  }
}
