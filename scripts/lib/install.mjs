/**
 * Brings node_modules in line with the lockfile, or does nothing when it already is.
 *
 * A stamp under node_modules holds a hash of everything an install depends on, and is written only after an install
 * that succeeded: an interrupted one is simply done again.
 *
 * Runs on any Node from 18 on, with built-in modules only.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { capture } from './terminal.mjs'
import { isOnPath, packageManager, pinnedNode, root, toolEnvironment, workspaceFolders } from './workspace.mjs'

export const MIN_NODE_MAJOR = 18

const stampPath = join(root, 'node_modules', '.lattice-install')

/** What this machine lacks, as a sentence that says what to do; undefined when nothing. */
export function missingRequirement() {
  if (Number(process.versions.node.split('.')[0]) < MIN_NODE_MAJOR) {
    return `Node ${process.versions.node} is too old to start the build: install Node ${MIN_NODE_MAJOR} or newer from https://nodejs.org.`
  }
  if (!isOnPath('npm') || !isOnPath('npx')) {
    return 'npm and npx were not found: install Node from https://nodejs.org, or the npm package of your system.'
  }
  if (!isOnPath('git')) return 'git was not found: install it with the package manager of your system.'
  return undefined
}

/** Not of the running Node: npm puts the workspace's own first on the PATH once it is installed. */
function fingerprint() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`)
  const inputs = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json'].map((name) => join(root, name))
  for (const path of [...inputs, ...workspaceFolders().map((folder) => join(folder, 'package.json'))]) {
    hash.update(path.slice(root.length)).update('\0').update(readFileSync(path)).update('\0')
  }
  return hash.digest('hex')
}

const isInstalled = () =>
  existsSync(stampPath) && readFileSync(stampPath, 'utf8') === fingerprint() && pinnedNode() !== undefined

/** One step's work, see `step`. */
export async function install() {
  if (isInstalled()) return { ok: true, note: 'up to date' }
  rmSync(stampPath, { force: true })
  const args = ['--yes', packageManager(), 'install', '--frozen-lockfile', '--reporter=append-only']
  // CI=true makes pnpm ask nothing, as when it would replace a node_modules of another layout.
  const result = await capture('npx', args, {
    cwd: root,
    env: { ...toolEnvironment(), PATH: process.env.PATH, CI: 'true' },
  })
  if (result.ok && pinnedNode() === undefined) {
    return {
      ok: false,
      output: 'The workspace’s own Node is missing after the install: delete node_modules and try again.',
    }
  }
  if (result.ok) writeFileSync(stampPath, fingerprint())
  return result.ok ? { ok: true } : { ok: false, output: `${explain(result.output)}\n\n${lastLines(result.output)}` }
}

const EXPLANATIONS = [
  [
    /OUTDATED_LOCKFILE|frozen-lockfile/i,
    'pnpm-lock.yaml does not match the package.json files: run `npx PNPM install`, and commit the lockfile.',
  ],
  [/ENOSPC/, 'The disk is full: free some space and try again.'],
  [/EACCES|EPERM/, 'A file could not be written: check who owns this folder and ~/.npm.'],
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|CERT|META_FETCH_FAIL|FETCH_\d|E40\d|E50\d|ETARGET|network/i,
    'The npm registry did not give what is needed: check the network, the proxy, and `npm config get registry`, then try again.',
  ],
]

function explain(output) {
  const known = EXPLANATIONS.find(([pattern]) => pattern.test(output))
  return known === undefined
    ? 'The install failed; pnpm’s last lines follow.'
    : known[1].replace('PNPM', packageManager())
}

const lastLines = (text) => text.trimEnd().split('\n').slice(-15).join('\n')
