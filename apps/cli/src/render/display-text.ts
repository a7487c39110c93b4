/**
 * Text as a terminal shows it: how many columns it takes, and without anything
 * that would make the terminal act.
 *
 * Stored data comes from peers, so it may hold escape sequences or direction
 * overrides; these are shown by their code and not obeyed.
 *
 * @module
 */

/** Control characters, separators of lines and paragraphs, and what overrides the direction of text. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu
const NAMED: Readonly<Record<string, string>> = { '\n': String.raw`\n`, '\r': String.raw`\r`, '\t': String.raw`\t` }

/** The text on one line with everything unsafe escaped. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => NAMED[character] ?? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}

/** Takes no column of its own: combining marks and format characters. */
const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]$/u
const EMOJI = /^\p{Emoji_Presentation}$/u

/** Ranges of code points that take two columns (East Asian Wide and Fullwidth of Unicode's UAX #11). */
const WIDE: readonly (readonly [number, number])[] = [
  [0x11_00, 0x11_5f],
  [0x2e_80, 0x30_3e],
  [0x30_41, 0x4d_bf],
  [0x4e_00, 0xa4_cf],
  [0xa9_60, 0xa9_7f],
  [0xac_00, 0xd7_a3],
  [0xf9_00, 0xfa_ff],
  [0xfe_30, 0xfe_6f],
  [0xff_00, 0xff_60],
  [0xff_e0, 0xff_e6],
  [0x1_f3_00, 0x1_f6_4f],
  [0x1_f9_00, 0x1_f9_ff],
  [0x2_00_00, 0x3_ff_fd],
]

/** Columns that a terminal uses for `text`. */
export function displayWidth(text: string): number {
  let width = 0
  for (const character of text) width += characterWidth(character)
  return width
}

/** `text` cut to at most `columns` columns, with an ellipsis where something is missing. */
export function truncate(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text
  let kept = ''
  let width = 0
  for (const character of text) {
    width += characterWidth(character)
    if (width > columns - 1) break
    kept += character
  }
  return `${kept}…`
}

/** `text` filled with spaces to `columns` columns. */
export function pad(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, columns - displayWidth(text)))
  return align === 'left' ? text + space : space + text
}

function characterWidth(character: string): number {
  const code = character.codePointAt(0) ?? 0
  if (code < 0x7f) return 1
  if (ZERO_WIDTH.test(character)) return 0
  return WIDE.some(([from, to]) => code >= from && code <= to) || EMOJI.test(character) ? 2 : 1
}
