import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatBytes, formatId, parseBytes } from './bytes-text.ts'
import { displayWidth, pad, printable, truncate } from './display-text.ts'
import { createProgressBar, progressLine } from './progress-bar.ts'
import { createStyle, PLAIN_STYLE, wantsColour } from './style.ts'
import { renderPairs, renderTable } from './table.ts'
import { formatAgo, formatCount, formatDuration, formatPlural, formatSize, formatTime, parseDuration } from './units.ts'

describe('bytes as text', () => {
  test('what is printed reads back as the same bytes, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.constantFrom(undefined, 'hex' as const, 'utf8' as const), (bytes, format) => {
        expect(parseBytes(formatBytes(bytes, format), format)).toEqual({ ok: true, value: bytes })
      }),
    )
  })

  test('text prints as text, other bytes as hex, and text that looks like hex as hex', () => {
    expect(formatBytes(new TextEncoder().encode('wörld'))).toBe('wörld')
    expect(formatBytes(new Uint8Array([0, 255]))).toBe('0x00ff')
    expect(formatBytes(new TextEncoder().encode('0xab'))).toBe('0x30786162')
  })

  test.each(['0x1', '0xzz', '0X1g'])('%s is refused, not taken for text', (text) => {
    expect(parseBytes(text).ok).toBe(false)
  })

  test('only ids are cut short', () => {
    expect(formatId(new Uint8Array(32).fill(0xab))).toBe('abababababab')
    expect(formatId(new Uint8Array(32).fill(0xab), true)).toHaveLength(64)
    expect(formatId(new Uint8Array(9).fill(1))).toBe('010101010101010101')
  })
})

describe('text on a terminal', () => {
  test.each([
    ['abc', 3],
    ['漢字', 4],
    ['e\u0301', 1],
    ['😀', 2],
    ['ｆｕｌｌ', 8],
    ['', 0],
  ])('%s takes %i columns', (text, width) => {
    expect(displayWidth(text)).toBe(width)
  })

  test('stored escape sequences and direction overrides are shown, not obeyed', () => {
    expect(printable('a\u001B[2Jb\n\u202Ec')).toBe(String.raw`a\u{1b}[2Jb\n\u{202e}c`)
  })

  test('nothing is wider than it may be, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 20 }), (text, columns) => {
        expect(displayWidth(truncate(text, columns))).toBeLessThanOrEqual(columns)
        expect(displayWidth(pad(truncate(text, columns), columns))).toBe(columns)
      }),
    )
  })
})

describe('tables', () => {
  const columns = [{ header: 'KEY' }, { header: 'SIZE', align: 'right' }, { header: 'VALUE' }] as const
  const rows = [
    ['漢字', '7', 'two wide characters'],
    ['plain', '1,024', 'x'],
  ]

  test('columns align by what a terminal shows', () => {
    expect(renderTable({ columns, rows, style: PLAIN_STYLE, width: undefined })).toMatchInlineSnapshot(`
      "KEY     SIZE  VALUE
      漢字       7  two wide characters
      plain  1,024  x"
    `)
  })

  test('a terminal row stays one line; elsewhere nothing is cut', () => {
    const long = [['k'.repeat(60), '1', 'v'.repeat(60)]]
    const cut = renderTable({ columns, rows: long, style: PLAIN_STYLE, width: 60 })
    for (const line of cut.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(60)
    expect(renderTable({ columns, rows: long, style: PLAIN_STYLE, width: undefined })).toContain('v'.repeat(60))
  })

  test('rows fit any terminal that is not absurdly narrow', () => {
    const cell = fc.string({ maxLength: 80 })
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell, cell), { maxLength: 5 }),
        fc.integer({ min: 28, max: 120 }),
        (cells, width) => {
          const text = renderTable({ columns, rows: cells, style: PLAIN_STYLE, width })
          expect(text.split('\n')).toHaveLength(cells.length + 1)
          for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(width)
        },
      ),
    )
  })

  test('pairs align under each other', () => {
    expect(
      renderPairs(
        [
          ['id', 'a1'],
          ['long name', 'b'],
        ],
        PLAIN_STYLE,
      ),
    ).toMatchInlineSnapshot(`
      "id         a1
      long name  b"
    `)
  })
})

describe('quantities', () => {
  test.each([
    [formatSize(0), '0 B'],
    [formatSize(999), '999 B'],
    [formatSize(1_843_856n), '1.8 MB'],
    [formatSize(999_999), '1.0 MB'],
    [formatDuration(850), '850 ms'],
    [formatDuration(2149), '2.1 s'],
    [formatDuration(185_000), '3 min 5 s'],
    [formatDuration(7_200_000), '2 h'],
    [formatDuration(277_200_000), '3 d 5 h'],
    [formatCount(34_924), '34,924'],
    [formatPlural(1, 'record'), '1 record'],
    [formatPlural(0n, 'record'), '0 records'],
    [formatTime(1_700_000_000_000n), '2023-11-14 22:13:20Z'],
    [formatTime(2n ** 64n - 1n), '18446744073709551615 ms'],
    [formatAgo(0n, 5), 'never'],
    [formatAgo(1000n, 61_000), '1 min ago'],
  ])('%s', (shown, expected) => {
    expect(shown).toBe(expected)
  })

  test('durations read strictly', () => {
    expect(parseDuration('24h')).toBe(86_400_000)
    expect(parseDuration('90s')).toBe(90_000)
    for (const text of ['', '24', 'h', '-1h', '1.5h', '1y', '999999999999999w'])
      expect(parseDuration(text)).toBeUndefined()
  })
})

describe('colours and progress', () => {
  test('colours need a terminal and nobody against them', () => {
    expect(wantsColour({ isTerminal: true }, {}, true)).toBe(true)
    expect(wantsColour({ isTerminal: false }, {}, true)).toBe(false)
    expect(wantsColour({ isTerminal: true }, { NO_COLOR: '1' }, true)).toBe(false)
    expect(wantsColour({ isTerminal: true }, { TERM: 'dumb' }, true)).toBe(false)
    expect(wantsColour({ isTerminal: true }, {}, false)).toBe(false)
    expect(createStyle({ colour: true }).bad('x')).toBe('\u001B[31mx\u001B[39m')
  })

  test('a bar says how far it is', () => {
    expect(progressLine({ label: 'importing', done: 1, total: 2, note: '1 of 2' })).toBe(
      'importing ━━━━━━━━━━━━──────────── ' + ' 50%  1 of 2',
    )
    expect(progressLine({ label: 'importing', done: 9, total: 0, note: '9' })).toBe('importing  9')
  })

  test('a bar draws on a terminal only, and leaves no trace', () => {
    const written: string[] = []
    const write = (text: string): number => written.push(text)
    createProgressBar({ label: 'x', stderr: { isTTY: false, write }, style: PLAIN_STYLE }).update(1, 2)
    expect(written).toEqual([])
    const bar = createProgressBar({ label: 'x', stderr: { isTTY: true, columns: 80, write }, style: PLAIN_STYLE })
    bar.update(1, 2)
    bar.update(1, 2)
    expect(written).toHaveLength(1)
    bar.clear()
    bar.clear()
    expect(written.at(-1)).toBe('\r\u001B[K')
    expect(written).toHaveLength(2)
  })

  test('a bar is whole on a terminal that does not tell its width', () => {
    const written: string[] = []
    const write = (text: string): number => written.push(text)
    createProgressBar({ label: 'x', stderr: { isTTY: true, columns: 0, write }, style: PLAIN_STYLE }).update(1, 2)
    expect(written.join('')).toContain('50%')
  })
})
