/**
 * Where things are in the workspace, and the environment its programs run in.
 *
 * Runs on any Node from 18 on, with built-in modules only.
 */
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const isWindows = process.platform === 'win32'

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '')
export const binFolder = join(root, 'node_modules', '.bin')

export const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))

/** The one place that names the version of pnpm: `packageManager` of the root package.json, as `pnpm@x.y.z`. */
export const packageManager = () => readJson(join(root, 'package.json')).packageManager

/** The folders of all packages and apps, sorted. */
export function packageFolders() {
  return ['packages', 'apps']
    .flatMap((group) => readdirSync(join(root, group)).map((name) => join(root, group, name)))
    .filter((folder) => existsSync(join(folder, 'package.json')))
    .sort()
}

/** The folders of everything that declares dependencies: packages, apps and what is never published. */
export const workspaceFolders = () => [...packageFolders(), join(root, 'bench'), join(root, 'examples', 'counter')]

/** The workspace's own Node, or undefined before the first install. */
export function pinnedNode() {
  const home = join(root, 'node_modules', 'node')
  const candidates = isWindows ? [join(home, 'bin', 'node.exe')] : [join(home, 'bin', 'node'), join(binFolder, 'node')]
  return candidates.find((path) => existsSync(path))
}

/** Whether `program` can be started by name. */
export function isOnPath(program) {
  const names = isWindows ? [`${program}.cmd`, `${program}.exe`] : [program]
  return (process.env.PATH ?? '')
    .split(delimiter)
    .some((folder) => names.some((name) => isExecutable(join(folder, name))))
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The environment of every tool: the workspace's programs first, the pinned Node among them; no telemetry, no notices. */
export function toolEnvironment() {
  return {
    ...process.env,
    PATH: `${binFolder}${delimiter}${process.env.PATH ?? ''}`,
    DO_NOT_TRACK: '1',
    TURBO_TELEMETRY_DISABLED: '1',
    TURBO_NO_UPDATE_NOTIFIER: '1',
    NO_UPDATE_NOTIFIER: '1',
    npm_config_update_notifier: 'false',
    // Versions are exact, so what npm has cached is right: a later run needs no network.
    npm_config_prefer_offline: 'true',
  }
}

/** Path of a program that a dependency of the workspace installs. */
export const tool = (name) => join(binFolder, isWindows ? `${name}.cmd` : name)
