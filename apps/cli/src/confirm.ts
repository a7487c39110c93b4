/**
 * Consent to what cannot be undone: the name of the store, typed by a person, or `--yes`.
 *
 * @module
 */
import type { CommandContext } from './command-context.ts'
import { CommandFailed } from './errors.ts'

export interface Consent {
  /** What is about to happen, to whom; shown before it is asked. */
  readonly warning: string
  /** `destroy`: what the answer does. */
  readonly verb: string
  /** What has to be typed. */
  readonly name: string
  /** `--yes` was given. */
  readonly isGiven: boolean
}

/** Resolves once there is consent; rejects with `NOT_CONFIRMED` where there is none, or nobody to ask. */
export async function confirm({ ask, out }: CommandContext, consent: Consent): Promise<void> {
  const { warning, verb, name, isGiven } = consent
  if (isGiven) return
  if (ask === undefined) {
    throw new CommandFailed('NOT_CONFIRMED', `nothing was done: ${verb} ${name} needs your consent`, {
      hint: 'add --yes to give it where there is no terminal to ask at',
    })
  }
  await out.aside(warning)
  const answer = await ask(`type ${name} to ${verb} it: `)
  if (answer?.trim() !== name) throw new CommandFailed('NOT_CONFIRMED', 'nothing was done: the name was not confirmed')
}

/** Asked for what can be mended with some work: `y`, or `--yes`. Rejects as {@link confirm}. */
export async function confirmYes(
  { ask, out }: CommandContext,
  { warning, verb, name, isGiven }: Consent,
): Promise<void> {
  if (isGiven) return
  if (ask === undefined) {
    throw new CommandFailed('NOT_CONFIRMED', `nothing was done: ${verb} ${name} needs your consent`, {
      hint: 'add --yes to give it where there is no terminal to ask at',
    })
  }
  await out.aside(warning)
  const answer = await ask(`${verb} ${name}? [y/N] `)
  if (!/^y(es)?$/iu.test(answer?.trim() ?? '')) throw new CommandFailed('NOT_CONFIRMED', 'nothing was done')
}
