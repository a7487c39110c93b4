/**
 * The calm output of the root commands: one line per step with its seconds; what a step printed is shown only when it
 * failed. On a terminal the running step shows its seconds; elsewhere nothing moves and nothing is coloured.
 *
 * Runs on any Node from 18 on, with built-in modules only.
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'

const isTerminal = process.stdout.isTTY === true && process.env.CI === undefined
const hasColour = isTerminal && process.env.NO_COLOR === undefined

const paint = (code) => (text) => (hasColour ? `\u001b[${code}m${text}\u001b[0m` : text)
const green = paint(32)
const red = paint(31)
const dim = paint(2)

/** Longest name of a step; keeps the columns straight. */
const NAME_WIDTH = 12
/** What is kept of one step's output: enough for every message of a bad day, bounded for a runaway process. */
const MAX_OUTPUT_CHARS = 2_000_000

const secondsSince = (startMs) => `${((performance.now() - startMs) / 1000).toFixed(1)} s`

/**
 * Runs `work` as one step and prints its line. `work` resolves to `{ ok, note?, output? }`; `output` is printed when it
 * is not ok. A throw is a failed step, not the end of the run.
 */
export async function step(name, work) {
  const startMs = performance.now()
  const label = name.padEnd(NAME_WIDTH)
  const show = () => process.stdout.write(`\r${dim('·')} ${label} ${dim(secondsSince(startMs))}`)
  const ticker = isTerminal ? setInterval(show, 1000) : undefined
  if (isTerminal) show()
  let result
  try {
    result = await work()
  } catch (error) {
    result = { ok: false, output: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
  clearInterval(ticker)
  const sign = result.ok ? green('✓') : red('✗')
  const note = result.note === undefined ? '' : `  ${dim(result.note)}`
  process.stdout.write(
    `${isTerminal ? '\r\u001b[K' : ''}${sign} ${label} ${secondsSince(startMs).padStart(7)}${note}\n`,
  )
  if (!result.ok && result.output) process.stdout.write(`${indent(result.output)}\n`)
  return result
}

const indent = (text) => text.trimEnd().replace(/^/gm, '    ')

/** The children that are running now; a signal to this process reaches each of them. */
const children = new Set()
let signalled

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    const known = signalled !== undefined
    signalled = signal
    // A terminal sends SIGINT to the whole group; a child that handled it must not see it twice.
    if (!(signal === 'SIGINT' && isTerminal)) for (const child of children) child.kill(signal)
    if (known || children.size === 0) process.exit(128 + constants.signals[signal])
  })
}

/** Resolves to the exit code once the child has ended; a death by signal is 128 + its number, as shells have it. */
function exitCodeOf(child, onError) {
  children.add(child)
  return new Promise((resolve) => {
    const settle = (code) => {
      children.delete(child)
      resolve(code)
    }
    child.on('error', (error) => {
      onError(error)
      settle(127)
    })
    child.on('close', (code, signal) => settle(code ?? 128 + (constants.signals[signal] ?? 0)))
  })
}

/** Runs a program with its output captured and no input. Ends this process when it was itself told to end. */
export async function capture(command, args, { cwd, env } = {}) {
  let output = ''
  const keep = (chunk) => {
    output = `${output}${chunk}`.slice(-MAX_OUTPUT_CHARS)
  }
  const child = spawn(command, args, {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32' && !command.endsWith('.exe'),
  })
  child.stdout.setEncoding('utf8').on('data', keep)
  child.stderr.setEncoding('utf8').on('data', keep)
  const code = await exitCodeOf(child, (error) => keep(error.message))
  if (signalled !== undefined) process.exit(128 + constants.signals[signalled])
  return { ok: code === 0, code, output }
}

/** Runs a program in the foreground, on this terminal. Resolves to its exit code. */
export async function foreground(command, args, { cwd, env } = {}) {
  const child = spawn(command, args, { cwd, env, stdio: 'inherit' })
  return exitCodeOf(child, (error) => console.error(error.message))
}
