/**
 * The benchmarks: measures rows in turn and prints what they reach.
 *
 * Exits 0 whatever was reached, unless asked to compare; 1 when a row broke off, 2 for a wrong command line.
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answerOf } from './child.ts'
import { documentOf, missedIn, type RowResult } from './document.ts'
import type { Figure } from './figure.ts'
import { describeMachine } from './machine.ts'
import { type BenchOptions, parseOptions, USAGE } from './options.ts'
import { renderNotes, renderRow, renderTable } from './render.ts'
import type { BenchRow } from './row.ts'
import { ALL_ROWS, RIVAL_ROWS } from './rows.ts'

const INTERRUPTED = 130

async function measureRow(
  row: BenchRow,
  { quick, root, signal }: { readonly quick: boolean; readonly root: string; readonly signal: AbortSignal },
): Promise<RowResult> {
  process.stderr.write(`${row.id}. ${row.task}\n`)
  const args = [row.id, quick ? 'quick' : 'full', root]
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The process answers with nothing else.
    const figures = (await answerOf('run-row.ts', { args, signal })) as readonly Figure[]
    return { row, figures }
  } catch (error) {
    // The other rows are worth having.
    return { row, figures: [], failure: error instanceof Error ? error.message : String(error) }
  }
}

async function run(options: BenchOptions): Promise<number> {
  const { rows, quick, check, json } = options
  const root = mkdtempSync(join(tmpdir(), 'lattice-bench-'))
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => interrupted.abort())
  try {
    const machine = describeMachine(root)
    const results: RowResult[] = []
    for (const row of ALL_ROWS.filter(({ id }) => rows.includes(id))) {
      if (interrupted.signal.aborted) return INTERRUPTED
      results.push(await measureRow(row, { quick, root, signal: interrupted.signal }))
    }
    if (interrupted.signal.aborted) return INTERRUPTED
    const document = `${JSON.stringify(documentOf(results, { quick, machine }), null, 2)}\n`
    if (json === '-') process.stdout.write(document)
    else process.stdout.write(report(results, { quick, machine: machine.summary }))
    if (json !== undefined && json !== '-') writeFileSync(json, document)
    const missed = missedIn(results)
    if (check && missed.length > 0) process.stderr.write(`missed: ${missed.join('; ')}\n`)
    return results.some(({ failure }) => failure !== undefined) || (check && missed.length > 0) ? 1 : 0
  } finally {
    rmSync(root, { recursive: true, force: true, maxRetries: 3 })
  }
}

function report(
  results: readonly RowResult[],
  { quick, machine }: { readonly quick: boolean; readonly machine: string },
): string {
  const isRival = ({ row }: RowResult): boolean => RIVAL_ROWS.some(({ id }) => id === row.id)
  const [rivals, own] = [results.filter(isRival), results.filter((result) => !isRival(result))]
  const tables = [
    ...(own.length > 0 ? [renderTable(own.flatMap(renderRow))] : []),
    ...(rivals.length > 0 ? [renderTable(rivals.flatMap(renderRow), 'rivals')] : []),
  ]
  const mode = quick ? 'Quick: sizes are reduced; the goals are those of full size.' : 'Full sizes.'
  return [`${machine}\n${mode}`, ...tables, renderNotes(results).join('\n'), ''].join('\n\n').trimEnd() + '\n'
}

const options = parseOptions(process.argv.slice(2))
if (typeof options === 'string') {
  process.stderr.write(`${options}\n${USAGE}\n`)
  process.exitCode = 2
} else if (options.help) process.stdout.write(`${USAGE}\n`)
else process.exitCode = await run(options)
