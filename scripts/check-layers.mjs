/**
 * Checks that every package keeps to its layer, in what it declares and in what it imports. See lib/layers.mjs.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { findViolations } from './lib/layers.mjs'
import { readJson, workspaceFolders } from './lib/workspace.mjs'

function sourceFiles(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return sourceFiles(path)
    return /\.[cm]?[jt]s$/.test(entry.name) ? [path] : []
  })
}

function readPackage(folder) {
  const paths = ['src', 'test', 'bin'].flatMap((part) => sourceFiles(join(folder, part)))
  const files = paths.map((path) => ({
    path: relative(folder, path).replaceAll('\\', '/'),
    text: readFileSync(path, 'utf8'),
  }))
  return { manifest: readJson(join(folder, 'package.json')), files }
}

const packages = workspaceFolders().map(readPackage)
const violations = findViolations(packages)
for (const violation of violations) console.error(violation)
if (violations.length > 0) process.exitCode = 1
else console.log(`${packages.length} packages keep to their layers`)
