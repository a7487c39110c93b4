/**
 * System operations, ready to submit: checked before they are signed, and with
 * deps that replace what this node sees.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { headIds } from '@lattice/kvtable'
import { type IntentionId, type PublicKey, toIntentionId, ZERO_HASH } from '@lattice/model'
import { system, type weaver } from '@lattice/proto'
import { InvalidArgument, MAX_FOLDED_DEPS, type ReadStoreTables } from '@lattice/store-base'
import { explainReason } from './explain-reason.ts'
import { planSystemOp } from './plan-op.ts'

/** What the kernel is given to submit. */
export interface SystemWrite {
  readonly op: Extract<weaver.UniversalOp['op'], { readonly case: 'system' }>
  /** The heads of the touched keys, in the state in which the operation is signed. */
  readonly deps: (tables: ReadStoreTables) => readonly IntentionId[]
  /** Counts only from an ADMIN: see `isAdmin`. */
  readonly privileged: boolean
}

/** In place of an id that is not known before it is signed: nothing is ever written under it. */
export const ZERO_ORIGIN_ID: IntentionId = toIntentionId(ZERO_HASH)

/** Checks `op`, which `author` is to sign. Throws {@link InvalidArgument} for what every node would reject. */
export function createSystemWrite(op: system.SystemOp, author: PublicKey): SystemWrite {
  const plan = planSystemOp(op, { id: ZERO_ORIGIN_ID, author })
  if (!plan.ok) throw new InvalidArgument(explainReason(plan.error), { reason: plan.error })
  const { writes, steps } = plan.value
  const keys = writes.map((write) => write.keyBytes)
  return {
    op: { case: 'system', value: op },
    deps: (tables) => headIds(tables.system, keys).slice(0, MAX_FOLDED_DEPS),
    privileged: steps.some((step) => step.privileged),
  }
}

/** Several operations in one intention: all of them count or none does; for one key the last wins. */
export function batchSystemWrites(writes: readonly SystemWrite[], author: PublicKey): SystemWrite {
  const batch = create(system.SystemBatchSchema, { ops: writes.map((write) => write.op.value) })
  return createSystemWrite(create(system.SystemOpSchema, { op: { case: 'batch', value: batch } }), author)
}
