/**
 * Entry of the thread that folds a copy's write-ahead log into it; see settle-copy.ts.
 *
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import { type FoldAnswer, foldCopy, type FoldRequest } from './fold-copy.ts'

function fold(): FoldAnswer {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The starter is this package.
    foldCopy((workerData as FoldRequest).path)
    return {}
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'SQLITE_ERROR'
    return { failure: { code, message: error instanceof Error ? error.message : String(error) } }
  }
}

parentPort?.postMessage(fold())
