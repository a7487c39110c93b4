import { utf8Decode, utf8Encode } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkText } from './check-text.ts'
import { MAX_NAME_BYTES } from './limits.ts'

const name = (text: string, segment = false): string => checkText(text, { maxBytes: MAX_NAME_BYTES, segment }) ?? 'fine'

describe('a name', () => {
  test.each([
    ['of exactly the limit', 'n'.repeat(MAX_NAME_BYTES)],
    ['of exactly the limit in bytes', 'ä'.repeat(MAX_NAME_BYTES / 2)],
    ['of exactly the limit in surrogate pairs', '🌿'.repeat(MAX_NAME_BYTES / 4)],
    ['with combining characters', 'e\u0301clair n\u0303'],
    ['of a script that runs to the left', 'שלום'],
    ['with a joiner that its script needs', 'می\u200cخواهم'],
    ['of an emoji that is joined and selected', '👩\u200d👩\u200d👧 ❤\ufe0f'],
    ['with a space within', 'a b'],
  ])('may be one %s', (_what, text) => {
    expect(name(text)).toBe('fine')
  })

  test.each([
    ['one byte above the limit', 'n'.repeat(MAX_NAME_BYTES + 1), 'text_too_long'],
    ['one character above the limit in bytes', 'ä'.repeat(MAX_NAME_BYTES / 2) + 'n', 'text_too_long'],
    ['empty', '', 'text_empty'],
    ['a direction override', 'a\u202eb', 'text_malformed'],
    ['a direction mark of Arabic', 'a\u061cb', 'text_malformed'],
    ['an isolate', 'a\u2066b', 'text_malformed'],
    ['a zero-width space', 'a\u200bb', 'text_malformed'],
    ['nothing but joiners', '\u200d\u200c', 'text_malformed'],
    ['nothing but marks that combine with nothing', '\u0301\u0302', 'text_malformed'],
    ['nothing but wide spaces', '\u3000\u00a0\u2003', 'text_malformed'],
    ['a filler, which is a letter', '\u3164', 'text_malformed'],
    ['a tag', 'a\u{e0041}', 'text_malformed'],
    ['half a surrogate pair', 'a\ud83c', 'text_malformed'],
    ['the replacement character', 'a\ufffd', 'text_malformed'],
    ['a noncharacter of any plane', 'a\u{1ffff}', 'text_malformed'],
    ['an escape', '\u001b[31m', 'text_malformed'],
    ['a line break', 'a\r\nb', 'text_malformed'],
    ['a space at its beginning', ' a', 'text_malformed'],
  ])('may not be %s', (_what, text, problem) => {
    expect(name(text)).toBe(problem)
  })

  test('that is a segment of a path holds no slash and is no way up', () => {
    for (const text of ['a/b', '.', '..', '/'])
      expect([name(text), name(text, true)]).toEqual(['fine', 'text_malformed'])
    expect(name('...', true)).toBe('fine')
  })

  test('has a verdict, whatever it is, and a good one survives its encoding', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        if (name(text) !== 'fine') return
        expect(utf8Encode(text).length).toBeLessThanOrEqual(MAX_NAME_BYTES)
        expect(utf8Decode(utf8Encode(text))).toBe(text)
      }),
      { numRuns: 1000 },
    )
  })
})
