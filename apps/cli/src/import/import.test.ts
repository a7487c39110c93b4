import { RemoteError } from '@lattice/api'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Batch, batchRecords } from './batches.ts'
import { MAX_BATCH_BYTES, MAX_BATCH_OPERATIONS, MAX_IN_FLIGHT, MAX_LINE_BYTES } from './limits.ts'
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
  test('several requests are on their way at once, never more than the bound', async () => {
    let underway = 0
    let most = 0
    const counts = await runImport({
      batches: each(Array.from({ length: 20 }, (_, index) => batchOf([`k${index}`]))),
      send: async () => {
        underway += 1
        most = Math.max(most, underway)
        await new Promise((resolve) => {
          setImmediate(resolve)
        })
        underway -= 1
      },
      onProgress: () => undefined,
    })
    expect(counts).toEqual({ records: 20, bytes: 10 * 2 + 10 * 3 + 20, requests: 20 })
    expect(most).toBe(MAX_IN_FLIGHT)
  })

  test('a key keeps the value of its last line: batches that share one go one after the other', async () => {
    const order: string[] = []
    const sent: (() => void)[] = []
    const running = runImport({
      batches: each([batchOf(['a', 'b'], 1), batchOf(['b', 'c'], 3), batchOf(['d'], 5)]),
      send: ({ firstLine }) => {
        order.push(`start ${firstLine}`)
        return new Promise((resolve) => {
          sent.push(() => {
            order.push(`end ${firstLine}`)
            resolve()
          })
        })
      },
      onProgress: () => undefined,
    })
    await settled()
    expect(order).toEqual(['start 1'])
    sent[0]?.()
    await settled()
    expect(order).toEqual(['start 1', 'end 1', 'start 3', 'start 5'])
    sent[2]?.()
    sent[1]?.()
    await expect(running).resolves.toMatchObject({ records: 5 })
  })

  test('after a failure nothing more is sent, and what was written is counted', async () => {
    let calls = 0
    const running = runImport({
      batches: each(Array.from({ length: 10 }, (_, index) => batchOf([`k${index}`], index + 1))),
      send: () => {
        calls += 1
        return calls === 3 ? Promise.reject(new RemoteError('LIMIT_EXCEEDED', 'too large', {})) : Promise.resolve()
      },
      onProgress: () => undefined,
    })
    const error: unknown = await running.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ImportStopped)
    expect(error).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: expect.stringContaining('lines 3 to 3: too large') as string,
    })
    expect(calls).toBeLessThanOrEqual(3 + MAX_IN_FLIGHT)
    expect(error).toMatchObject({ detail: { imported: calls - 1 } })
  })
})

const settled = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })
