/**
 * Text broken into lines that fit a terminal.
 *
 * @module
 */
import { displayWidth } from './display-text.ts'

/** Narrower than this nothing is broken: single words would stand in a column. */
const NARROWEST = 20

/** Lines of at most `columns` columns, broken between words; a longer word has a line of its own. One line without a width. */
export function wrapText(text: string, columns: number | undefined): readonly string[] {
  if (columns === undefined || columns < NARROWEST) return [text]
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && displayWidth(longer) > columns) {
      lines.push(line)
      line = word
    } else line = longer
  }
  return [...lines, line]
}
