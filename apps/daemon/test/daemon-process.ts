/**
 * Runs real daemons for tests: processes of their own, from source, on loopback or on hosts of their own.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connectBackend, type LatticeBackend } from '@lattice/api'
import { type Host, onHost } from './namespaces.ts'

/** Dozens of processes load the same sources: compiled once, each starts in half the time. */
const COMPILED = join(import.meta.dirname, '../node_modules/.cache/compiled')
const ENTRY = join(import.meta.dirname, 'run-from-source.mjs')

export interface DaemonProcess {
  readonly dataDir: string
  readonly pid: number
  /** What it said on stderr so far. */
  readonly stderr: () => string
  readonly backend: LatticeBackend
  /** Ends the process by a signal and resolves with how it ended. */
  readonly end: (signal: NodeJS.Signals) => Promise<{ readonly code: number | null; readonly signal: string | null }>
}

export interface Ended {
  readonly code: number | null
  readonly stderr: string
}

/** Nobody else is to be found or to find it: what else runs on the machine is none of a test's business. */
const ON_LOOPBACK = ['--no-relay', '--no-lan', '--bind', '127.0.0.1:0']

function launch(args: readonly string[], host?: Host): ChildProcess {
  const own: readonly string[] = ['--conditions=source', ENTRY, ...args]
  const [command, argv] = host === undefined ? [process.execPath, own] : onHost(host, process.execPath, own)
  const env = { ...process.env, NODE_COMPILE_CACHE: COMPILED }
  return spawn(command, argv, { stdio: ['ignore', 'pipe', 'pipe'], env })
}

/** Starts a daemon that is meant to fail; resolves with what it said. */
export async function startRefused(args: readonly string[]): Promise<Ended> {
  const child = launch(args)
  let stderr = ''
  child.stderr?.on('data', (data: Buffer) => (stderr += data.toString()))
  child.stdout?.resume()
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stderr }
}

/** Starts a daemon on loopback and connects to it once it says that it is ready. */
export function startDaemon(dataDir: string, flags: readonly string[] = []): Promise<DaemonProcess> {
  return attach(dataDir, launch(['--data-dir', dataDir, ...ON_LOOPBACK, ...flags]))
}

/** Starts a daemon on a host, with no flags but these, and connects to it once it says that it is ready. */
export function startDaemonOn(host: Host, dataDir: string, flags: readonly string[]): Promise<DaemonProcess> {
  return attach(dataDir, launch(['--data-dir', dataDir, ...flags], host))
}

async function attach(dataDir: string, child: ChildProcess): Promise<DaemonProcess> {
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>
  let stderr = ''
  child.stderr?.on('data', (data: Buffer) => (stderr += data.toString()))
  if (child.stdout === null) throw new TypeError('stdout is a pipe')
  const lines = createInterface({ input: child.stdout })
  const ready = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      if (line.startsWith('latticed ready')) resolve()
    })
  })
  const early = exited.then(([code]) => {
    throw new Error(`the daemon ended with ${code} before it was ready: ${stderr}`)
  })
  early.catch(() => undefined)
  await Promise.race([ready, early])
  const backend = await connectBackend({ socket: join(dataDir, 'lattice.sock') })
  return {
    dataDir,
    pid: child.pid ?? 0,
    stderr: () => stderr,
    backend,
    end: async (signal) => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      const [code, ending] = await exited
      await backend.close()
      return { code, signal: ending }
    },
  }
}
