/**
 * A failure as one sentence on stderr (with --json as one JSON object) and as
 * an exit code. stdout stays what it is: an error never looks like an answer.
 *
 * @module
 */
import { EXIT, exitCodeOf } from '@lattice/api/client'
import { isLatticeError } from '@lattice/model'
import { CommanderError } from 'commander'
import { Interrupted, OutputClosed } from './errors.ts'
import { writeText } from './output.ts'
import type { OutputStream } from './io.ts'
import type { Style } from './render/style.ts'

export interface ReportOptions {
  readonly stderr: OutputStream
  readonly json: boolean
  readonly style: Style
}

/** Reports `error` and resolves with the exit code that stands for it. */
export async function reportError(error: unknown, { stderr, json, style }: ReportOptions): Promise<number> {
  if (error instanceof OutputClosed) return EXIT.ok
  if (error instanceof Interrupted) return error.exitCode
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok
  const failure = describe(error)
  // The help of the command that is incomplete has been printed already.
  if (error instanceof CommanderError && error.code === 'commander.help' && !json) return EXIT.usage
  if (json) {
    const { code, message, detail, hint } = failure
    const document = { error: { code, message, detail, ...(hint === undefined ? {} : { hint }) } }
    await writeText(stderr, `${JSON.stringify(document, jsonSafe)}\n`)
  } else {
    const hint = failure.hint === undefined ? '' : `\n${style.dim(`hint: ${failure.hint}`)}`
    await writeText(stderr, `${style.bad('error:')} ${failure.message}${hint}\n`)
  }
  return failure.exitCode
}

interface Failure {
  readonly code: string
  readonly message: string
  readonly detail: Readonly<Record<string, unknown>>
  readonly hint: string | undefined
  readonly exitCode: number
}

function describe(error: unknown): Failure {
  if (error instanceof CommanderError) return describeUsage(error)
  if (isLatticeError(error)) {
    const hint = 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined
    return { code: error.code, message: error.message, detail: error.detail, hint, exitCode: exitCodeOf(error.code) }
  }
  if (isSystemError(error)) {
    return {
      code: 'INTERNAL',
      message: error.message,
      detail: { cause: error.code },
      hint: undefined,
      exitCode: EXIT.failed,
    }
  }
  const message = error instanceof Error ? error.message : String(error)
  return {
    code: 'INTERNAL',
    message: `lattice failed in a way it should not: ${message}`,
    detail: {},
    hint: 'this is a defect: please report it with the command that shows it',
    exitCode: EXIT.failed,
  }
}

function describeUsage(error: CommanderError): Failure {
  // commander's own sentences begin with the word that is printed anyway.
  const message = error.code === 'commander.help' ? 'a command is missing' : error.message.replace(/^error: /u, '')
  return {
    code: 'INVALID_ARGUMENT',
    message,
    detail: {},
    hint: "'lattice help' shows the commands, 'lattice help COMMAND' what one takes",
    exitCode: EXIT.usage,
  }
}

function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string'
}

function jsonSafe(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
