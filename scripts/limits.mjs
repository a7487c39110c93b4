/**
 * Writes `docs/limits.md` from the named constants in the sources. See lib/limits.mjs.
 *
 *   node scripts/limits.mjs           writes it
 *   node scripts/limits.mjs --check   writes nothing; fails when it is not what would be written
 *
 * Fails, too, where a limit has no comment.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { limitsPage, readLimits } from './lib/limits.mjs'
import { packageFolders, root } from './lib/workspace.mjs'

const path = join(root, 'docs', 'limits.md')

function readPage() {
  try {
    return limitsPage(readLimits(root, packageFolders()))
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return undefined
  }
}

const page = readPage()
if (page === undefined) process.exitCode = 1
else if (!process.argv.includes('--check')) writeFileSync(path, page)
else if (!existsSync(path) || readFileSync(path, 'utf8') !== page) {
  console.error('docs/limits.md is not what the constants say: run `npm run generate` and commit the result')
  process.exitCode = 1
}
