/**
 * What the bytes of an intention decide once its op is decoded too: one function for submit and ingest.
 *
 * @module
 */
import { isHlc } from './hlc.ts'
import { encodedIntentionBytes } from './intention-codec.ts'
import { type Intention, type IntentionError, isGenesis } from './intention.ts'
import {
  GENESIS_NONCE_BYTES,
  MAX_CAUSAL_DEPS,
  MAX_INTENTION_BYTES,
  MAX_KERNEL_CAUSAL_DEPS,
  MAX_OPS_BYTES,
} from './limits.ts'
import { err, ok, type Result } from './result.ts'
import { parseStoreType } from './store-type.ts'
import type { OpKind, UniversalOp } from './universal-op.ts'

/** How many deps an intention with this kind of op may have: epochs and acks join the whole frontier. */
export function maxDepsOf(kind: OpKind): number {
  return kind === 'epoch' || kind === 'epochAck' || kind === 'ack' ? MAX_KERNEL_CAUSAL_DEPS : MAX_CAUSAL_DEPS
}

/** Checks the limits, and that a genesis op stands in a genesis and nowhere else. */
export function validateIntention(intention: Intention, op: UniversalOp): Result<void, IntentionError> {
  const bytes = intention.ops.length
  if (bytes > MAX_OPS_BYTES) return err({ code: 'ops_too_large', bytes, limit: MAX_OPS_BYTES })
  const deps = intention.causalDeps.length
  const limit = maxDepsOf(op.kind)
  if (deps > limit) return err({ code: 'too_many_deps', deps, limit })
  const size = encodedIntentionBytes(intention)
  if (size > MAX_INTENTION_BYTES) return err({ code: 'intention_too_large', bytes: size, limit: MAX_INTENTION_BYTES })
  if (!isHlc(intention.timestamp)) return err({ code: 'timestamp_out_of_range' })
  if (!isGenesis(intention)) return validateDescendantOp(deps, op)
  if (deps > 0) return err({ code: 'genesis_with_deps' })
  return validateGenesisOp(op)
}

function validateDescendantOp(deps: number, op: UniversalOp): Result<void, IntentionError> {
  if (deps === 0) return err({ code: 'missing_deps' })
  return op.kind === 'genesis' ? err({ code: 'genesis_misplaced' }) : ok(undefined)
}

function validateGenesisOp(op: UniversalOp): Result<void, IntentionError> {
  if (op.kind !== 'genesis') return err({ code: 'genesis_malformed', why: 'op' })
  if (!parseStoreType(op.value.storeType).ok) return err({ code: 'genesis_malformed', why: 'store_type' })
  if (op.value.nonce.length !== GENESIS_NONCE_BYTES) return err({ code: 'genesis_malformed', why: 'nonce' })
  return ok(undefined)
}
