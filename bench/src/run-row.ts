/**
 * A process that measures one row and answers with its figures. Each row has one of its own, so that no row's memory or
 * compiled code shows in the figures of another.
 *
 *   node --expose-gc run-row.ts <row> full|quick <folder>
 *
 * @module
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { assert } from '@lattice/model'
import type { RowContext } from './row.ts'
import { ALL_ROWS } from './rows.ts'

const [id, mode, root] = process.argv.slice(2)
const row = ALL_ROWS.find((candidate) => candidate.id === id)
assert(row !== undefined && root !== undefined, 'the process is told which row, and where')
const quick = mode === 'quick'
const fixtures = join(root, 'fixtures')
mkdirSync(fixtures, { recursive: true })
const own = mkdtempSync(join(root, `row-${row.id}-`))
const context: RowContext = {
  quick,
  size: (full, small) => (quick ? small : full),
  folder: () => mkdtempSync(join(own, 'store-')),
  fixtures,
  progress: (sentence) => process.stderr.write(`   ${sentence} …\n`),
  warmUps: 1,
  repeats: quick ? 3 : 5,
}
const figures = await row.run(context)
rmSync(own, { recursive: true, force: true })
process.send?.(figures)
