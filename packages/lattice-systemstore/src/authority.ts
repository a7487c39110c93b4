/**
 * Who may author in a store with peers of its own.
 *
 * @module
 */
import { equalBytes, type IntentionId, type PublicKey, type ReadTable } from '@lattice/model'
import type { weaver } from '@lattice/proto'
import type { Authority } from '@lattice/store-base'
import { findGrant } from './grants.ts'
import { planSystemOp } from './plan-op.ts'
import { ZERO_ORIGIN_ID } from './system-write.ts'
import { findActivation } from './schema-activation.ts'
import { FIRST_SCHEMA, readCreator } from './store-info.ts'

/**
 * Admits whoever was given the role of a WRITER or more. That is a right to be
 * heard; whether a system operation counts is decided when it is applied.
 */
export function createSystemAuthority(): Authority {
  return {
    admits: (tables, author) => findGrant(tables.system, author, { least: 'writer' }) !== undefined,
    requiredDeps: ({ system }, author, op) => {
      const activation = schemaActivation(system, op)
      const required = activation === undefined ? [] : [activation]
      // The creator's grant is the genesis, which is in every past.
      if (isCreator(system, author)) return required
      const admin = isPrivileged(op, author) ? findGrant(system, author, { least: 'admin' }) : undefined
      const grant = admin ?? findGrant(system, author, { least: 'writer' })
      return grant === undefined ? required : [grant.id, ...required]
    },
  }
}

/** True when `author` was given the role of an ADMIN: its system operations count from then on. */
export function isAdmin(read: ReadTable, author: PublicKey): boolean {
  return findGrant(read, author, { least: 'admin' }) !== undefined
}

function isCreator(read: ReadTable, author: PublicKey): boolean {
  const creator = readCreator(read)
  return creator !== undefined && equalBytes(creator, author)
}

/** A payload counts only where the activation of its schema is in its past; the first schema needs none. */
function schemaActivation(system: ReadTable, { op, schema }: weaver.UniversalOp): IntentionId | undefined {
  return op.case === 'appData' && schema > FIRST_SCHEMA ? findActivation(system, schema) : undefined
}

function isPrivileged({ op }: weaver.UniversalOp, author: PublicKey): boolean {
  if (op.case !== 'system') return false
  const plan = planSystemOp(op.value, { id: ZERO_ORIGIN_ID, author })
  return plan.ok && plan.value.steps.some((step) => step.privileged)
}
