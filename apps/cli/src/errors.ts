/**
 * Failures that the command line finds by itself. Everything else is reported
 * by the node and passed on unchanged.
 *
 * @module
 */
import { LatticeError, type LatticeErrorCode } from '@lattice/model'

/** The command was not understood; `hint` says how to write it. */
export class UsageError extends LatticeError {
  override readonly name = 'UsageError'
  readonly code = 'INVALID_ARGUMENT'
  override readonly detail: Readonly<Record<string, unknown>>
  readonly hint: string | undefined

  constructor(
    message: string,
    { hint, detail = {} }: { readonly hint?: string; readonly detail?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message)
    this.hint = hint
    this.detail = detail
  }
}

/** What was asked for was not reached; the answer that there is has been printed. */
export class CommandFailed extends LatticeError {
  override readonly name = 'CommandFailed'
  readonly code: LatticeErrorCode
  override readonly detail: Readonly<Record<string, unknown>>
  readonly hint: string | undefined

  constructor(
    code: LatticeErrorCode,
    message: string,
    { hint, detail = {} }: { readonly hint?: string; readonly detail?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message)
    this.code = code
    this.hint = hint
    this.detail = detail
  }
}

/** A signal asked for the end; not a failure of the command. */
export class Interrupted extends LatticeError {
  override readonly name = 'Interrupted'
  readonly code = 'ABORTED'
  /** As a shell reports a process that the signal ended. */
  readonly exitCode: number

  constructor(exitCode: number) {
    super('interrupted')
    this.exitCode = exitCode
  }
}

/** The reader of stdout has gone away, as `head` does: there is nobody left to print for. */
export class OutputClosed extends LatticeError {
  override readonly name = 'OutputClosed'
  readonly code = 'ABORTED'

  constructor() {
    super('the output was closed')
  }
}
