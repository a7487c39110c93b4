/**
 * Results as an aligned table.
 *
 * @module
 */
import { type Figure, type Goal, type Unit, verdictOf } from './figure.ts'
import type { RowResult } from './document.ts'
import type { Sample } from './sample.ts'

/** Of a table beside floors, and of one beside what others reach. */
export type TableKind = 'floors' | 'rivals'

const HEADINGS = ['row', 'measured', 'ours', '±', 'floor', '±', 'ratio', 'goal', 'verdict'] as const
const RIVAL_HEADINGS = ['row', 'measured', 'lattice', '±', 'hypercore', '±', 'ratio', '', ''] as const
/** Columns of figures stand right. */
const RIGHT: ReadonlySet<number> = new Set([2, 3, 4, 5, 6])
const GAP = '  '

/** The figures of one row, a line each. */
export function renderRow({ row, figures, failure }: RowResult): readonly (readonly string[])[] {
  const lines = figures.map((figure) => lineOf(row.id, figure))
  return failure === undefined ? lines : [...lines, [row.id, row.task, '', '', '', '', '', '', 'failed']]
}

/** All lines under one heading, aligned. */
export function renderTable(lines: readonly (readonly string[])[], kind: TableKind = 'floors'): string {
  const headings = kind === 'floors' ? HEADINGS : RIVAL_HEADINGS
  const all = [headings, ...lines]
  const widths = headings.map((_, column) => Math.max(...all.map((line) => (line[column] ?? '').length)))
  const rule = widths.map((width) => '─'.repeat(width))
  const render = (line: readonly string[]): string =>
    line
      .map((cell, column) => pad(cell, widths[column] ?? 0, RIGHT.has(column)))
      .join(GAP)
      .trimEnd()
  return [headings, rule, ...lines].map(render).join('\n')
}

/** What each floor is and what there is to say of a figure, one line each. */
export function renderNotes(results: readonly RowResult[]): readonly string[] {
  return results.flatMap(({ row, figures, failure }) => {
    const floors = new Set(figures.flatMap(({ floor }) => (floor === undefined ? [] : [floor.name])))
    const notes = new Set(figures.flatMap(({ name, note }) => (note === undefined ? [] : [`${name}: ${note}`])))
    const about = `${row.id}. ${row.task}. Goal: ${row.goal}.`
    const failures = failure === undefined ? [] : [`   failed: ${failure}`]
    return [
      about,
      ...failures,
      ...[...floors].map((floor) => `   floor: ${floor}`),
      ...[...notes].map((note) => `   ${note}`),
    ]
  })
}

function lineOf(id: string, figure: Figure): string[] {
  const { name, unit, ours, floor, ratio, goals } = figure
  return [
    id,
    name,
    ...sampleCells(ours, unit),
    ...sampleCells(floor?.sample, unit),
    ratio === undefined ? '' : ratio.toFixed(2),
    goals.map((goal) => goalText(goal, unit)).join(', '),
    id === 'rivals' ? '' : verdictOf(figure),
  ]
}

function sampleCells(sample: Sample | undefined, unit: Unit): readonly [string, string] {
  if (sample === undefined) return ['', '']
  return [quantity(sample.median, unit), sample.values.length > 1 ? `${Math.round(sample.spread * 100)}%` : '']
}

function goalText({ on, bound, value }: Goal, unit: Unit): string {
  return `${bound === 'at least' ? '≥' : '≤'} ${on === 'ratio' ? `${value} of floor` : quantity(value, unit)}`
}

function quantity(value: number, unit: Unit): string {
  return `${numberText(value)} ${unit}`
}

function numberText(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return Number(value.toPrecision(3)).toString()
}

function pad(text: string, width: number, right: boolean): string {
  const fill = ' '.repeat(width - text.length)
  return right ? fill + text : text + fill
}
