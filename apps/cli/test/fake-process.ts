/**
 * A process in memory for tests: what was printed, and the exit code.
 *
 * @module
 */
import { PassThrough } from 'node:stream'
import type { LatticeBackend } from '@lattice/api'
import type { CliIo } from '../src/io.ts'
import { runCli } from '../src/main.ts'

export interface Ran {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly backend?: LatticeBackend
  readonly stdin?: string
  readonly env?: Readonly<Record<string, string>>
  readonly isTerminal?: boolean
  /** Columns of the terminal. */
  readonly columns?: number
  /** What somebody at the terminal types; stdin is one then. */
  readonly types?: string
  /** Given the means to interrupt, once the command runs. */
  readonly onStart?: (interrupt: (exitCode: number) => void) => void
  /** Ends the reader of stdout after so many chunks. */
  readonly stdout?: CliIo['stdout']
}

/** Follows a key by `lattice watch` until it has the value; what is there already counts. */
export async function watchFor(argv: readonly string[], key: string, value: string): Promise<void> {
  let printed = ''
  let interrupt = (_exitCode: number): void => undefined
  const stdout = Object.assign(new PassThrough(), { isTTY: false, columns: 80 })
  stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString()
    if (printed.includes(value)) interrupt(0)
  })
  const ran = await run([...argv, 'watch', key, 'snapshot=true'], {
    stdout,
    onStart: (handler) => {
      interrupt = handler
    },
  })
  if (!printed.includes(value)) throw new Error(`'${key}' never had the value: ${ran.stderr}`)
}

/** Runs one command line as the shell would. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const printed = { stdout: '', stderr: '' }
  const collect = (name: 'stdout' | 'stderr'): PassThrough => {
    const stream = new PassThrough()
    stream.on('data', (chunk: Buffer) => {
      printed[name] += chunk.toString()
    })
    return Object.assign(stream, { isTTY: options.isTerminal ?? false, columns: options.columns ?? 80 })
  }
  const stdin = Object.assign(new PassThrough(), options.types === undefined ? {} : { isTTY: true })
  stdin.end(options.types ?? options.stdin ?? '')
  let now = 0
  const io: CliIo = {
    stdin,
    stdout: options.stdout ?? collect('stdout'),
    stderr: collect('stderr'),
    env: { LATTICE_DATA_DIR: '/nowhere', ...options.env },
    clock: {
      wallMs: () => 1_700_000_060_000,
      monotonicMs: () => {
        now += 500
        return now
      },
    },
    onInterrupt: (handler) => {
      options.onStart?.(handler)
      return () => undefined
    },
  }
  const { backend } = options
  // Many commands share one fake node, and closing it is the test's.
  const connect =
    backend === undefined ? undefined : () => Promise.resolve({ ...backend, close: () => Promise.resolve() })
  const exitCode = await runCli(argv, io, connect)
  return { exitCode, ...printed }
}
