/**
 * The command line of the benchmarks.
 *
 * @module
 */
import { parseArgs } from 'node:util'
import { ROWS } from './rows.ts'

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
  --row 1,2     only these rows: ${ROWS.map(({ id }) => id).join(', ')}
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
        quick: { type: 'boolean', default: false },
        check: { type: 'boolean', default: false },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
    const rows = values.row === undefined ? ROWS.map(({ id }) => id) : values.row.split(',').map((id) => id.trim())
    const unknown = rows.find((id) => ROWS.every((row) => row.id !== id))
    if (unknown !== undefined) return `there is no row '${unknown}'`
    return { help: values.help, rows, quick: values.quick, check: values.check, json: values.json }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
