/**
 * Real processes for tests: a command that runs to its end, and a daemon that
 * runs until it is ended.
 *
 * @module
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const ENTRY = fileURLToPath(new URL('start.ts', import.meta.url))
/** Dozens of processes load the same sources: compiled once, each starts in half the time. */
const COMPILED = fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url))

export interface Finished {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningProcess {
  readonly child: ChildProcessWithoutNullStreams
  /** Resolves with the next line of stdout that holds `text`. */
  readonly line: (text: string) => Promise<string>
  /** Sends the signal and awaits the end; resolves with the exit code. */
  readonly end: (signal: NodeJS.Signals) => Promise<number | null>
}

function spawnLattice(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, ['--conditions=source', ENTRY, ...argv], {
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', NODE_COMPILE_CACHE: COMPILED, ...env },
  })
}

/** Runs `lattice` to its end. */
export async function lattice(argv: readonly string[], input = ''): Promise<Finished> {
  const child = spawnLattice(argv)
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => {
    output.stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    output.stderr += chunk.toString()
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  await once(child, 'close')
  return { exitCode: child.exitCode, ...output }
}

/** Starts `lattice` and leaves it running. */
export function start(argv: readonly string[]): RunningProcess {
  const child = spawnLattice(argv)
  const lines: string[] = []
  let said = ''
  let check = (): void => undefined
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    check()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const closed = once(child, 'close')
  return {
    child,
    line: (text) =>
      new Promise((resolve, reject) => {
        check = () => {
          for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
            if (!line.includes(text)) continue
            // What comes later is for whoever asks next.
            check = () => undefined
            return resolve(line)
          }
        }
        closed.then(() => reject(new Error(`it ended without saying '${text}': ${said}`)), reject)
        check()
      }),
    end: async (signal) => {
      child.kill(signal)
      await closed
      return child.exitCode
    },
  }
}

/** Starts a daemon over `dataDir` and awaits that it serves. */
export async function startDaemon(dataDir: string, ...flags: readonly string[]): Promise<RunningProcess> {
  const daemon = start(['daemon', '--data-dir', dataDir, ...flags])
  await daemon.line('latticed ready')
  return daemon
}
