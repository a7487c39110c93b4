/**
 * The command line of the benchmarks.
 *
 * @module
 */
import { parseArgs } from 'node:util'
import { ALL_ROWS, RIVAL_ROWS, ROWS } from './rows.ts'

export interface BenchOptions {
  readonly help: boolean
  readonly rows: readonly string[]
  readonly quick: boolean
  /** Exit 1 when a goal is missed. */
  readonly check: boolean
  /** Where to write the results as one document; `-` for standard output. */
  readonly json: string | undefined
}

export const USAGE: string = `usage: npm run bench -- [options]
  --row 1,2     only these rows: ${ALL_ROWS.map(({ id }) => id).join(', ')}
  --rivals      only what others reach on the same tasks, side by side
  --quick       small sizes and few repeats: a first look, in a minute or two
  --check       exit 1 when a goal is missed
  --json FILE   write the results as one JSON document; - writes it to standard output instead of the table
  --help
Files go to the system's temporary directory (TMPDIR): it has to lie on the disk that is to be measured.`

/** The options, or one sentence that says what is wrong with them. */
export function parseOptions(args: readonly string[]): BenchOptions | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        row: { type: 'string' },
        rivals: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        check: { type: 'boolean', default: false },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
    const rows = chosenRows(values)
    const unknown = rows.find((id) => ALL_ROWS.every((row) => row.id !== id))
    if (unknown !== undefined) return `there is no row '${unknown}'`
    return { help: values.help, rows, quick: values.quick, check: values.check, json: values.json }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function chosenRows({ row, rivals }: { readonly row?: string; readonly rivals: boolean }): readonly string[] {
  if (row === undefined) return (rivals ? RIVAL_ROWS : ROWS).map(({ id }) => id)
  const named = row.split(',').map((id) => id.trim())
  return rivals ? [...named, ...RIVAL_ROWS.map(({ id }) => id)] : named
}
