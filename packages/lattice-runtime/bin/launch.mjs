/**
 * Starts a program of Lattice on a Node that can run it.
 *
 * The native parts need Node 22.14. Under an older one the program continues on the Node that is installed beside it
 * (the npm package `node`), with the same arguments, terminal, signals and exit code. Where there is none, one sentence
 * says what to install. Plain JavaScript with built-in modules only, so that old versions can at least read it.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, realpathSync } from 'node:fs'
import module from 'node:module'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Oldest Node whose native interface (Node-API 10) the add-ons accept. */
const MINIMUM = [22, 14]

function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1])
}

/** The nearest `node_modules/node`, from `folder` upward; undefined when there is none, or it is the one running. */
export function findNode(folder) {
  const binary = join(folder, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (existsSync(binary)) return realpathSync(binary) === realpathSync(process.execPath) ? undefined : binary
  const parent = dirname(folder)
  return parent === folder ? undefined : findNode(parent)
}

/**
 * Runs `main(arguments)` of the module that `load` gives, and leaves its result as the exit code.
 *
 * @param {string} self `import.meta.url` of the program's file
 * @param {() => Promise<{ main: (argv: readonly string[]) => Promise<number> }>} load imports the built program
 */
export async function launch(self, load) {
  const file = fileURLToPath(self)
  if (!isNewEnough(process.versions.node)) return continueOn(findNode(dirname(file)), file)
  keepCompiled(process.env)
  try {
    const { main } = await load()
    process.exitCode = await main(process.argv.slice(2))
  } catch (error) {
    const isUnbuilt = error?.code === 'ERR_MODULE_NOT_FOUND' && /dist[\\/]index\.js'? imported from/.test(error.message)
    console.error(
      isUnbuilt ? 'Lattice is not built yet: run `npm run build` in its folder.' : (error?.message ?? error),
    )
    process.exitCode = 1
  }
}

/**
 * Keeps what is compiled for the next time, a quarter of what a short command takes, in the user's own cache (the XDG base
 * directory specification): what lies there is run. Where that cannot be, it is compiled each time.
 */
function keepCompiled({ NODE_COMPILE_CACHE: chosen, XDG_CACHE_HOME: xdg = '', HOME: home = homedir() }) {
  if (chosen !== undefined) return
  const folder = join(isAbsolute(xdg) ? xdg : join(home, '.cache'), 'lattice', 'compiled')
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch {
    return
  }
  module.enableCompileCache?.(folder)
}

function continueOn(node, file) {
  if (node === undefined) {
    console.error(
      `Lattice needs Node ${MINIMUM.join('.')} or newer and this is ${process.versions.node}: install a newer one from https://nodejs.org.`,
    )
    process.exitCode = 1
    return
  }
  const child = spawn(node, [file, ...process.argv.slice(2)], { stdio: 'inherit' })
  const forward = (signal) => {
    // A terminal sends SIGINT to parent and child alike; the child must not see it twice.
    if (signal !== 'SIGINT' || process.stdin.isTTY !== true) child.kill(signal)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, forward)
  child.on('error', (error) => {
    console.error(`Lattice could not continue on ${node}: ${error.message}`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    for (const name of signals) process.removeListener(name, forward)
    // Ends as the child ended, so that a caller sees the same.
    if (signal === null) process.exitCode = code
    else process.kill(process.pid, signal)
  })
}
