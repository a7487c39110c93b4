import { RemoteError } from '@lattice/api/client'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Batch, batchRecords } from './batches.ts'
import { MAX_BATCH_BYTES, MAX_BATCH_OPERATIONS, MAX_LINE_BYTES, MAX_PART_BATCHES } from './limits.ts'
import { type LineFormat, readRecord, readSeparator } from './read-record.ts'
import { ImportStopped, runImport } from './run-import.ts'
import { splitLines } from './split-lines.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const JSON_LINES: LineFormat = { kind: 'json' }
const SEMICOLON: LineFormat = { kind: 'separated', separator: utf8(';') }

async function linesOf(chunks: readonly Uint8Array[]): Promise<{ text: string; number: number; endOffset: number }[]> {
  const lines = []
  for await (const line of splitLines(chunks))
    lines.push({ text: text(line.bytes), number: line.number, endOffset: line.endOffset })
  return lines
}

async function batchesOf(input: string, format: LineFormat, comments = false): Promise<Batch[]> {
  const batches = []
  for await (const batch of batchRecords(splitLines([utf8(input)]), { format, comments })) batches.push(batch)
  return batches
}

describe('lines', () => {
  // Model: splitting the whole text at once.
  test('are the same however the input is cut into chunks', async () => {
    const line = fc.string({ unit: fc.constantFrom('a', 'é', '漢', ';', '\r'), maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.boolean(), fc.integer({ min: 1, max: 5 }), async (texts, hasEnd, size) => {
        const whole = utf8(texts.join('\n') + (hasEnd && texts.length > 0 ? '\n' : ''))
        const chunks = Array.from({ length: Math.ceil(whole.length / size) }, (_, index) =>
          whole.slice(index * size, (index + 1) * size),
        )
        const expected = text(whole).split('\n')
        if (expected.at(-1) === '') expected.pop()
        const lines = await linesOf(chunks)
        expect(lines.map((each) => each.text)).toEqual(expected.map((each) => each.replace(/\r$/u, '')))
        expect(lines.map((each) => each.number)).toEqual(expected.map((_, index) => index + 1))
        if (lines.length > 0) expect(lines.at(-1)?.endOffset).toBe(whole.length)
      }),
    )
  })

  test('a line beyond the bound is refused before it is held', async () => {
    const endless = (function* () {
      for (;;) yield new Uint8Array(64 * 1024).fill(0x61)
    })()
    await expect(linesOf(endless as unknown as Uint8Array[])).rejects.toThrow(`line 1 has over ${MAX_LINE_BYTES} bytes`)
  })
})

describe('the beginning of the input', () => {
  test('a byte order mark is no part of the first line', async () => {
    const marked = new Uint8Array([0xef, 0xbb, 0xbf, ...utf8('a;1\n')])
    expect((await linesOf([marked])).map((line) => line.text)).toEqual(['a;1'])
    expect((await linesOf([marked.slice(0, 2), marked.slice(2)])).map((line) => line.text)).toEqual(['a;1'])
    // Anywhere else it is what the line says.
    expect((await linesOf([utf8('x\n'), marked])).map((line) => line.text.length)).toEqual([1, 3])
  })

  test.each([
    [0xff, 0xfe],
    [0xfe, 0xff],
  ])('UTF-16 is refused with what to do (%i, %i)', async (first, second) => {
    await expect(linesOf([new Uint8Array([first, second, 0x61, 0, 0x0a])])).rejects.toThrow(
      'UTF-16: convert it to UTF-8',
    )
  })
})

