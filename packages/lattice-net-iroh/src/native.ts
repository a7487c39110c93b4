/**
 * The native binding: how it is loaded, what it is given, and what its failures say.
 *
 * It is loaded when a transport is opened, so importing this package costs nothing and works on platforms that have no
 * build of it. It takes and gives bytes as arrays of numbers; the conversions here are the fastest that it accepts.
 *
 * @module
 */
import { LatticeError, utf8Encode } from '@lattice/model'
// oxlint-disable-next-line typescript/consistent-type-imports -- The type of the module, not a value of it.
type Binding = typeof import('@number0/iroh/index.js')

export type { Connection, Endpoint, Incoming, RecvStream, SendStream } from '@number0/iroh/index.js'
export type { Binding }

/** There is no build of the native binding that loads here. */
export class IrohUnavailable extends LatticeError {
  override readonly name = 'IrohUnavailable'
  readonly code = 'NOT_SUPPORTED'

  constructor(cause: unknown) {
    super('the QUIC transport has no build for this platform: choose another transport', { cause })
  }
}

/** Rejects with {@link IrohUnavailable}. */
export async function loadBinding(): Promise<Binding> {
  try {
    // The file is named because the package's `main` points to one that is not there.
    return await import('@number0/iroh/index.js')
  } catch (error) {
    throw new IrohUnavailable(error)
  }
}

/** Bytes as the binding takes them. A loop over a sized array is four times as fast as `Array.from`. */
export function toNumbers(bytes: Uint8Array): number[] {
  const numbers = new Array<number>(bytes.length)
  for (let index = 0; index < bytes.length; index += 1) numbers[index] = bytes[index] ?? 0
  return numbers
}

export function textToNumbers(text: string): number[] {
  return toNumbers(utf8Encode(text))
}

/**
 * Longest text of a failure that is kept.
 * @beyond The rest is cut off.
 */
const MAX_FAILURE_CHARS = 200

/** What went wrong, in one line: the binding adds source positions and, in some environments, a stack trace. */
export function describeFailure(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  const lines = (text.split('\n\n')[0] ?? '')
    .split('\n')
    .map((line) => line.replace(/ \(\/[^)]*\)$/, '').trim())
    .filter((line) => line !== '' && line !== 'Caused by:')
  return lines.join(': ').slice(0, MAX_FAILURE_CHARS)
}
