/**
 * The conventional payload of an intention: `UniversalOp`, decoded into one tagged union.
 *
 * Ops are opaque to replication: a payload that is not a `UniversalOp` this version knows all of is the kind `unknown`,
 * replicates like any other, and is rejected by projection, the same on every node.
 *
 * @module
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { type system, weaver } from '@lattice/proto'
import { assert } from './assert.ts'
import { readVarint, varintBytes, writeVarint } from './varint.ts'

/** A payload whose kind is known. `schema` is the state machine's schema version that wrote it. */
export type KnownOp =
  | { readonly kind: 'appData'; readonly schema: number; readonly value: Uint8Array }
  | { readonly kind: 'system'; readonly schema: number; readonly value: system.SystemOp }
  | { readonly kind: 'genesis'; readonly schema: number; readonly value: weaver.GenesisOp }
  | { readonly kind: 'epoch'; readonly schema: number; readonly value: weaver.EpochOp }
  | { readonly kind: 'epochAck'; readonly schema: number; readonly value: weaver.EpochAckOp }
  | { readonly kind: 'ack'; readonly schema: number; readonly value: weaver.AckOp }
  | { readonly kind: 'sealed'; readonly schema: number; readonly value: weaver.SealedOp }

/** A decoded payload. */
export type UniversalOp = KnownOp | UnknownOp

/** A payload that this version cannot read. */
export interface UnknownOp {
  readonly kind: 'unknown'
}

/** Which kind of payload. */
export type OpKind = UniversalOp['kind']

const MAX_U32: number = 2 ** 32 - 1
const UNKNOWN: UnknownOp = { kind: 'unknown' }

/** Decodes a payload. Total: what cannot be read is `unknown`. The values are views of `bytes`. */
export function decodeUniversalOp(bytes: Uint8Array): UniversalOp {
  return decodeAppData(bytes) ?? decodeAny(bytes)
}

function decodeAny(bytes: Uint8Array): UniversalOp {
  const message = readMessage(bytes)
  // A field that this version does not know may change the meaning of those it does.
  if (message === undefined || (message.$unknown?.length ?? 0) > 0) return UNKNOWN
  const { schema, op } = message
  switch (op.case) {
    case 'appData':
      return { kind: 'appData', schema, value: op.value }
    case 'system':
      return { kind: 'system', schema, value: op.value }
    case 'genesis':
      return { kind: 'genesis', schema, value: op.value }
    case 'epoch':
      return { kind: 'epoch', schema, value: op.value }
    case 'epochAck':
      return { kind: 'epochAck', schema, value: op.value }
    case 'ack':
      return { kind: 'ack', schema, value: op.value }
    case 'sealed':
      return { kind: 'sealed', schema, value: op.value }
    case undefined:
      return UNKNOWN
  }
}

/** Encodes a payload, in the bytes of the generated codec. */
export function encodeUniversalOp(op: KnownOp): Uint8Array {
  if (op.kind === 'appData') return encodeAppData(op.schema, op.value)
  return toBinary(weaver.UniversalOpSchema, universalOpMessage(op))
}

/** The generated message of a payload. */
export function universalOpMessage(op: KnownOp): weaver.UniversalOp {
  return create(weaver.UniversalOpSchema, { schema: op.schema, op: toOneof(op) })
}

/** True for the ops that only the kernel reads: no state machine ever sees them. */
export function isKernelOp(op: UniversalOp): boolean {
  return op.kind === 'genesis' || op.kind === 'epoch' || op.kind === 'epochAck' || op.kind === 'ack'
}

function readMessage(bytes: Uint8Array): weaver.UniversalOp | undefined {
  try {
    return fromBinary(weaver.UniversalOpSchema, bytes)
  } catch {
    return undefined
  }
}

function toOneof(op: KnownOp): Exclude<weaver.UniversalOp['op'], { case: undefined }> {
  switch (op.kind) {
    case 'appData':
      return { case: 'appData', value: op.value }
    case 'system':
      return { case: 'system', value: op.value }
    case 'genesis':
      return { case: 'genesis', value: op.value }
    case 'epoch':
      return { case: 'epoch', value: op.value }
    case 'epochAck':
      return { case: 'epochAck', value: op.value }
    case 'ack':
      return { case: 'ack', value: op.value }
    case 'sealed':
      return { case: 'sealed', value: op.value }
  }
}

const TAG_SCHEMA = 0x08
const TAG_APP_DATA = 0x52

/** By hand, because every write passes here: an order of magnitude quicker than building the message. */
function encodeAppData(schema: number, value: Uint8Array): Uint8Array {
  assert(Number.isInteger(schema) && schema >= 0 && schema <= MAX_U32, 'a schema version is a u32')
  const schemaBytes = schema === 0 ? 0 : 1 + varintBytes(schema)
  const bytes = new Uint8Array(schemaBytes + 1 + varintBytes(value.length) + value.length)
  if (schema > 0) {
    bytes[0] = TAG_SCHEMA
    writeVarint(bytes, 1, schema)
  }
  bytes[schemaBytes] = TAG_APP_DATA
  bytes.set(value, writeVarint(bytes, schemaBytes + 1, value.length))
  return bytes
}

/** The form that {@link encodeAppData} makes, which is nearly all there is; `undefined` for any other. */
function decodeAppData(bytes: Uint8Array): KnownOp | undefined {
  let offset = 0
  let schema = 0
  if (bytes[0] === TAG_SCHEMA) {
    schema = readVarint(bytes, 1, MAX_U32)
    if (schema < 0) return undefined
    offset = 1 + varintBytes(schema)
  }
  if (bytes[offset] !== TAG_APP_DATA) return undefined
  const length = readVarint(bytes, offset + 1, bytes.length)
  if (length < 0) return undefined
  const start = offset + 1 + varintBytes(length)
  return start + length === bytes.length ? { kind: 'appData', schema, value: bytes.subarray(start) } : undefined
}