describe('records', () => {
  test('separated text: the key ends at the first separator', () => {
    expect(readRecord(utf8('0041;LATIN A;Lu'), SEMICOLON)).toEqual({
      ok: true,
      value: { key: utf8('0041'), value: utf8('LATIN A;Lu') },
    })
    const arrow: LineFormat = { kind: 'separated', separator: utf8('=>') }
    expect(readRecord(utf8('a=b=>c'), arrow)).toEqual({ ok: true, value: { key: utf8('a=b'), value: utf8('c') } })
    expect(readRecord(new Uint8Array([0xff, 0x3b, 0xfe]), SEMICOLON)).toEqual({
      ok: true,
      value: { key: new Uint8Array([0xff]), value: new Uint8Array([0xfe]) },
    })
  })

  test('JSON Lines: text or hex', () => {
    expect(readRecord(utf8('{"key":"a","value":"0x00ff"}'), JSON_LINES)).toEqual({
      ok: true,
      value: { key: utf8('a'), value: new Uint8Array([0, 255]) },
    })
  })

  test.each([
    ['no separator here', SEMICOLON, 'no separator'],
    [';value', SEMICOLON, 'the key is empty'],
    ['', SEMICOLON, 'no separator'],
    ['', JSON_LINES, 'not JSON'],
    ['[]', JSON_LINES, 'no JSON object'],
    ['null', JSON_LINES, 'no JSON object'],
    ['{"value":"v"}', JSON_LINES, 'its key is no string'],
    ['{"key":1,"value":"v"}', JSON_LINES, 'its key is no string'],
    ['{"key":"k"}', JSON_LINES, 'its value is no string'],
    ['{"key":"k","value":{"a":1}}', JSON_LINES, 'its value is no string'],
    ['{"key":"k","value":"v","vaule":"v"}', JSON_LINES, "a field 'vaule'"],
    ['{"key":"","value":"v"}', JSON_LINES, 'the key is empty'],
    ['{"key":"0xz","value":"v"}', JSON_LINES, 'not hex'],
  ])('%j is malformed', (line, format, reason) => {
    const read = readRecord(utf8(line), format)
    expect(read).toMatchObject({ ok: false })
    if (!read.ok) expect(read.error).toContain(reason)
  })

  test('invalid UTF-8 is no JSON, and \\t is a tab', () => {
    expect(readRecord(new Uint8Array([0x7b, 0xff]), JSON_LINES)).toEqual({ ok: false, error: 'it is not UTF-8' })
    expect(readSeparator(String.raw`\t`)).toEqual(utf8('\t'))
    expect(readSeparator('')).toBeUndefined()
  })

  test('any line is a record or a reason, never an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.constantFrom(JSON_LINES, SEMICOLON), (line, format) => {
        const read = readRecord(line, format)
        expect(typeof read.ok).toBe('boolean')
      }),
    )
  })
})

describe('batches', () => {
  test('keep their bounds, their order and every record', async () => {
    const value = fc.integer({ min: 0, max: 30_000 }).map((length) => 'v'.repeat(length))
    await fc.assert(
      fc.asyncProperty(fc.array(value, { maxLength: 40 }), fc.integer({ min: 0, max: 600 }), async (values, small) => {
        const all = [...values, ...Array.from({ length: small }, () => 's')]
        const batches = await batchesOf(all.map((each, index) => `k${index};${each}\n`).join(''), SEMICOLON)
        for (const { records } of batches) {
          const size = records.reduce((sum, { key, value: bytes }) => sum + key.length + bytes.length, 0)
          expect(records.length).toBeLessThanOrEqual(MAX_BATCH_OPERATIONS)
          expect(records.length === 1 || size <= MAX_BATCH_BYTES).toBe(true)
        }
        expect(batches.flatMap(({ records }) => records.map(({ key }) => text(key)))).toEqual(
          all.map((_, index) => `k${index}`),
        )
      }),
      { numRuns: 20 },
    )
  })

  test('blank lines and comments are skipped only when asked', async () => {
    const input = '# names\n\n  # more\na;1\n'
    expect(await batchesOf(input, SEMICOLON, true)).toMatchObject([{ firstLine: 4, lastLine: 4 }])
    await expect(batchesOf(input, SEMICOLON)).rejects.toThrow('line 1: it has no separator')
  })

  test('a malformed line is named, and nothing of its batch is handed out', async () => {
    const good = Array.from({ length: MAX_BATCH_OPERATIONS + 10 }, (_, index) => `k${index};v\n`).join('')
    const seen: Batch[] = []
    const reading = (async () => {
      for await (const batch of batchRecords(splitLines([utf8(`${good}broken\n`)]), {
        format: SEMICOLON,
        comments: false,
      }))
        seen.push(batch)
    })()
    await expect(reading).rejects.toThrow(`line ${MAX_BATCH_OPERATIONS + 11}: it has no separator`)
    expect(seen).toHaveLength(1)
  })
})

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}

