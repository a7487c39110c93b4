/**
 * Has SQLite look through the structure of a file, in a thread of its own: it does so in one go, which takes as long as
 * reading the file.
 *
 * @module
 */
import { Worker } from 'node:worker_threads'
import type { PageCheckAnswer, PageCheckRequest } from './page-check-worker.ts'

/**
 * What is wrong with the structure of the database at `path`, a few sentences at most; none when nothing is. `full` also
 * compares SQLite's own indexes with their tables. The file is only read, and no process may hold it.
 */
export async function checkPages(path: string, { full }: { readonly full: boolean }): Promise<readonly string[]> {
  const request: PageCheckRequest = { path, full }
  const worker = new Worker(entry(), { workerData: request, name: 'lattice-page-check' })
  return new Promise<readonly string[]>((resolve) => {
    worker.once('message', (answer: PageCheckAnswer) => resolve(answer.problems))
    worker.once('error', (error) => resolve([error.message]))
    worker.once('exit', () => resolve(['it could not be looked at']))
  })
}

/** Beside this module in both forms: as source in the workspace, as a built entry in the package. */
function entry(): URL {
  const isSource = import.meta.url.endsWith('.ts')
  return isSource ? new URL('./page-check-worker.ts', import.meta.url) : new URL('./page-check-worker.js', import.meta.url)
}
