/**
 * Runs real daemons for tests: processes of their own, from source, on loopback.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connectBackend, type LatticeBackend } from '@lattice/api'

const ENTRY = join(import.meta.dirname, 'run-from-source.mjs')

export interface DaemonProcess {
  readonly dataDir: string
  readonly backend: LatticeBackend
  /** Ends the process by a signal and resolves with how it ended. */
  readonly end: (signal: NodeJS.Signals) => Promise<{ readonly code: number | null; readonly signal: string | null }>
}

export interface Ended {
  readonly code: number | null
  readonly stderr: string
}

function launch(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, ['--conditions=source', ENTRY, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
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

/** Starts a daemon and connects to it once it says that it is ready. */
export async function startDaemon(dataDir: string, flags: readonly string[] = []): Promise<DaemonProcess> {
  const child = launch(['--data-dir', dataDir, '--no-relay', '--bind', '127.0.0.1:0', ...flags])
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
    backend,
    end: async (signal) => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      const [code, ending] = await exited
      await backend.close()
      return { code, signal: ending }
    },
  }
}
