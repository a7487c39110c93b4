/**
 * What verifying and repairing a store found and did, as aligned lines.
 *
 * @module
 */
import { toHex } from '@lattice/model'
import { daemon } from '@lattice/proto'
import { formatId } from './bytes-text.ts'
import type { Style } from './style.ts'
import { type Cell, renderPairs, renderTable } from './table.ts'
import { formatCount, formatPlural } from './units.ts'

export interface IntegrityTextOptions {
  readonly style: Style
  readonly full: boolean
  readonly width: number | undefined
}

/** The store, and how long it took. */
export interface IntegrityHeading {
  readonly name: string
  readonly took: string
}

export function verifyText(
  report: daemon.VerifyReport,
  { name, took }: IntegrityHeading,
  options: IntegrityTextOptions,
): string {
  const { style } = options
  const pairs: [string, Cell][] = [
    ['store', { text: name, paint: style.strong }],
    ['result', resultCell(report, style)],
    ['records', counted(report.recordsChecked, report.recordsTotal)],
    ['signatures', counted(report.signaturesChecked, report.signaturesTotal)],
    ['causes', formatCount(report.causes)],
    ['indexes', formatPlural(report.indexEntries, 'entry', 'entries')],
  ]
  if (report.stateRows > 0n) pairs.push(['state', formatPlural(report.stateRows, 'row')])
  if (report.outcome === daemon.VerifyOutcome.RECORDS) {
    pairs.push([
      'good',
      `${formatCount(report.goodBefore)} before the first damage, ${formatCount(report.goodAfter)} after`,
    ])
  }
  for (const phrase of report.unchecked) pairs.push(['not checked', { text: phrase, paint: style.dim }])
  pairs.push(['took', took])
  return [renderPairs(pairs, style), ...problemLines(report, options)].join('\n\n')
}

function resultCell({ outcome, problemCount }: daemon.VerifyReport, style: Style): Cell {
  const problems = formatPlural(problemCount, 'problem')
  switch (outcome) {
    case daemon.VerifyOutcome.SOUND:
      return { text: 'sound', paint: style.good }
    case daemon.VerifyOutcome.INDEXES:
      return { text: `${problems}: the records are good, what is derived from them is not`, paint: style.warn }
    case daemon.VerifyOutcome.RECORDS:
      return { text: `${problems}: records are damaged`, paint: style.bad }
    default:
      return { text: 'unknown', paint: style.warn }
  }
}

function problemLines(report: daemon.VerifyReport, { style, full, width }: IntegrityTextOptions): readonly string[] {
  if (report.problems.length === 0) return []
  const table = renderTable({
    columns: [{ header: 'RECORD', align: 'right' }, { header: 'ID' }, { header: 'PROBLEM' }, { header: '' }],
    rows: report.problems.map(({ seq, intentionId, kind, what }) => [
      seq === 0n ? '–' : formatCount(seq),
      intentionId.length === 0 ? '–' : formatId(intentionId, full),
      { text: kind.replaceAll('_', ' '), paint: style.bad },
      what,
    ]),
    style,
    width,
  })
  const more = report.problemCount - BigInt(report.problems.length)
  return more > 0n ? [`${table}\n${style.dim(`and ${formatCount(more)} more`)}`] : [table]
}

export function repairText(
  result: daemon.RepairResult,
  { name, took }: IntegrityHeading,
  { style, full }: IntegrityTextOptions,
): string {
  const pairs: [string, Cell][] = [
    ['store', { text: name, paint: style.strong }],
    ['result', { text: repairSentence(result), paint: style.good }],
    ['records', formatCount(result.records)],
  ]
  if (result.fetchedFrom.length > 0) pairs.push(['fetched from', formatId(result.fetchedFrom, full)])
  if (result.lost > 0n) pairs.push(['unreadable', `${formatPlural(result.lost, 'record')} of the damaged log`])
  if (result.salvaged > 0n)
    pairs.push(['salvaged', `${formatPlural(result.salvaged, 'intention')} that only the damaged log had`])
  if (result.waiting > 0n) {
    const waiting = `${formatPlural(result.waiting, 'intention')} for others that are not here`
    pairs.push(['waiting', { text: waiting, paint: style.warn }])
  }
  if (result.held !== '') pairs.push(['writes', { text: `held: ${result.held}`, paint: style.warn }])
  if (result.kept !== '') pairs.push(['kept', result.kept])
  pairs.push(['took', took])
  return renderPairs(pairs, style)
}

function repairSentence({ outcome }: daemon.RepairResult): string {
  switch (outcome) {
    case daemon.RepairOutcome.SOUND:
      return 'nothing was wrong'
    case daemon.RepairOutcome.REBUILT:
      return 'made anew from its own records'
    case daemon.RepairOutcome.RESTORED:
      return 'whole again'
    default:
      return 'unknown'
  }
}

/** `1,200`, or `10,000 of 1,000,000`. */
function counted(checked: bigint, total: bigint): string {
  return checked === total ? formatCount(total) : `${formatCount(checked)} of ${formatCount(total)}`
}

/** A store that did not open, and what to do about it. */
export function failedStoreText(store: daemon.StoreInfo, { style }: Pick<IntegrityTextOptions, 'style'>): string {
  const short = toHex(store.id).slice(0, 12)
  return renderPairs(
    [
      ['store', { text: store.path === '' ? store.name : store.path, paint: style.strong }],
      ['id', toHex(store.id)],
      ['type', store.storeType],
      ['state', { text: `failed (${store.errorCode})`, paint: style.bad }],
      ['error', { text: store.error, paint: style.bad }],
      ['to do', `'lattice store verify ${short}' says what is damaged, 'lattice store repair ${short}' mends it`],
    ],
    style,
  )
}
