/**
 * Which lines a file of records has: what is exported is imported the same way.
 *
 * @module
 */
import { UsageError } from '../errors.ts'
import { type LineFormat, readSeparator } from './read-record.ts'

/** Stands for stdin or stdout where a file is asked for. */
export const STDIO = '-'

export function chooseFormat(
  file: string,
  { separator, act }: { readonly separator: string | undefined; readonly act: 'read' | 'written' },
): LineFormat {
  if (separator !== undefined) {
    const bytes = readSeparator(separator)
    if (bytes === undefined) throw new UsageError('the separator is empty: give one such as --separator ";"')
    return { kind: 'separated', separator: bytes }
  }
  if (file === STDIO || /\.(?:jsonl|ndjson)$/iu.test(file)) return { kind: 'json' }
  throw new UsageError(`how are the lines of ${file} to be ${act}?`, {
    hint: 'give --separator for separated text; JSON Lines are in files named .jsonl or .ndjson',
  })
}
