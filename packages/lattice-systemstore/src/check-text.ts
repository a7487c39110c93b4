/**
 * What a name may be: the same verdict on every machine and in every engine.
 *
 * Fixed code points rather than Unicode properties or normalisation, whose
 * answers change with the Unicode version an engine carries. Refused is what a
 * terminal acts on, what cannot be seen, and what turns text around.
 *
 * @module
 */
import { utf8Encode } from '@lattice/model'

export type TextProblem = 'text_empty' | 'text_too_long' | 'text_malformed'

export interface TextRule {
  readonly maxBytes: number
  /** A segment of a path: holds no `/`, and is neither `.` nor `..`. */
  readonly segment: boolean
}

/** Undefined when the text may be used. */
export function checkText(text: string, { maxBytes, segment }: TextRule): TextProblem | undefined {
  if (text.length === 0) return 'text_empty'
  // A character has at least one byte: only what could fit is encoded.
  if (text.length > maxBytes || utf8Encode(text).length > maxBytes) return 'text_too_long'
  if (text.startsWith(' ') || text.endsWith(' ')) return 'text_malformed'
  if (segment && (text.includes('/') || text === '.' || text === '..')) return 'text_malformed'
  for (const character of text) if (isRefused(character.codePointAt(0) ?? 0)) return 'text_malformed'
  return undefined
}

/** First and last of each refused range. */
const REFUSED: readonly (readonly [number, number])[] = [
  // C0 controls, delete and C1 controls.
  [0x00, 0x1f],
  [0x7f, 0x9f],
  // Soft hyphen, zero-width space, direction marks, line and paragraph separators, direction overrides.
  [0xad, 0xad],
  [0x200b, 0x200b],
  [0x200e, 0x200f],
  [0x2028, 0x202e],
  // Invisible operators and direction isolates.
  [0x2060, 0x206f],
  // Halves of surrogate pairs.
  [0xd800, 0xdfff],
  // Byte order mark, interlinear marks, the replacement character and noncharacters.
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffd],
  [0xfffe, 0xffff],
  // Tags: letters that are not shown.
  [0xe0000, 0xe007f],
]

function isRefused(codePoint: number): boolean {
  return REFUSED.some(([first, last]) => codePoint >= first && codePoint <= last)
}
