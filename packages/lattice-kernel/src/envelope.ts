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
  // A message is a plain object; what every write passes through is made as one.
  if (op.kind === 'appData') {
    return { $typeName: ENVELOPE_TYPE, schema: op.schema, op: { case: 'appData', value: op.value } }
  }
  return universalOpMessage(op)
}

const ENVELOPE_TYPE: weaver.UniversalOp['$typeName'] = 'lattice.weaver.v1.UniversalOp'

/** What to sign: the bytes, and both forms of them. */
export interface EncodedOp {
  readonly bytes: Uint8Array
  readonly op: UniversalOp
}

/**
 * Encodes what a caller submits. The op is what others will read: decoded from the bytes again, but for app data, which
 * its encoder leaves whole at their end.
 */
export function encodeOp(submitted: SubmitOp): EncodedOp {
  if ('kind' in submitted && submitted.kind === 'appData') {
    const { schema, value } = submitted
    const bytes = encodeUniversalOp(submitted)
    return { bytes, op: { kind: 'appData', schema, value: bytes.subarray(bytes.length - value.length) } }
  }
  const bytes = '$typeName' in submitted ? toBinary(weaver.UniversalOpSchema, submitted) : encodeUniversalOp(submitted)
  return { bytes, op: decodeUniversalOp(bytes) }
}
