/**
 * A terminal in memory: somebody types, somebody reads.
 *
 * @module
 */
import { PassThrough } from 'node:stream'
import type { InputStream, OutputStream } from '../src/io.ts'

export interface FakeTerminal {
  readonly input: InputStream & PassThrough
  readonly output: OutputStream & PassThrough
  /** Types keys one by one, as a person does; a paste would not be completed. */
  readonly type: (keys: string) => void
  /** Resolves with what was printed since the last time, once it holds `text`. */
  readonly until: (text: string) => Promise<string>
}

/** Cursor movements and erasures; colours are off in these tests. */
// oxlint-disable-next-line no-control-regex -- Escape sequences begin with one.
const ESCAPES = /\u001B\[[0-9;?]*[A-Za-z]/gu

export function createFakeTerminal(): FakeTerminal {
  const input = Object.assign(new PassThrough(), { isTTY: true })
  const output = Object.assign(new PassThrough(), { isTTY: true, columns: 100, rows: 30 })
  let printed = ''
  let check = (): void => undefined
  output.on('data', (chunk: Buffer) => {
    printed += chunk.toString()
    check()
  })
  return {
    input,
    output,
    type: (keys) => {
      for (const key of keys) input.write(key)
    },
    until: (text) =>
      new Promise((resolve) => {
        check = () => {
          const plain = printed.replaceAll(ESCAPES, '')
          if (!plain.includes(text)) return
          check = () => undefined
          printed = ''
          resolve(plain)
        }
        check()
      }),
  }
}
