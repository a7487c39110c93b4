/**
 * System operations, ready to submit: checked before they are signed, and with
 * deps that replace what this node sees.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { headIds } from '@lattice/kvtable'
import {
  type IntentionId,
  LatticeError,
  type LatticeErrorCode,
  type PublicKey,
  toIntentionId,
  ZERO_HASH,
} from '@lattice/model'
import { system, type weaver } from '@lattice/proto'
import { InvalidArgument, MAX_FOLDED_DEPS, type ReadStoreTables } from '@lattice/store-base'
import { authorize } from './authorize.ts'
import { explainReason, explainRefusal } from './explain-reason.ts'
import type { UnauthorizedReason } from './op-plan.ts'
import { planSystemOp } from './plan-op.ts'

/** What the kernel is given to submit. */
export interface SystemWrite {
  readonly op: Extract<weaver.UniversalOp['op'], { readonly case: 'system' }>
  /**
   * The heads of the touched keys, in the state in which the operation is signed. Throws {@link SystemWriteRefused} where
   * it would not count in that state: then nothing is signed.
   */
  readonly deps: (tables: ReadStoreTables) => readonly IntentionId[]
  /** Counts only from an ADMIN: see `isAdmin`. */
  readonly privileged: boolean
}

/** Every node would record the operation and leave it without effect; `detail.reason` says which rule is against it. */
export class SystemWriteRefused extends LatticeError {
  override readonly name = 'SystemWriteRefused'
  readonly code: LatticeErrorCode
  override readonly detail: { readonly reason: UnauthorizedReason }

  constructor(reason: UnauthorizedReason) {
    const { code, message } = explainRefusal(reason)
    super(message)
    this.code = code
    this.detail = { reason }
  }
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
    deps: (tables) => {
      // Signed on top of all that it relies on, see the authority: what is here is in its past.
      const reason = authorize(tables.system, { author, follows: () => true }, steps)
      if (reason !== undefined) throw new SystemWriteRefused(reason)
      return headIds(tables.system, keys).slice(0, MAX_FOLDED_DEPS)
    },
    privileged: steps.some((step) => step.privileged),
  }
}

/** Several operations in one intention: all of them count or none does; for one key the last wins. */
export function batchSystemWrites(writes: readonly SystemWrite[], author: PublicKey): SystemWrite {
  const batch = create(system.SystemBatchSchema, { ops: writes.map((write) => write.op.value) })
  return createSystemWrite(create(system.SystemOpSchema, { op: { case: 'batch', value: batch } }), author)
}
