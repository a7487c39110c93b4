/**
 * What a REPL is given.
 *
 * @module
 */
import type { LatticeBackend } from '@lattice/api/client'
import type { CliClock, InputStream, OutputStream } from '../io.ts'

export interface ReplOptions {
  /** Stays open; whoever opened it closes it. */
  readonly backend: LatticeBackend
  readonly input: InputStream
  readonly output: OutputStream
  /** Where errors go when `output` is no terminal. */
  readonly errors?: OutputStream
  /** The store to begin with: id, prefix, name or path. */
  readonly store?: string | undefined
  /** Where lines are remembered; undefined = nowhere. */
  readonly historyFile?: string | undefined
  readonly json?: boolean
  readonly colour?: boolean
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly clock?: CliClock
  /** Ends the REPL. */
  readonly signal?: AbortSignal
}
