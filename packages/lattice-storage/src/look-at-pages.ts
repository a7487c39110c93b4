/**
 * What SQLite says of the structure of a file.
 *
 * @module
 */
import Sqlite from 'better-sqlite3'

export interface PageCheckRequest {
  readonly path: string
  readonly full: boolean
}

export interface PageCheckAnswer {
  readonly problems: readonly string[]
}

type Row = Readonly<Record<string, unknown>>

/** Sentences asked for: the first tell enough. */
const SENTENCES_MAX = 8

export function pragmaOf(full: boolean): string {
  return `PRAGMA ${full ? 'integrity_check' : 'quick_check'}(${SENTENCES_MAX})`
}

export function sentencesOf(rows: readonly Row[]): readonly string[] {
  return rows.flatMap((row) => Object.values(row).map(String)).filter((sentence) => sentence !== 'ok')
}

/** Opens the file for reading; what cannot be opened is a sentence, too. */
export function lookAtPages({ path, full }: PageCheckRequest): readonly string[] {
  try {
    const handle = new Sqlite(path, { readonly: true, fileMustExist: true })
    try {
      return sentencesOf(handle.prepare<[], Row>(pragmaOf(full)).all())
    } finally {
      handle.close()
    }
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}
