/**
 * The payload of an intention in its two forms: the model's tagged union and the generated message.
 *
 * @module
 */
import { toBinary } from '@bufbuild/protobuf'
import { decodeUniversalOp, encodeUniversalOp, type UniversalOp, universalOpMessage } from '@lattice/model'
import { weaver } from '@lattice/proto'
import type { SubmitOp } from './kernel-types.ts'

/** The generated message, or `undefined` for a payload that is not one. */
export function toEnvelope(op: UniversalOp): weaver.UniversalOp | undefined {
  if (op.kind === 'unknown') return undefined
  return universalOpMessage(op)
}

/** What to sign: the bytes, and both forms of them. */
export interface EncodedOp {
  readonly bytes: Uint8Array
  readonly op: UniversalOp
}

/** Encodes what a caller submits. The op is decoded from the bytes again, so that it is what others will read. */
export function encodeOp(submitted: SubmitOp): EncodedOp {
  const bytes = '$typeName' in submitted ? toBinary(weaver.UniversalOpSchema, submitted) : encodeUniversalOp(submitted)
  return { bytes, op: decodeUniversalOp(bytes) }
}
