/**
 * Who may author in a store with peers of its own.
 *
 * @module
 */
import { equalBytes, type PublicKey, type ReadTable } from '@lattice/model'
import type { weaver } from '@lattice/proto'
import type { Authority } from '@lattice/store-base'
import { findGrant } from './grants.ts'
import { planSystemOp } from './plan-op.ts'
import { ZERO_ORIGIN_ID } from './system-write.ts'
import { readCreator } from './store-info.ts'

/**
 * Admits whoever was given the role of a WRITER or more. That is a right to be
 * heard; whether a system operation counts is decided when it is applied.
 */
export function createSystemAuthority(): Authority {
  return {
    admits: (tables, author) => findGrant(tables.system, author, { least: 'writer' }) !== undefined,
    requiredDeps: ({ system }, author, op) => {
      // The creator's grant is the genesis, which is in every past.
      if (isCreator(system, author)) return []
      const admin = isPrivileged(op, author) ? findGrant(system, author, { least: 'admin' }) : undefined
      const grant = admin ?? findGrant(system, author, { least: 'writer' })
      return grant === undefined ? [] : [grant.id]
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

function isPrivileged({ op }: weaver.UniversalOp, author: PublicKey): boolean {
  if (op.case !== 'system') return false
  const plan = planSystemOp(op.value, { id: ZERO_ORIGIN_ID, author })
  return plan.ok && plan.value.steps.some((step) => step.privileged)
}
