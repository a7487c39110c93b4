/**
 * What the world is asked for: time, randomness, scheduling and a place to log.
 *
 * The core calls nothing else, so a run is repeated exactly by repeating what these answered.
 *
 * @module
 */

/** Two readings of time, in milliseconds. */
export interface Clock {
  /** Since the Unix epoch. May jump either way; only shown, and fed to the hybrid clock. */
  readonly wallMs: () => number
  /** Since an arbitrary start. Never runs back; for deadlines and durations. */
  readonly monotonicMs: () => number
}

/** Randomness fit for keys and secrets. */
export interface Random {
  /** A new array of `length` random bytes. */
  readonly bytes: (length: number) => Uint8Array
}

/** Withdraws a scheduled task. After it ran, does nothing. */
export type Cancel = () => void

/** Runs tasks later. A task must not throw. */
export interface Scheduler {
  /** Once, no earlier than `delayMs` from now. */
  readonly after: (delayMs: number, task: () => void) => Cancel
  /** Once the current turn of the event loop is over: lets I/O in between. */
  readonly soon: (task: () => void) => Cancel
}

/** Structured data of a log line. */
export type LogFields = Readonly<Record<string, unknown>>

/** Receives named events. Never throws, never blocks. */
export interface Logger {
  readonly debug: (event: string, fields?: LogFields) => void
  readonly info: (event: string, fields?: LogFields) => void
  readonly warn: (event: string, fields?: LogFields) => void
  readonly error: (event: string, fields?: LogFields) => void
}

function ignore(): void {
  // Silence is the whole purpose.
}

/** Drops everything. */
export const silentLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }
