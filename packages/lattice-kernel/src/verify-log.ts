/**
 * Looks through a store that nobody has open: also one that refuses to open.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { equalBytes } from '@lattice/model'
import { type Database, openStateReader, type StateCursor, threadedFileCheck, walProblem } from '@lattice/storage'
import { LOG_FILE, STATE_FILE } from './log-schema.ts'
import { openLogFile } from './open-log.ts'
import { createRecordScan, reasonOf } from './record-scan.ts'
import { type VerifyOther, verifyTarget } from './verify.ts'
import type { VerifyLogOptions, VerifyProblem, VerifyReport } from './verify-types.ts'

/**
 * Verifies the store in `directory`. The report says what is wrong; only `signal.reason` and trouble that is no damage
 * (`StorageFailed`, such as another process that holds the file) reject. The records and state are only read.
 */
export async function verifyLog(options: VerifyLogOptions): Promise<VerifyReport> {
  const { directory, storeId, witnessKey } = options
  if (!existsSync(join(directory, LOG_FILE))) return unreadable(options, 'missing', 'there is no such file')
  let database: Database
  try {
    database = openLogFile(directory, { readonly: true })
  } catch (error) {
    if (!isDamage(error)) throw error
    return unreadable(options, 'unreadable', reasonOf(error))
  }
  try {
    const state = peekState(directory)
    const others: VerifyOther[] = [
      { part: 'file', kind: 'unreadable', run: async () => lostCommits(database.path) },
      { part: 'state', kind: 'state', run: async () => stateProblems(database, state, options) },
      {
        part: 'file',
        kind: 'file',
        run: async ({ report }) => {
          report({ part: 'file', done: 0, total: 1 })
          const check = options.fileCheck ?? threadedFileCheck
          const found = await check.closed(database.path, { full: options.full ?? false })
          report({ part: 'file', done: 1, total: 1 })
          return found.map((sentence) => `log.db: ${sentence}`)
        },
      },
    ]
    return await verifyTarget(
      {
        database,
        storeId,
        witnessKey,
        ...(typeof state === 'object' ? { appliedSeq: state.seq } : {}),
        others,
        unchecked: ['whether state is what the log makes: that needs the store open'],
      },
      options,
      options,
    )
  } finally {
    database.close()
  }
}

function lostCommits(path: string): readonly string[] {
  const lost = walProblem(path)
  return lost === undefined ? [] : [`log.db: ${lost}`]
}

/** The cursor of state; a sentence where it is damaged; undefined where there is none. */
function peekState(directory: string): StateCursor | string | undefined {
  const path = join(directory, STATE_FILE)
  if (!existsSync(path)) return undefined
  try {
    const reader = openStateReader(path)
    reader.close()
    return reader.cursor
  } catch (error) {
    return reasonOf(error)
  }
}

function stateProblems(
  database: Database,
  state: ReturnType<typeof peekState>,
  { crypto }: VerifyLogOptions,
): readonly string[] {
  if (state === undefined) return []
  if (typeof state === 'string') return [`${STATE_FILE}: ${state}`]
  if (state.seq === 0) return []
  const [record] = createRecordScan(database, crypto).read(state.seq, state.seq)
  if (record === undefined || 'bad' in record) return []
  if (equalBytes(record.entry.chainHash, state.chainHash)) return []
  return [`${STATE_FILE}: it was made of another record ${state.seq}`]
}

export function isDamage(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'LOG_DAMAGED'
}

/** A log that is not even a database, or is missing. */
function unreadable({ storeId, full }: VerifyLogOptions, kind: 'missing' | 'unreadable', why: string): VerifyReport {
  const problem: VerifyProblem = { kind, seq: undefined, id: undefined, what: `${LOG_FILE}: ${why}` }
  const none = { checked: 0, total: 0 }
  return {
    outcome: 'records',
    full: full ?? false,
    storeId,
    storeType: undefined,
    records: none,
    intentionSignatures: none,
    witnessSignatures: none,
    causes: 0,
    indexEntries: 0,
    stateRows: 0,
    unchecked: ['everything: the file cannot be opened as a log'],
    problems: [problem],
    problemCount: 1,
    firstBad: problem,
    goodBefore: 0,
    goodAfter: 0,
  }
}
