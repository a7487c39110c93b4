/**
 * Carries a LatticeError over gRPC and back. The stable code, the sentence and
 * the facts travel in a binary trailer, so that a caller sees the same error
 * whether the node is in this process or behind a socket.
 *
 * An error without that trailer comes from gRPC itself or from a bug; it gets
 * the code that fits its status and never leaks a stack.
 *
 * @module
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { isLatticeError, isLatticeErrorCode, LatticeError, type LatticeErrorCode } from '@lattice/model'
import { daemon } from '@lattice/proto'
import { ERROR_TABLE } from './error-table.ts'

const TRAILER = 'lattice-error-bin'
/** Trailers share one HTTP/2 header block, of which 8 KiB is what every peer accepts. */
const MAX_DETAIL_CHARACTERS = 4096
/** The sentence travels twice, once with every character beyond ASCII as nine. */
const MAX_SENTENCE_CHARACTERS = 512

/** A failure as the node on the other side of a socket reported it. */
export class RemoteError extends LatticeError {
  override readonly name = 'RemoteError'
  readonly code: LatticeErrorCode
  override readonly detail: Readonly<Record<string, unknown>>

  constructor(code: LatticeErrorCode, message: string, detail: Readonly<Record<string, unknown>>) {
    super(message)
    this.code = code
    this.detail = detail
  }
}

/** What a gRPC server answers for a failed call. */
export function errorToStatus(error: unknown): Pick<ServiceError, 'code' | 'details' | 'metadata'> {
  const metadata = new Metadata()
  if (!isLatticeError(error)) {
    const aborted = error instanceof Error && error.name === 'AbortError'
    return {
      code: aborted ? status.CANCELLED : status.INTERNAL,
      details: aborted ? 'the call was cancelled' : 'the node failed unexpectedly: see its log',
      metadata,
    }
  }
  const detailJson = detailToJson(error.detail)
  const sentence = shortened(error.message)
  const wire = create(daemon.ErrorDetailSchema, {
    code: error.code,
    message: sentence,
    detailJson: detailJson.length <= MAX_DETAIL_CHARACTERS ? detailJson : '{}',
  })
  metadata.set(TRAILER, Buffer.from(toBinary(daemon.ErrorDetailSchema, wire)))
  return { code: ERROR_TABLE[error.code].grpc, details: sentence, metadata }
}

/** The error a caller is given for a failed gRPC call. */
export function errorFromStatus(failure: Pick<ServiceError, 'code' | 'details' | 'metadata'>): LatticeError {
  const [trailer] = failure.metadata.get(TRAILER)
  const decoded = trailer instanceof Uint8Array ? decodeTrailer(trailer) : undefined
  if (decoded !== undefined) return decoded
  return new RemoteError(codeOfStatus(failure.code), failure.details, { grpcStatus: failure.code })
}

/** True when the failure was raised by a node, not by the connection to it. */
export function hasErrorDetail(failure: Pick<ServiceError, 'metadata'>): boolean {
  return failure.metadata.get(TRAILER).length > 0
}

function decodeTrailer(bytes: Uint8Array): RemoteError | undefined {
  try {
    const wire = fromBinary(daemon.ErrorDetailSchema, bytes)
    const detail: unknown = JSON.parse(wire.detailJson === '' ? '{}' : wire.detailJson)
    // A node of another version may know a code this one does not.
    const code = isLatticeErrorCode(wire.code) ? wire.code : 'INTERNAL'
    return new RemoteError(code, wire.message, isRecord(detail) ? detail : {})
  } catch {
    return undefined
  }
}

/** Sentences quote what was asked, and what was asked can be long. */
function shortened(sentence: string): string {
  return sentence.length <= MAX_SENTENCE_CHARACTERS ? sentence : `${sentence.slice(0, MAX_SENTENCE_CHARACTERS - 1)}…`
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Facts as a JSON object. */
export function detailToJson(detail: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(detail, jsonSafe)
}

function jsonSafe(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}

function codeOfStatus(code: status): LatticeErrorCode {
  switch (code) {
    case status.CANCELLED:
      return 'ABORTED'
    case status.UNAVAILABLE:
      return 'DAEMON_UNREACHABLE'
    case status.UNIMPLEMENTED:
      return 'NOT_SUPPORTED'
    case status.DEADLINE_EXCEEDED:
      return 'DEADLINE_EXCEEDED'
    case status.RESOURCE_EXHAUSTED:
      return 'LIMIT_EXCEEDED'
    case status.INVALID_ARGUMENT:
      return 'INVALID_ARGUMENT'
    default:
      return 'INTERNAL'
  }
}
