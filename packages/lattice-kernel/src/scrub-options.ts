/**
 * How a log is read through in the background.
 *
 * @module
 */

export interface ScrubOptions {
  /** How long a pass over the log takes, about. */
  readonly passMs: number
}

/** How far reading has come since the store was opened. */
export interface ScrubStatus {
  /** Records read and found good, each pass anew. */
  readonly checked: number
  /** Wall time at which the last whole pass ended; undefined before the first. */
  readonly passEndedMs: number | undefined
}
