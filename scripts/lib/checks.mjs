/**
 * The checks of `npm test`, each one step. All of them run whatever the others found.
 *
 * Runs on any Node from 18 on, with built-in modules only; the checks themselves run on the workspace's own Node.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { capture, step } from './terminal.mjs'
import { packageManager, pinnedNode, root, tool, toolEnvironment } from './workspace.mjs'

const reportPath = join(root, 'node_modules', '.cache', 'lattice', 'vitest.json')

const run = (name, args = []) => capture(tool(name), args, { cwd: root, env: toolEnvironment() })
const script = (name, args = []) =>
  capture(pinnedNode(), [join('scripts', name), ...args], { cwd: root, env: toolEnvironment() })

/** Runs a task of every package, dependencies first; what did not change comes from turbo's local cache. */
async function turbo(task, extra = []) {
  const args = [
    '--yes',
    packageManager(),
    'exec',
    'turbo',
    'run',
    task,
    '--output-logs=errors-only',
    '--cache=local:rw',
    ...extra,
  ]
  const result = await capture('npx', args, { cwd: root, env: toolEnvironment() })
  const counts = /Cached:\s+(\d+) cached, (\d+) total/.exec(result.output)
  return { ...result, note: counts === null ? undefined : `${counts[2]} packages, ${counts[1]} unchanged` }
}

/** One step's work, see `step`. */
export const build = () => turbo('build')

async function types() {
  const packages = await turbo('typecheck', ['--continue=always'])
  const tooling = await run('tsc', ['--noEmit', '-p', '.'])
  return { ...packages, ok: packages.ok && tooling.ok, output: `${packages.output}\n${tooling.output}` }
}

async function format() {
  const result = await run('oxfmt', ['--list-different'])
  return { ...result, output: `not formatted, run \`npm run format\`:\n${result.output}` }
}

const CHECKS = [
  ['layers', () => script('check-layers.mjs')],
  ['types', types],
  ['lint', () => run('oxlint', ['-c', '.oxlintrc.json'])],
  ['format', format],
  ['generated', () => script('generate.mjs', ['--check'])],
  ['limits page', () => script('limits.mjs', ['--check'])],
  ['unused', () => run('knip', ['--no-progress', '--no-config-hints'])],
  ['publishable', () => script('check-publish.mjs')],
  ['readmes', () => script('check-readmes.mjs')],
]

/** Runs every check, then every test. Resolves to how many passed and failed; a check counts as one test. */
export async function checkAll({ withTests }) {
  const total = { passed: 0, failed: 0 }
  for (const [name, work] of CHECKS) {
    const { ok } = await step(name, work)
    total[ok ? 'passed' : 'failed'] += 1
  }
  if (!withTests) return total
  const { counts } = await step('tests', tests)
  return { passed: total.passed + (counts?.passed ?? 0), failed: total.failed + (counts?.failed ?? 1) }
}

async function tests() {
  mkdirSync(dirname(reportPath), { recursive: true })
  rmSync(reportPath, { force: true })
  const result = await run('vitest', [
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${reportPath}`,
  ])
  if (!existsSync(reportPath)) return { ...result, ok: false, counts: { passed: 0, failed: 1 } }
  return summarize(JSON.parse(readFileSync(reportPath, 'utf8')), result)
}

/** Vitest's own counts, plus one failure for a file that could not be loaded and for errors outside any test. */
export function summarize(report, result) {
  const unloadable = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((assertion) => assertion.status === 'failed'),
  ).length
  const found = report.numFailedTests + unloadable
  const failed = found === 0 && !result.ok ? 1 : found
  const counts = { passed: report.numPassedTests, failed }
  const note = `${counts.passed} passed, ${failed} failed, ${report.testResults.length} files`
  return { ok: failed === 0, counts, note, output: result.output }
}
