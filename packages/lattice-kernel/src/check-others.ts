/**
 * Looks at what a log keeps beside its records and what is derived from them: what floats, what proves forks, and the form
 * of its tables.
 *
 * @module
 */
import { type Crypto, decodeIntention, equalBytes, intentionId, toIntentionId, verifyTagged } from '@lattice/model'
import { type Database, schemaOf, schemaProblem, toPlainBytes } from '@lattice/storage'
import type { CheckedRecords } from './check-records.ts'
import { LOG_APPLICATION_ID, LOG_MIGRATIONS, type FloatingRow, type ForkRow } from './log-schema.ts'
import { versionOf } from './log-meta.ts'
import { reasonOf } from './record-scan.ts'
import type { VerifyProblem } from './verify-types.ts'

/** What is wrong with the tables' form, which decides whether anything else can be read. */
export function checkSchema(database: Database): readonly string[] {
  try {
    const expected = schemaOf({
      applicationId: LOG_APPLICATION_ID,
      // A log that is only read stays in the form it was written in.
      migrations: LOG_MIGRATIONS.slice(0, Math.max(1, versionOf(database))),
    })
    const problem = schemaProblem(database, expected)
    return problem === undefined ? [] : [problem]
  } catch (error) {
    return [reasonOf(error)]
  }
}

/** What is wrong with the rows of what floats. */
export function checkFloating(database: Database, crypto: Crypto): readonly string[] {
  try {
    const rows = database.prepare<FloatingRow>('SELECT * FROM floating ORDER BY arrival').all()
    return rows.flatMap((row) =>
      isFloating(crypto, row) ? [] : [`row ${row.arrival} is not an intention with its id`],
    )
  } catch (error) {
    return [reasonOf(error)]
  }
}

function isFloating(crypto: Crypto, { id, bytes: stored, signature }: FloatingRow): boolean {
  const bytes = toPlainBytes(stored)
  const decoded = decodeIntention(bytes)
  if (!decoded.ok || !equalBytes(intentionId(crypto, bytes), id)) return false
  if (signature === null) return true
  const signed = { tag: 'lattice/intention/v1', hash: toIntentionId(toPlainBytes(id)), signature } as const
  return verifyTagged(crypto, decoded.value.author, signed)
}

/** What is wrong with the proofs of forks. */
export function checkForks(database: Database, { seen, lanes }: CheckedRecords): readonly string[] {
  try {
    // Each branch is a lane, also where the author forked at the genesis, which may be another's. Some numbers may be free.
    const begun = new Set<number>()
    const forked = new Set<number>()
    for (const { author } of Object.values(lanes)) (begun.has(author) ? forked : begun).add(author)
    const rows = database.prepare<ForkRow>('SELECT * FROM forks').all()
    const isProof = ({ author, first_seq: first, second_seq: second }: ForkRow): boolean =>
      forked.has(author) && [first, second].every((seq) => seen.idAt(seq) !== undefined)
    return rows.every(isProof) ? [] : ['a proof of a fork is none']
  } catch (error) {
    return [reasonOf(error)]
  }
}

/** As problems of a kind. */
export function asProblems(
  kind: VerifyProblem['kind'],
  name: string,
  sentences: readonly string[],
): readonly VerifyProblem[] {
  return sentences.map((sentence) => ({ kind, seq: undefined, id: undefined, what: `${name}: ${sentence}` }))
}
