/**
 * Writes `docs/limits.md` from the named constants in the sources. See lib/limits.mjs.
 *
 *   node scripts/limits.mjs           writes it
 *   node scripts/limits.mjs --check   writes nothing; fails when it is not what would be written
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { limitsPage, readLimits } from './lib/limits.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const path = join(root, 'docs', 'limits.md')
const page = limitsPage(readLimits(root))

if (!process.argv.includes('--check')) writeFileSync(path, page)
else if (!existsSync(path) || readFileSync(path, 'utf8') !== page) {
  console.error('docs/limits.md is not what the constants say: run `npm run generate` and commit the result')
  process.exitCode = 1
}
