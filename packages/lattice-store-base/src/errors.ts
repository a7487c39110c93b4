/**
 * Failures of calling a machine's methods.
 *
 * Commands and queries throw {@link InvalidArgument} and {@link LimitExceeded}
 * before anything is signed; dispatch throws them for requests it cannot read.
 *
 * @module
 */
import { LatticeError } from '@lattice/model'

/** The request cannot be carried out as it was made; the caller has to change it. */
export class InvalidArgument extends LatticeError {
  override readonly name = 'InvalidArgument'
  readonly code = 'INVALID_ARGUMENT'
  override readonly detail: Readonly<Record<string, unknown>>

  constructor(message: string, detail: Readonly<Record<string, unknown>> = {}, options?: { readonly cause: unknown }) {
    super(message, options)
    this.detail = detail
  }
}

/** The request is over a named limit; `detail` holds the limit and what was asked. */
export class LimitExceeded extends LatticeError {
  override readonly name = 'LimitExceeded'
  readonly code = 'LIMIT_EXCEEDED'
  override readonly detail: { readonly limit: number; readonly actual: number }

  constructor(message: string, detail: { readonly limit: number; readonly actual: number }) {
    super(message)
    this.detail = detail
  }
}

/** The machine has no command or query of that name; `detail.available` lists those it has. */
export class MethodNotFound extends LatticeError {
  override readonly name = 'MethodNotFound'
  readonly code = 'METHOD_NOT_FOUND'
  override readonly detail: { readonly method: string; readonly available: readonly string[] }

  constructor(method: string, available: readonly string[]) {
    super(`there is no method '${shorten(method)}'; choose one of: ${available.join(', ')}`)
    this.detail = { method: shorten(method), available }
  }
}

/** The method is not one write, so it cannot be run many times at once; `detail.available` lists those that can. */
export class NotBulk extends LatticeError {
  override readonly name = 'NotBulk'
  readonly code = 'NOT_SUPPORTED'
  override readonly detail: { readonly method: string; readonly available: readonly string[] }

  constructor(method: string, available: readonly string[]) {
    super(`'${shorten(method)}' is not made for many at once; choose one of: ${available.join(', ') || '(none)'}`)
    this.detail = { method: shorten(method), available }
  }
}

/** The machine has no stream of that name; `detail.available` lists those it has. */
export class StreamNotFound extends LatticeError {
  override readonly name = 'StreamNotFound'
  readonly code = 'STREAM_NOT_FOUND'
  override readonly detail: { readonly stream: string; readonly available: readonly string[] }

  constructor(stream: string, available: readonly string[]) {
    super(
      available.length === 0
        ? `there is no stream '${shorten(stream)}': this store has none`
        : `there is no stream '${shorten(stream)}'; choose one of: ${available.join(', ')}`,
    )
    this.detail = { stream: shorten(stream), available }
  }
}

/** Longest part of a foreign name that an error repeats. */
const MAX_SHOWN_NAME = 64

function shorten(name: string): string {
  return name.length <= MAX_SHOWN_NAME ? name : `${name.slice(0, MAX_SHOWN_NAME)}…`
}