function batchOf(keys: readonly string[], line = 1): Batch {
  return {
    records: keys.map((key) => ({ key: utf8(key), value: utf8('v') })),
    firstLine: line,
    lastLine: line + keys.length - 1,
    endOffset: line,
  }
}

describe('sending', () => {
  const encode = (records: Batch['records']): Uint8Array => utf8(records.map(({ key }) => text(key)).join())
  const never = new AbortController().signal

  test('keeps the order, groups what is sent, and counts what is durable', async () => {
    const order: string[] = []
    const told: number[] = []
    const parts: number[] = []
    const batches = Array.from({ length: 2 * MAX_PART_BATCHES + 3 }, (_, index) => batchOf([`k${index}`], index + 1))
    const counts = await runImport({
      batches: each(batches),
      encode,
      signal: never,
      write: async (requests, onProgress) => {
        let written = 0
        for await (const part of requests) {
          parts.push(part.length)
          for (const request of part) order.push(text(request))
          written += part.length
          onProgress({ written })
        }
        return { written }
      },
      onProgress: ({ records }, endOffset) => {
        expect(endOffset).toBe(records)
        told.push(records)
      },
    })
    expect(order).toEqual(batches.map((_, index) => `k${index}`))
    expect(parts).toEqual([MAX_PART_BATCHES, MAX_PART_BATCHES, 3])
    expect(told).toEqual([MAX_PART_BATCHES, 2 * MAX_PART_BATCHES, batches.length])
    expect(counts).toEqual({ records: 19, bytes: 19 + 10 * 2 + 9 * 3, requests: 19 })
  })

  test('a refusal names its lines, and what was written before is counted', async () => {
    const running = runImport({
      batches: each(Array.from({ length: 10 }, (_, index) => batchOf([`k${index}`, `l${index}`], 2 * index + 1))),
      encode,
      signal: never,
      write: async (requests) => {
        for await (const _ of requests) break
        throw new RemoteError('LIMIT_EXCEEDED', 'too large', { written: 3, index: 3, limit: 7 })
      },
      onProgress: () => undefined,
    })
    const error: unknown = await running.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ImportStopped)
    expect(error).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: 'lines 7 to 8: too large; 6 records imported before',
      detail: { imported: 6, limit: 7 },
    })
  })

  test('a connection that breaks leaves at least what was told', async () => {
    const running = runImport({
      batches: each([batchOf(['a']), batchOf(['b'])]),
      encode,
      signal: never,
      write: async (requests, onProgress) => {
        for await (const _ of requests) onProgress({ written: 1 })
        throw new RemoteError('DAEMON_UNREACHABLE', 'no daemon answers', {})
      },
      onProgress: () => undefined,
    })
    await expect(running).rejects.toThrow('no daemon answers; at least 1 record imported before')
  })

  test('a line that does not read ends it, once what was read before is durable', async () => {
    const failing = async function* (): AsyncGenerator<Batch> {
      yield batchOf(['a', 'b'])
      throw new RemoteError('INVALID_ARGUMENT', 'line 3: it is not JSON', { line: 3 })
    }
    const sent: string[] = []
    const running = runImport({
      batches: failing(),
      encode,
      signal: never,
      write: async (requests) => {
        for await (const part of requests) for (const request of part) sent.push(text(request))
        return { written: sent.length }
      },
      onProgress: () => undefined,
    })
    await expect(running).rejects.toMatchObject({
      message: 'line 3: it is not JSON; 2 records imported before',
      detail: { line: 3, imported: 2 },
    })
    expect(sent).toEqual(['a,b'])
  })

  test('an interrupt stops the reading, and what was sent is awaited and counted', async () => {
    const ending = new AbortController()
    const counts = await runImport({
      batches: each(Array.from({ length: 100 }, (_, index) => batchOf([`k${index}`], index + 1))),
      encode,
      signal: ending.signal,
      write: async (requests) => {
        let written = 0
        for await (const part of requests) {
          written += part.length
          ending.abort()
        }
        return { written }
      },
      onProgress: () => undefined,
    })
    expect(counts.records).toBe(MAX_PART_BATCHES)
  })
})
