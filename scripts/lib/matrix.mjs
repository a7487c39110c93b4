/**
 * Runs the tests on every major of Node that users may have. The binaries are npm packages, fetched once into
 * node_modules/.cache.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { capture, step } from './terminal.mjs'
import { root, toolEnvironment } from './workspace.mjs'

/** Supported majors: the oldest whose native interface our add-ons need, the pinned one, and the newest. */
const MAJORS = ['22', '24', '26']

const cache = join(root, 'node_modules', '.cache', 'lattice', 'node')
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')

/** The Node of one major, fetched if it is not there yet. */
async function fetchNode(major) {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  const home = join(cache, major)
  const binary = join(home, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (existsSync(binary)) return { ok: true, binary, output: '' }
  mkdirSync(home, { recursive: true })
  writeFileSync(join(home, 'package.json'), '{ "private": true }\n')
  const args = ['install', '--no-audit', '--no-fund', '--no-package-lock', `${name}@${major}`]
  const result = await capture('npm', args, { cwd: home, env: toolEnvironment() })
  return { ...result, binary }
}

/** Resolves to how many majors passed and failed; `majors` narrows the choice. */
export async function runMatrix(majors) {
  const total = { passed: 0, failed: 0 }
  for (const major of majors.length > 0 ? majors : MAJORS) {
    const { ok } = await step(`node ${major}`, async () => {
      const node = await fetchNode(major)
      if (!node.ok) return node
      return capture(node.binary, [vitest, 'run'], { cwd: root, env: toolEnvironment() })
    })
    total[ok ? 'passed' : 'failed'] += 1
  }
  return total
}
