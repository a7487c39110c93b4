/**
 * How a log is read through in the background.
 *
 * @module
 */

export interface ScrubOptions {
  /** How long a pass over the log takes, about. */
  readonly passMs: number
}
