/**
 * What came of handing intentions to a store.
 *
 * @module
 */
import type { IngestOutcome } from '@lattice/model'

export interface IngestVerdict {
  /** The first that can never be taken in; undefined for none. */
  readonly invalid: Extract<IngestOutcome, { kind: 'invalid' }> | undefined
  /** Places, by their number, that are lacking as before. */
  readonly refused: ReadonlySet<number>
  /** How many the log named before their causes. */
  readonly uncaused: number
}

/** `isAfterInvalid`: a part before it was refused. What floats beside an invalid one, or after it, may lack what that should have been. */
export function judgeIngest(outcomes: readonly IngestOutcome[], isAfterInvalid: boolean): IngestVerdict {
  const invalid = outcomes.find((outcome) => outcome.kind === 'invalid')
  const isRefused = ({ kind }: IngestOutcome): boolean => kind === 'invalid' || kind === 'floating'
  const isDoubtful = invalid !== undefined || isAfterInvalid
  const refused = new Set(isDoubtful ? outcomes.flatMap((outcome, index) => (isRefused(outcome) ? [index] : [])) : [])
  const uncaused = outcomes.filter((outcome, index) => !refused.has(index) && lacksCauses(outcome)).length
  return { invalid, refused, uncaused }
}

/** It waits for causes that nobody here has. */
export function lacksCauses(outcome: IngestOutcome): outcome is Extract<IngestOutcome, { kind: 'floating' }> {
  return outcome.kind === 'floating' && outcome.reason === 'missing_causes' && outcome.missing.length > 0
}
