/**
 * Daemons in processes of their own, as users run them, on loopback.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connectBackend, type LatticeBackend } from '@lattice/api'
import { type StoreId, toHex } from '@lattice/model'

export interface Daemon extends AsyncDisposable {
  readonly backend: LatticeBackend
  /** Of the log of a store, with what is written and not taken into the file yet. */
  readonly logBytes: (storeId: StoreId) => number
}

const ENTRY = new URL('run-daemon.ts', import.meta.url).pathname
/** Nobody else is to be found or to find it. */
const ON_LOOPBACK = ['--no-relay', '--no-lan', '--bind', '127.0.0.1:0']

/** Starts one on a folder; resolves once it serves. */
export async function startDaemon(directory: string): Promise<Daemon> {
  const argv = ['--conditions=source', '--disable-warning=ExperimentalWarning', ENTRY, '--data-dir', directory]
  const child = spawn(process.execPath, [...argv, ...ON_LOOPBACK], { stdio: ['ignore', 'pipe', 2] })
  await ready(child)
  const backend = await connectBackend({ socket: join(directory, 'lattice.sock') })
  return {
    backend,
    logBytes: (storeId) => {
      const path = join(directory, 'stores', toHex(storeId), 'log.db')
      return [path, `${path}-wal`].reduce(
        (sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0),
        0,
      )
    },
    [Symbol.asyncDispose]: async () => {
      await backend.close()
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function ready(child: ChildProcess): Promise<void> {
  if (child.stdout === null) throw new TypeError('stdout is a pipe')
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('latticed ready')) {
      child.stdout.resume()
      return
    }
  }
  throw new Error('the daemon ended before it was ready')
}
