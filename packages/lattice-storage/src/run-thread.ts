/**
 * Runs one of this package's entries in a thread of its own, to its one answer.
 *
 * @module
 */
import { Worker } from 'node:worker_threads'

/** A module beside the caller, in both forms: as source in the workspace, as a built entry in the package. */
export interface ThreadEntry {
  readonly source: URL
  readonly built: URL
}

/** Starts the entry with `request` as its data; resolves with what it answers, rejects when it ends without. */
export async function runThread<Answer>({ source, built }: ThreadEntry, request: unknown): Promise<Answer> {
  const worker = new Worker(import.meta.url.endsWith('.ts') ? source : built, {
    workerData: request,
    name: 'lattice-storage',
  })
  return new Promise<Answer>((resolve, reject) => {
    worker.once('message', (answer: Answer) => resolve(answer))
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('the thread ended without an answer')))
  })
}
