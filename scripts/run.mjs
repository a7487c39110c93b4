/**
 * The root commands: `npm start`, `npm test` and the smaller ones. Each installs what is missing, builds what changed,
 * and runs on the workspace's own Node, whatever Node the shell has.
 *
 *   node scripts/run.mjs start|test|build|check|format|generate|example|matrix|bench|sim [-- arguments]
 *
 * Runs on any Node from 18 on, with built-in modules only.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { build, checkAll } from './lib/checks.mjs'
import { install, missingRequirement } from './lib/install.mjs'
import { runMatrix } from './lib/matrix.mjs'
import { foreground, step } from './lib/terminal.mjs'
import { pinnedNode, root, tool, toolEnvironment } from './lib/workspace.mjs'

const simulation = join(root, 'packages', 'lattice-testkit', 'src', 'simulation', 'main.ts')
const demonstration = join(root, 'scripts', 'demo', 'main.mjs')

/** Runs a program in the foreground with the workspace's environment; resolves to its exit code. */
const run = (program, args) => foreground(program, args, { cwd: root, env: toolEnvironment() })

async function ready({ withBuild }) {
  if (!(await step('install', install)).ok) return false
  return !withBuild || (await step('build', build)).ok
}

async function start(args) {
  if (!(await ready({ withBuild: true }))) return 1
  if (!existsSync(demonstration)) {
    console.error('scripts/demo/main.mjs is missing: restore it from git.')
    return 1
  }
  return run(pinnedNode(), [demonstration, ...args])
}

/** The last line is for machines too: `tests: N passed, N failed`, alone. */
function report({ passed, failed }) {
  console.log(`tests: ${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

async function check({ withTests }) {
  if (!(await ready({ withBuild: false }))) return report({ passed: 0, failed: 1 })
  const built = await step('build', build)
  const { passed, failed } = await checkAll({ withTests })
  return report({ passed: passed + (built.ok ? 1 : 0), failed: failed + (built.ok ? 0 : 1) })
}

async function matrix(args) {
  if (!(await ready({ withBuild: true }))) return report({ passed: 0, failed: 1 })
  return report(await runMatrix(args))
}

/** On what a user would run: the build, not the sources. */
async function bench(args) {
  if (!(await ready({ withBuild: true }))) return 1
  return run(pinnedNode(), [join(root, 'bench', 'src', 'main.ts'), ...args])
}

/** One of `examples/`, on the build as a user would run it. */
async function example([name = '', ...args]) {
  const program = join(root, 'examples', name, 'src', 'main.ts')
  if (!existsSync(program)) {
    console.error(`there is no example '${name}': choose a folder of examples/ that has a src/main.ts.`)
    return 2
  }
  if (!(await ready({ withBuild: true }))) return 1
  return run(pinnedNode(), [program, ...args])
}

const afterInstall = (work) => async (args) => ((await ready({ withBuild: false })) ? work(args) : 1)

const COMMANDS = {
  start,
  test: () => check({ withTests: true }),
  check: () => check({ withTests: false }),
  build: async () => ((await ready({ withBuild: true })) ? 0 : 1),
  format: afterInstall((args) => run(tool('oxfmt'), args)),
  generate: afterInstall(async (args) => {
    const codecs = await run(pinnedNode(), [join(root, 'scripts', 'generate.mjs'), ...args])
    const page = await run(pinnedNode(), [join(root, 'scripts', 'limits.mjs'), ...args])
    return Math.max(codecs, page)
  }),
  example,
  matrix,
  bench,
  sim: afterInstall((args) => run(pinnedNode(), ['--conditions=source', '--no-warnings', simulation, ...args])),
}

async function main([name, ...rest]) {
  const missing = missingRequirement()
  if (missing !== undefined) {
    console.error(missing)
    return name === 'test' ? report({ passed: 0, failed: 1 }) : 1
  }
  const command = Object.hasOwn(COMMANDS, name ?? '') ? COMMANDS[name] : undefined
  if (command === undefined) {
    console.error(`usage: node scripts/run.mjs ${Object.keys(COMMANDS).join('|')} [-- arguments]`)
    return 2
  }
  return command(rest[0] === '--' ? rest.slice(1) : rest)
}

process.exitCode = await main(process.argv.slice(2))
