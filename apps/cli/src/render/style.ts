/**
 * Colours, as functions that do nothing where colours are not wanted.
 *
 * @module
 */
export type Paint = (text: string) => string

export interface Style {
  readonly strong: Paint
  readonly dim: Paint
  readonly good: Paint
  readonly warn: Paint
  readonly bad: Paint
  readonly name: Paint
}

const plain: Paint = (text) => text

export const PLAIN_STYLE: Style = { strong: plain, dim: plain, good: plain, warn: plain, bad: plain, name: plain }

const sequence =
  (open: number, close: number): Paint =>
  (text) =>
    text === '' ? '' : `\u001B[${open}m${text}\u001B[${close}m`

const COLOUR_STYLE: Style = {
  strong: sequence(1, 22),
  dim: sequence(2, 22),
  good: sequence(32, 39),
  warn: sequence(33, 39),
  bad: sequence(31, 39),
  name: sequence(36, 39),
}

export function createStyle({ colour }: { readonly colour: boolean }): Style {
  return colour ? COLOUR_STYLE : PLAIN_STYLE
}

/** Colours only where a person looks on, and neither the environment nor a flag says no. */
export function wantsColour(
  terminal: { readonly isTerminal: boolean },
  env: Readonly<Record<string, string | undefined>>,
  flag: boolean,
): boolean {
  return flag && terminal.isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
}
