/**
 * The floor of intentions that are all signed: verification alone, spread over the cores there are.
 *
 * @module
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { ParsedIntention } from '@lattice/model'

/** What a worker verifies: as many signatures by one author as there are hashes. */
export interface VerifyTask {
  readonly author: Uint8Array
  /** 32 bytes each, one after another. */
  readonly hashes: Uint8Array
  /** 64 bytes each. */
  readonly signatures: Uint8Array
}

const HASH = 32
const SIGNATURE = 64

/** Signatures a second with `cores` threads, counted from when all of them are ready. */
export async function verifyOnAllCores(intentions: readonly ParsedIntention[], cores: number): Promise<number> {
  const share = Math.ceil(intentions.length / cores)
  const workers = Array.from({ length: cores }, (_, core) => {
    const workerData = taskOf(intentions.slice(core * share, (core + 1) * share))
    return new Worker(new URL('verify-worker.ts', import.meta.url), { workerData })
  })
  try {
    await Promise.all(workers.map((worker) => once(worker, 'message')))
    const startedMs = performance.now()
    const done = Promise.all(workers.map((worker) => once(worker, 'message')))
    for (const worker of workers) worker.postMessage('go')
    await done
    return (intentions.length / (performance.now() - startedMs)) * 1000
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

function taskOf(intentions: readonly ParsedIntention[]): VerifyTask {
  const hashes = new Uint8Array(intentions.length * HASH)
  const signatures = new Uint8Array(intentions.length * SIGNATURE)
  for (const [index, { id, signature }] of intentions.entries()) {
    hashes.set(id, index * HASH)
    signatures.set(signature, index * SIGNATURE)
  }
  return { author: intentions[0]?.intention.author ?? new Uint8Array(HASH), hashes, signatures }
}
