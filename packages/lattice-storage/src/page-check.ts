/**
 * Has SQLite look through the structure of a file. It does so in one go, which takes as long as reading the file: so in a
 * thread of its own, and for a file that is held, on a copy of it.
 *
 * @module
 */
import { rmSync } from 'node:fs'
import type { Database } from './database.ts'
import { lookAtPages, type PageCheckAnswer, type PageCheckRequest, pragmaOf, sentencesOf } from './look-at-pages.ts'
import { runThread, type ThreadEntry } from './run-thread.ts'

const ENTRY: ThreadEntry = {
  source: new URL('./page-check-worker.ts', import.meta.url),
  built: new URL('./page-check-worker.js', import.meta.url),
}

/** Answers what is wrong with the structure of a database: a few sentences at most, none when nothing is. */
export interface FileCheck {
  /** A file that nobody holds. `full` also compares SQLite's own indexes with their tables. */
  readonly closed: (path: string, options: { readonly full: boolean }) => Promise<readonly string[]>
  /** A database in use, in full; `copyPath` is free for a copy of it, and is free again afterwards. */
  readonly open: (database: Database, copyPath: string) => Promise<readonly string[]>
}

/** Holds up nobody. */
export const threadedFileCheck: FileCheck = {
  closed: checkInThread,
  open: async (database, copyPath) => {
    try {
      await database.copyTo(copyPath)
      return await checkInThread(copyPath, { full: true })
    } finally {
      rmSync(copyPath, { force: true })
    }
  },
}

/** Within this turn of the event loop: where time is not real, or files are small. */
export const inlineFileCheck: FileCheck = {
  closed: async (path, { full }) => lookAtPages({ path, full }),
  open: async (database) => sentencesOf(database.prepare<Readonly<Record<string, unknown>>>(pragmaOf(true)).all()),
}

async function checkInThread(path: string, { full }: { readonly full: boolean }): Promise<readonly string[]> {
  const request: PageCheckRequest = { path, full }
  try {
    return (await runThread<PageCheckAnswer>(ENTRY, request)).problems
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}
