/**
 * Who may author in a store with peers of its own.
 *
 * @module
 */
import { equalBytes, type IntentionId, type PublicKey, type ReadTable } from '@lattice/model'
import type { system } from '@lattice/proto'
import type { Authority } from '@lattice/store-base'
import { findGrant, grantsOf, revocationsOf } from './grants.ts'
import type { OpPlan } from './op-plan.ts'
import { planSystemOp } from './plan-op.ts'
import { ZERO_ORIGIN_ID } from './system-write.ts'
import { isAtLeast, type Role } from './values.ts'
import { findActivation, FIRST_SCHEMA } from './schema-activation.ts'
import { readCreator } from './store-info.ts'

/**
 * Admits whoever has the role of a WRITER or more, by what it was given and what epochs took. That is a right to be
 * heard; whether a system operation counts is decided when it is applied.
 */
export function createSystemAuthority(): Authority {
  return {
    admits: (tables, author) => findGrant(tables.system, author, { least: 'writer' }) !== undefined,
    requiredDeps: ({ system }, author, { op, schema }) => {
      switch (op.case) {
        case 'system':
          return grantOf(system, author, op.value)
        case 'appData':
          return [...grantOf(system, author), ...activationOf(system, schema)]
        default:
          return grantOf(system, author)
      }
    },
  }
}

/** The grant that makes the operation count; none for the creator, whose grant is the genesis until it is revoked. */
function grantOf(read: ReadTable, author: PublicKey, op?: system.SystemOp): readonly IntentionId[] {
  if (isCreator(read, author) && revocationsOf(read, author).length === 0) return []
  const isPrivileged = op !== undefined && stepsOf(op, author).some((step) => step.privileged)
  const admin = isPrivileged ? findGrant(read, author, { least: 'admin' }) : undefined
  const grant = admin ?? findGrant(read, author, { least: 'writer' })
  return grant === undefined ? [] : [grant.id]
}

/** A payload counts only where the activation of its schema is in its past; the first schema needs none. */
function activationOf(read: ReadTable, schema: number): readonly IntentionId[] {
  const activation = schema > FIRST_SCHEMA ? findActivation(read, schema) : undefined
  return activation === undefined ? [] : [activation]
}

function stepsOf(op: system.SystemOp, author: PublicKey): readonly OpPlan[] {
  const plan = planSystemOp(op, { id: ZERO_ORIGIN_ID, author })
  return plan.ok ? plan.value.steps : []
}

/** True when `author` has the role of an ADMIN: it was given, and no epoch has taken it since. */
export function isAdmin(read: ReadTable, author: PublicKey): boolean {
  return findGrant(read, author, { least: 'admin' }) !== undefined
}

/** True when `peer` was given the role or a stronger one, whatever was taken from it since. */
export function wasGiven(read: ReadTable, peer: PublicKey, least: Role): boolean {
  for (const { role } of grantsOf(read, peer)) if (isAtLeast(role, least)) return true
  return false
}

function isCreator(read: ReadTable, author: PublicKey): boolean {
  const creator = readCreator(read)
  return creator !== undefined && equalBytes(creator, author)
}
