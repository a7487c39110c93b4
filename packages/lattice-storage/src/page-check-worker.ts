/**
 * Entry of the thread that looks through a database; see page-check.ts.
 *
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import Sqlite from 'better-sqlite3'

export interface PageCheckRequest {
  readonly path: string
  readonly full: boolean
}

export interface PageCheckAnswer {
  readonly problems: readonly string[]
}

/** Sentences asked for: the first tell enough. */
const SENTENCES_MAX = 8

function check({ path, full }: PageCheckRequest): readonly string[] {
  try {
    const handle = new Sqlite(path, { readonly: true, fileMustExist: true })
    try {
      const pragma = `${full ? 'integrity_check' : 'quick_check'}(${SENTENCES_MAX})`
      const rows = handle.prepare<[], Readonly<Record<string, unknown>>>(`PRAGMA ${pragma}`).all()
      return rows.flatMap((row) => Object.values(row).map(String)).filter((sentence) => sentence !== 'ok')
    } finally {
      handle.close()
    }
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The starter is this package.
const answer: PageCheckAnswer = { problems: check(workerData as PageCheckRequest) }
parentPort?.postMessage(answer)
