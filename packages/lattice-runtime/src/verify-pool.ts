/**
 * A small pool of threads that verify signatures, shared by all stores of a node.
 *
 * Threads are started when there is first something to verify. Until one is ready, and when all are gone, batches are
 * verified in place: the pool may be slow, it is never the reason that something is not verified. The verdicts are the same
 * wherever they are made.
 *
 * @module
 */
import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { type SignatureClaim, type Verifier, verifyIntention } from '@lattice/model'
import type { OpenedCrypto } from '@lattice/model/crypto'
import { packClaims, type VerifySettings } from './verify-protocol.ts'
import { startVerifyThread, type VerifyThread } from './verify-thread.ts'

export interface VerifyPool extends Verifier, AsyncDisposable {
  /** Starts the threads now rather than when they are needed. Resolves when each is ready or lost. */
  readonly start: () => Promise<void>
  /** Ends the threads; later batches are verified in place. Idempotent. */
  readonly close: () => Promise<void>
}

export interface VerifyPoolOptions {
  readonly crypto: OpenedCrypto
  /** From 1 to {@link MAX_VERIFY_THREADS}; one less than the cores there are unless told. */
  readonly threads?: number
  /** Called once, with why the first thread that was lost was. */
  readonly onFault: (why: unknown) => void
  /** Tests start something else. */
  readonly startWorker?: (settings: VerifySettings) => Worker
}

/** Beyond this the one thread that witnesses what they verify is what limits. */
export const MAX_VERIFY_THREADS = 4

export function createVerifyPool({ crypto, threads, onFault, startWorker }: VerifyPoolOptions): VerifyPool {
  const size = Math.min(MAX_VERIFY_THREADS, Math.max(1, threads ?? availableParallelism() - 1))
  let running: readonly VerifyThread[] | undefined
  let closing: Promise<void> | undefined
  let isFaultTold = false

  function tellFault(why: unknown): void {
    if (!isFaultTold) onFault(why)
    isFaultTold = true
  }

  function startThreads(): readonly VerifyThread[] {
    const settings: VerifySettings = { backend: crypto.backend }
    const start = startWorker && { start: startWorker }
    try {
      return Array.from({ length: size }, () => startVerifyThread({ settings, onLost: tellFault, ...start }))
    } catch (error) {
      tellFault(error)
      return []
    }
  }

  /** The ready thread with the least to do. */
  function chooseThread(): VerifyThread | undefined {
    if (closing !== undefined) return undefined
    running ??= startThreads()
    let best: VerifyThread | undefined
    for (const thread of running) {
      if (thread.isReady() && (best === undefined || thread.load() < best.load())) best = thread
    }
    return best
  }

  async function shutDown(): Promise<void> {
    await Promise.all((running ?? []).map((thread) => thread.close()))
  }

  async function start(): Promise<void> {
    if (closing === undefined) running ??= startThreads()
    await Promise.all((running ?? []).map((thread) => thread.started))
  }

  async function close(): Promise<void> {
    closing ??= shutDown()
    return closing
  }

  return {
    verifyBatch: async (claims) => {
      const thread = chooseThread()
      if (thread === undefined) return verifyInPlace(crypto, claims)
      const verdicts = await thread.judge(packClaims(claims))
      return verdicts === undefined ? verifyInPlace(crypto, claims) : claims.map((_, index) => verdicts[index] === 1)
    },
    start,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function verifyInPlace(crypto: OpenedCrypto, claims: readonly SignatureClaim[]): readonly boolean[] {
  return claims.map(({ author, id, signature }) => verifyIntention(crypto, author, { id, signature }))
}
