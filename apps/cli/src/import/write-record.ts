/**
 * A record as the line of a file that reads back as that record. Pure.
 *
 * @module
 */
import { concatBytes, equalBytes, err, ok, type Result, utf8Encode } from '@lattice/model'
import { formatBytes } from '../render/bytes-text.ts'
import { type ImportRecord, type LineFormat, readRecord } from './read-record.ts'

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
/** Of UTF-8, which an import leaves out where a file begins with it, and of UTF-16, which it refuses. */
const ENCODING_MARKS: readonly (readonly number[])[] = [
  [0xef, 0xbb, 0xbf],
  [0xfe, 0xff],
  [0xff, 0xfe],
]

/** The line with its end. Refuses what would read back as something else, which JSON never does. */
export function writeRecord({ key, value }: ImportRecord, format: LineFormat): Result<Uint8Array, string> {
  if (format.kind === 'json')
    return ok(utf8Encode(`${JSON.stringify({ key: formatBytes(key), value: formatBytes(value) })}\n`))
  const line = concatBytes(key, format.separator, value)
  if (line.includes(LINE_FEED) || line.at(-1) === CARRIAGE_RETURN) return err('it has the end of a line in it')
  if (ENCODING_MARKS.some((mark) => mark.every((byte, index) => line[index] === byte)))
    return err('it begins with the mark of a text encoding')
  const read = readRecord(line, format)
  if (!read.ok || !equalBytes(read.value.key, key) || !equalBytes(read.value.value, value))
    return err('its key has the separator in it')
  return ok(concatBytes(line, Uint8Array.of(LINE_FEED)))
}
