/**
 * Checks that every package's README stays short and that its examples are true: each ```ts block is type-checked and
 * run against the sources, and must exit 0. A block that starts with `// sketch` is only shown.
 *
 * A block becomes a file inside its package for the time of the check, so that it imports what a user would import and
 * what the package declares.
 *
 * The guides in `docs/` quote instead: each block of code names a source file on its opening line and stands in that file
 * word for word, so what is read is what the tests run.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { examplesOf, quotesOf } from './lib/readme.mjs'
import { root, tool, workspaceFolders } from './lib/workspace.mjs'

const MAX_README_LINES = 60
/** An example that takes longer waits for something that never comes. */
const EXAMPLE_TIMEOUT_MS = 20_000

let failed = false
function fail(sentence, detail = '') {
  console.error(`${sentence}${detail === '' ? '' : `\n${detail.trimEnd().replace(/^/gm, '  ')}`}`)
  failed = true
}

/** Writes the examples of one package; returns the folder that holds them, or undefined when there are none. */
function extract(folder) {
  const readme = join(folder, 'README.md')
  const name = relative(root, folder)
  if (!existsSync(readme)) return fail(`${name}: README.md is missing`)
  const text = readFileSync(readme, 'utf8')
  const lines = text.trimEnd().split('\n').length
  if (lines > MAX_README_LINES) fail(`${name}: README.md has ${lines} lines, more than ${MAX_README_LINES}`)
  const examples = examplesOf(text)
  if (examples.length === 0 && name.startsWith('packages')) fail(`${name}: README.md has no runnable \`\`\`ts example`)
  if (examples.length === 0) return undefined
  const scratch = join(folder, '.readme-examples')
  rmSync(scratch, { recursive: true, force: true })
  mkdirSync(scratch)
  const files = examples.map((code, index) => {
    const file = join(scratch, `example-${index + 1}.ts`)
    writeFileSync(file, code)
    return file
  })
  const config = {
    extends: '../../../tsconfig.base.json',
    compilerOptions: {
      types: ['node'],
      typeRoots: [join(root, 'node_modules', '@types')],
      isolatedDeclarations: false,
      declaration: false,
      noUnusedLocals: false,
    },
    files: files.map((file) => `./${basename(file)}`),
  }
  writeFileSync(join(scratch, 'tsconfig.json'), JSON.stringify(config))
  return { name, scratch, files }
}

function check({ name, scratch, files }) {
  const types = spawnSync(tool('tsc'), ['--noEmit', '-p', scratch], { encoding: 'utf8' })
  if (types.status !== 0) fail(`${name}: the README's example has type errors`, `${types.stdout}${types.stderr}`)
  for (const file of files) {
    const run = spawnSync(process.execPath, ['--conditions=source', file], {
      cwd: scratch,
      encoding: 'utf8',
      timeout: EXAMPLE_TIMEOUT_MS,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    if (run.status !== 0) fail(`${name}: ${basename(file)} of the README fails`, `${run.stdout}${run.stderr}`)
  }
}

function checkGuide(name) {
  const guide = join('docs', name)
  for (const { path, code, line } of quotesOf(readFileSync(join(root, guide), 'utf8'))) {
    const place = `${guide}:${line}`
    if (path === undefined) fail(`${place}: the block names no source file: write it after the language`)
    else if (!existsSync(join(root, path))) fail(`${place}: there is no ${path}`)
    else if (!readFileSync(join(root, path), 'utf8').includes(code)) fail(`${place}: ${path} does not have`, code)
  }
}

for (const name of readdirSync(join(root, 'docs')).filter((file) => file.endsWith('.md'))) checkGuide(name)
for (const folder of workspaceFolders()) {
  const examples = extract(folder)
  if (examples === undefined) continue
  try {
    check(examples)
  } finally {
    rmSync(examples.scratch, { recursive: true, force: true })
  }
}
if (failed) process.exitCode = 1
