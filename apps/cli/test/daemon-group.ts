/**
 * Real daemons under one folder for the tests of a file: ended, and their files removed, when these are done.
 *
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectBackend } from '@lattice/api'
import { afterAll, beforeAll, expect } from 'vitest'
import { type Finished, lattice, type RunningProcess, startDaemon } from './processes.ts'

/** Several processes are started and ended per test, on machines with few cores. */
export const SLOW = 60_000

export interface DaemonGroup {
  /** The data directory of the node of this name. */
  readonly folder: (name: string) => string
  /** Starts the daemon of this name. */
  readonly daemon: (name: string, ...flags: readonly string[]) => Promise<RunningProcess>
  /** The command line at the node of this name. */
  readonly on: (name: string) => (...argv: readonly string[]) => Promise<Finished>
  /** Resolves once `condition` holds: it is looked at now, and again whenever something happens at the node of this name. */
  readonly until: (name: string, condition: () => Promise<boolean>) => Promise<void>
  /** What runs and is to be ended with the group. */
  readonly running: Set<RunningProcess>
}

/** Called once at the top of a test file. */
export function createDaemonGroup(prefix: string): DaemonGroup {
  let root = ''
  const running = new Set<RunningProcess>()
  const folder = (name: string): string => join(root, name)

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), prefix))
  })
  afterAll(async () => {
    await Promise.all([...running].map((each) => each.end('SIGKILL')))
    await rm(root, { recursive: true, force: true })
  })

  return {
    folder,
    running,
    daemon: async (name, ...flags) => {
      const started = await startDaemon(folder(name), '--name', name, ...flags)
      running.add(started)
      return started
    },
    on:
      (name) =>
      async (...argv) =>
        lattice(['--data-dir', folder(name), ...argv]),
    until: (name, condition) => untilAt(join(folder(name), 'lattice.sock'), condition),
  }
}

async function untilAt(socket: string, condition: () => Promise<boolean>): Promise<void> {
  await using backend = await connectBackend({ socket })
  const ending = new AbortController()
  const events = backend.node.subscribe({}, { signal: ending.signal })[Symbol.asyncIterator]()
  try {
    let next = events.next()
    // Calls of one connection arrive in order: from here on nothing that happens is missed.
    await backend.node.getStatus({})
    while (!(await condition())) {
      await next
      next = events.next()
    }
    next.catch(() => undefined)
  } finally {
    ending.abort()
  }
}

/** The output of a command that has to succeed. */
export async function ok(finished: Promise<Finished>): Promise<string> {
  const { exitCode, stdout, stderr } = await finished
  expect(exitCode === 0 ? 'ok' : stderr).toBe('ok')
  return stdout
}
