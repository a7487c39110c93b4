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
  let isVisible = false
  for (const character of text) {
    const codePoint = character.codePointAt(0) ?? 0
    if (isWithin(REFUSED, codePoint) || isNoncharacter(codePoint)) return 'text_malformed'
    isVisible ||= !isWithin(BLANK, codePoint)
  }
  return isVisible ? undefined : 'text_malformed'
}

type Ranges = readonly (readonly [number, number])[]

/** First and last of each refused range. */
const REFUSED: Ranges = [
  // C0 controls, delete and C1 controls.
  [0x00, 0x1f],
  [0x7f, 0x9f],
  // Soft hyphen, grapheme joiner, Arabic letter mark.
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x61c, 0x61c],
  // Letters that are blank: fillers of Hangul, inherent vowels of Khmer, selectors and separator of Mongolian.
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x3164, 0x3164],
  [0xffa0, 0xffa0],
  // Zero-width space, direction marks, line and paragraph separators, direction overrides.
  [0x200b, 0x200b],
  [0x200e, 0x200f],
  [0x2028, 0x202e],
  // Invisible operators and direction isolates.
  [0x2060, 0x206f],
  // Halves of surrogate pairs.
  [0xd800, 0xdfff],
  // Byte order mark, interlinear marks, the replacement character.
  [0xfeff, 0xfeff],
  [0xfff0, 0xfffd],
  // Controls of shorthand and of musical notation.
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  // Tags, which are letters that are not shown, and more selectors.
  [0xe0000, 0xe0fff],
]

/** Allowed beside something that can be seen, and no name by itself. */
const BLANK: Ranges = [
  // Spaces.
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x2800, 0x2800],
  [0x3000, 0x3000],
  // Joiners, which Persian and emoji need, marks that combine with what is before them, and selectors of a glyph.
  [0x200c, 0x200d],
  [0x300, 0x36f],
  [0xfe00, 0xfe0f],
]

/** The last two of each plane, and a block. */
function isNoncharacter(codePoint: number): boolean {
  return (codePoint & 0xfffe) === 0xfffe || (codePoint >= 0xfdd0 && codePoint <= 0xfdef)
}

function isWithin(ranges: Ranges, codePoint: number): boolean {
  return ranges.some(([first, last]) => codePoint >= first && codePoint <= last)
}
