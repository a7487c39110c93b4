/**
 * Aligned columns under a header. On a terminal the widest columns give way so
 * that a row stays one line; elsewhere nothing is cut, for a program may read it,
 * and a cell that is very wide does not move the other rows.
 *
 * @module
 */
import { displayWidth, pad, printable, truncate } from './display-text.ts'
import type { Paint, Style } from './style.ts'

export interface Column {
  readonly header: string
  readonly align?: 'left' | 'right'
}

export type Cell = string | { readonly text: string; readonly paint: Paint }

export interface TableOptions {
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly Cell[])[]
  readonly style: Style
  /** Columns of the terminal; undefined where none is. */
  readonly width: number | undefined
}

const GAP = '  '
/** A column is not made narrower than this: what is left would tell nothing. */
const NARROWEST_COLUMN = 8

/** Without a terminal a column is aligned up to here. */
const WIDEST_PADDING = 80

/** The table without a final line break. Cells are made safe to show. */
export function renderTable({ columns, rows, style, width }: TableOptions): string {
  const cells = rows.map((row) => row.map(toCell))
  const widths = fitted(
    columns.map((column, index) =>
      Math.max(displayWidth(column.header), ...cells.map((row) => displayWidth(row[index]?.text ?? ''))),
    ),
    width,
  )
  const line = (texts: readonly { readonly text: string; readonly paint: Paint }[]): string =>
    texts
      .map(({ text, paint }, index) => {
        const columnWidth = widths[index] ?? 0
        const cut = width === undefined ? text : truncate(text, columnWidth)
        const isLast = index === texts.length - 1 && columns[index]?.align !== 'right'
        return paint(isLast ? cut : pad(cut, columnWidth, columns[index]?.align))
      })
      .join(GAP)
      .trimEnd()
  const header = line(columns.map((column) => ({ text: column.header, paint: style.dim })))
  return [header, ...cells.map(line)].join('\n')
}

/** Lines of a name and what it is, aligned. */
export function renderPairs(pairs: readonly (readonly [string, Cell])[], style: Style): string {
  const width = Math.max(0, ...pairs.map(([name]) => displayWidth(name)))
  return pairs
    .map(([name, value]) => {
      const { text, paint } = toCell(value)
      return `${style.dim(pad(name, width))}${GAP}${paint(text)}`.trimEnd()
    })
    .join('\n')
}

function toCell(cell: Cell): { readonly text: string; readonly paint: Paint } {
  if (typeof cell === 'string') return { text: printable(cell), paint: (text) => text }
  return { text: printable(cell.text), paint: cell.paint }
}

function fitted(natural: readonly number[], width: number | undefined): readonly number[] {
  if (width === undefined) return natural.map((each) => Math.min(each, WIDEST_PADDING))
  const widths = [...natural]
  let excess = widths.reduce((sum, each) => sum + each, 0) + GAP.length * (widths.length - 1) - width
  while (excess > 0) {
    const widest = Math.max(...widths)
    if (widest <= NARROWEST_COLUMN) break
    const index = widths.indexOf(widest)
    // Takes away as much at once as leaves it no narrower than the next, so that equal columns shrink together.
    const next = Math.max(NARROWEST_COLUMN, ...widths.filter((_, other) => other !== index && widths[other] !== widest))
    const cut = Math.min(excess, Math.max(1, widest - next))
    widths[index] = widest - cut
    excess -= cut
  }
  return widths
}
