/**
 * Splits a line into words as a shell does: blanks separate, quotes and the
 * backslash keep. Pure.
 *
 * @module
 */
import { err, ok, type Result } from '@lattice/model'

export interface Word {
  readonly text: string
  /** Where it begins in the line, its quote included. */
  readonly start: number
}

export interface SplitLine {
  readonly words: readonly Word[]
  /** The line ends inside the last word, so that more of it may follow. */
  readonly isOpen: boolean
}

/** Words of `line`; the sentence that says what is wrong for a quote that is not closed. */
export function tokenize(line: string): Result<readonly string[], string> {
  const { words, quote } = scan(line)
  if (quote !== undefined)
    return err(quote === '\\' ? 'the line ends in a backslash' : `the quote ${quote} is not closed`)
  return ok(words.map((word) => word.text))
}

/** The words of a line that is still being typed: an open quote ends where the line does. */
export function splitTyped(line: string): SplitLine {
  const { words, isInside, quote } = scan(line)
  return { words, isOpen: isInside || quote !== undefined }
}

/** `text` such that {@link tokenize} reads it as one word. */
export function quoteWord(text: string): string {
  return text !== '' && /^[^\s"'\\]+$/u.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

interface Scan {
  readonly words: readonly Word[]
  readonly isInside: boolean
  readonly quote: string | undefined
}

/** In double quotes a backslash keeps only these; before anything else it is itself. */
const ESCAPABLE = new Set(['"', '\\', '$', '`'])

function scan(line: string): Scan {
  const words: Word[] = []
  let text = ''
  let start = -1
  let quote: string | undefined
  const begin = (at: number): void => {
    if (start === -1) start = at
  }
  for (let at = 0; at < line.length; at += 1) {
    const character = line.charAt(at)
    if (quote === '\\') {
      text += character
      quote = undefined
    } else if (quote !== undefined) {
      const next = line.charAt(at + 1)
      if (character === quote) quote = undefined
      else if (quote === '"' && character === '\\' && ESCAPABLE.has(next)) {
        text += next
        at += 1
      } else text += character
    } else if (character === '"' || character === "'" || character === '\\') {
      begin(at)
      quote = character
    } else if (/\s/u.test(character)) {
      if (start !== -1) words.push({ text, start })
      text = ''
      start = -1
    } else {
      begin(at)
      text += character
    }
  }
  if (start !== -1) words.push({ text, start })
  return { words, isInside: start !== -1, quote }
}
