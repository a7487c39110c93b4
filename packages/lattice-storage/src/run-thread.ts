/**
 * Runs one of this package's entries in a thread of its own, to its one answer.
 *
 * @module
 */
import { Worker } from 'node:worker_threads'

/** `entry` names a module beside this one, in both forms: as source in the workspace, as a built entry in the package. */
export async function runThread<Answer>(entry: string, request: unknown): Promise<Answer> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const worker = new Worker(new URL(`./${entry}.${extension}`, import.meta.url), {
    workerData: request,
    name: `lattice-${entry}`,
  })
  return new Promise<Answer>((resolve, reject) => {
    worker.once('message', (answer: Answer) => resolve(answer))
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error(`the thread ${entry} ended without an answer`)))
  })
}
