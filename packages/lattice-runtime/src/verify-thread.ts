/**
 * One thread of the pool as its owner sees it: started, ready, gone.
 *
 * A task is answered exactly once: by the thread, or with `undefined` when the thread ended before it.
 *
 * @module
 */
import { Worker } from 'node:worker_threads'
import type { FromVerifyWorker, VerifySettings, VerifyTask } from './verify-protocol.ts'

export interface VerifyThread {
  /** Tasks that it was given and has not answered. */
  readonly load: () => number
  readonly isReady: () => boolean
  /** Resolves when it is ready or gone. */
  readonly started: Promise<void>
  /** Resolves with one byte per claim; with `undefined` when the thread is gone. Only for a thread that is ready. */
  readonly judge: (claims: Uint8Array<ArrayBuffer>) => Promise<Uint8Array | undefined>
  /** Ends the thread. Resolves when it has ended. */
  readonly close: () => Promise<void>
}

export interface VerifyThreadDeps {
  readonly settings: VerifySettings
  /** Called once, when the thread failed to start or ended by itself. */
  readonly onLost: (why: unknown) => void
  /** Tests start something else. */
  readonly start?: (settings: VerifySettings) => Worker
}

/** Starts a thread. It keeps the process alive only while it starts or has something to do. */
export function startVerifyThread({ settings, onLost, start = startWorker }: VerifyThreadDeps): VerifyThread {
  const waiting = new Map<number, (verdicts: Uint8Array | undefined) => void>()
  let nextTask = 0
  let state: 'starting' | 'ready' | 'closing' | 'gone' = 'starting'
  let crash: unknown
  const worker = start(settings)

  function settle(task: number, verdicts: Uint8Array | undefined): void {
    const resolve = waiting.get(task)
    waiting.delete(task)
    if (waiting.size === 0) worker.unref()
    resolve?.(verdicts)
  }
  const started = new Promise<void>((resolve) => {
    worker.on('message', (message: FromVerifyWorker) => {
      if (message.kind === 'verdicts') return settle(message.task, message.verdicts)
      if (message.kind === 'failed') crash = new Error(message.why)
      if (message.kind !== 'ready' || state !== 'starting') return
      state = 'ready'
      worker.unref()
      resolve()
    })
    worker.once('exit', () => resolve())
  })
  worker.on('error', (error: unknown) => {
    crash = error
  })
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', (code) => {
      const wasClosing = state === 'closing'
      state = 'gone'
      for (const task of waiting.keys()) settle(task, undefined)
      if (!wasClosing) onLost(crash ?? new Error(`the thread ended with code ${code}`))
      resolve()
    })
  })

  return {
    load: () => waiting.size,
    isReady: () => state === 'ready',
    started,
    judge: async (claims) => {
      if (state !== 'ready') return undefined
      const task = nextTask
      nextTask += 1
      return new Promise((resolve) => {
        if (waiting.size === 0) worker.ref()
        waiting.set(task, resolve)
        const message: VerifyTask = { task, claims }
        worker.postMessage(message, [claims.buffer])
      })
    },
    close: async () => {
      if (state !== 'gone') {
        state = 'closing'
        await worker.terminate()
      }
      await exited
    },
  }
}

/** The entry lies beside this file in both forms: as source in the workspace, as a built entry in the package. */
function startWorker(workerData: VerifySettings): Worker {
  const isSource = import.meta.url.endsWith('.ts')
  const entry = isSource
    ? new URL('./verify-worker.ts', import.meta.url)
    : new URL('./verify-worker.js', import.meta.url)
  return new Worker(entry, { workerData, name: 'lattice-verify' })
}
