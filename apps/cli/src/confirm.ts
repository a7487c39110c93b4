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
export async function confirm(context: CommandContext, consent: Consent): Promise<void> {
  const { verb, name, isGiven } = consent
  if (isGiven) return
  const answer = await askFor(context, consent, `type ${name} to ${verb} it: `)
  if (answer?.trim() !== name) throw new CommandFailed('NOT_CONFIRMED', 'nothing was done: the name was not confirmed')
}

/** Asked for what can be mended with some work: `y`, or `--yes`. Rejects as {@link confirm}. */
export async function confirmYes(context: CommandContext, consent: Consent): Promise<void> {
  const { verb, name, isGiven } = consent
  if (isGiven) return
  const answer = await askFor(context, consent, `${verb} ${name}? [y/N] `)
  if (!/^y(es)?$/iu.test(answer?.trim() ?? '')) throw new CommandFailed('NOT_CONFIRMED', 'nothing was done')
}

/** Shows the warning and puts the question; undefined where the answer was cut off. */
async function askFor(
  { ask, out }: CommandContext,
  { warning, verb, name }: Consent,
  question: string,
): Promise<string | undefined> {
  if (ask === undefined) {
    throw new CommandFailed('NOT_CONFIRMED', `nothing was done: ${verb} ${name} needs your consent`, {
      hint: 'add --yes to give it where there is no terminal to ask at',
    })
  }
  await out.aside(warning)
  return ask(question)
}
