/**
 * Reads S-expressions typed by a person or printed by a node.
 *
 * One pass with an explicit stack: depth, length and the digits of an integer are bounded, so any text costs time in
 * proportion to its length and nothing else.
 *
 * @module
 */
import { assert } from './assert.ts'
import { fromHex } from './bytes.ts'
import { err, ok, type Result } from './result.ts'
import { MAX_SEXPR_DEPTH } from './sexpr-format.ts'
import type { SExpr } from './sexpr.ts'

/** Bounds of what is read. */
export interface SExprLimits {
  /** Characters of the whole text. */
  readonly maxLength: number
  /** Lists within lists. */
  readonly maxDepth: number
  /** Digits of one integer: reading one takes time that grows with their square. */
  readonly maxDigits: number
}

/** Enough for every intention printed with its payload as hex. */
export const DEFAULT_SEXPR_LIMITS: SExprLimits = { maxLength: 2 ** 20, maxDepth: MAX_SEXPR_DEPTH, maxDigits: 1024 }

/** Why a text is not one S-expression; `offset` is where reading stopped. */
export interface SExprError {
  readonly code:
    | 'sexpr_too_long'
    | 'sexpr_too_deep'
    | 'sexpr_empty'
    | 'sexpr_unbalanced'
    | 'sexpr_trailing'
    | 'sexpr_bad_atom'
    | 'sexpr_bad_escape'
    | 'sexpr_unterminated'
  readonly offset: number
}

const SPACE = /[ \t\r\n]*/y
const SYMBOL = /[A-Za-z0-9:_*!?<>=/+.%&$@~^-]+/y
const INTEGER = /^-?[0-9]+$/
const STARTS_AS_NUMBER = /^-?[0-9]/
const ESCAPE = /\\(?:u\{([0-9a-fA-F]{1,6})\}|(["|\\nrt]))/y
const ESCAPED: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])
/** The last code point of Unicode: an escape beyond it is no character. */
const MAX_CODE_POINT = 0x10ffff

interface Read<T> {
  readonly value: T
  readonly end: number
}

/** Reads exactly one value, with white space around and between. */
export function parseSExpr(text: string, limits: SExprLimits = DEFAULT_SEXPR_LIMITS): Result<SExpr, SExprError> {
  if (text.length > limits.maxLength) return fail('sexpr_too_long', limits.maxLength)
  const open: SExpr[][] = []
  let offset = skipSpace(text, 0)
  while (offset < text.length) {
    const start = offset
    let value: SExpr
    if (text[start] === '(') {
      if (open.length >= limits.maxDepth) return fail('sexpr_too_deep', start)
      open.push([])
      offset = skipSpace(text, start + 1)
      continue
    }
    if (text[start] === ')') {
      const items = open.pop()
      if (items === undefined) return fail('sexpr_unbalanced', start)
      value = { kind: 'list', items }
      offset = start + 1
    } else {
      const atom = readAtom(text, start, limits)
      if (!atom.ok) return atom
      value = atom.value.value
      offset = atom.value.end
      if (!endsAtom(text[offset])) return fail('sexpr_bad_atom', offset)
    }
    offset = skipSpace(text, offset)
    const parent = open.at(-1)
    if (parent !== undefined) parent.push(value)
    else return offset === text.length ? ok(value) : fail('sexpr_trailing', offset)
  }
  return fail(open.length > 0 ? 'sexpr_unbalanced' : 'sexpr_empty', offset)
}

function readAtom(text: string, start: number, limits: SExprLimits): Result<Read<SExpr>, SExprError> {
  const quote = text[start]
  if (quote === '"' || quote === '|') {
    const quoted = readQuoted(text, start, quote)
    if (!quoted.ok) return quoted
    const { value, end } = quoted.value
    return ok({ value: quote === '"' ? { kind: 'string', value } : { kind: 'symbol', name: value }, end })
  }
  SYMBOL.lastIndex = start
  const word = SYMBOL.exec(text)?.[0]
  if (word === undefined) return fail('sexpr_bad_atom', start)
  const value = wordToAtom(word, limits)
  return value === undefined ? fail('sexpr_bad_atom', start) : ok({ value, end: start + word.length })
}

/** A word is bytes, an integer or a symbol, by how it begins; what begins as one and is not is nothing. */
function wordToAtom(word: string, { maxDigits }: SExprLimits): SExpr | undefined {
  if (!STARTS_AS_NUMBER.test(word)) return { kind: 'symbol', name: word }
  if (word.startsWith('0x')) {
    const value = fromHex(word.slice(2))
    return value && { kind: 'bytes', value }
  }
  const digits = word.startsWith('-') ? word.length - 1 : word.length
  if (digits > maxDigits || !INTEGER.test(word)) return undefined
  return { kind: 'int', value: BigInt(word) }
}

function readQuoted(text: string, start: number, quote: '"' | '|'): Result<Read<string>, SExprError> {
  let value = ''
  let offset = start + 1
  for (;;) {
    const character = text[offset]
    if (character === undefined) return fail('sexpr_unterminated', start)
    if (character === quote) return ok({ value, end: offset + 1 })
    if (character === '\\') {
      ESCAPE.lastIndex = offset
      const match = ESCAPE.exec(text)
      const unescaped = match === null ? undefined : unescape(match[1], match[2])
      if (match === null || unescaped === undefined) return fail('sexpr_bad_escape', offset)
      value += unescaped
      offset += match[0].length
    } else {
      value += character
      offset += 1
    }
  }
}

function unescape(codePoint: string | undefined, short: string | undefined): string | undefined {
  if (short !== undefined) return ESCAPED.get(short) ?? short
  assert(codePoint !== undefined, 'an escape is either short or a code point')
  const value = Number.parseInt(codePoint, 16)
  return value <= MAX_CODE_POINT ? String.fromCodePoint(value) : undefined
}

/** Two atoms never touch: between them is white space or a parenthesis. */
function endsAtom(next: string | undefined): boolean {
  return (
    next === undefined ||
    next === '(' ||
    next === ')' ||
    next === ' ' ||
    next === '\t' ||
    next === '\r' ||
    next === '\n'
  )
}

function skipSpace(text: string, offset: number): number {
  SPACE.lastIndex = offset
  return offset + (SPACE.exec(text)?.[0].length ?? 0)
}

function fail(code: SExprError['code'], offset: number): Result<never, SExprError> {
  return err({ code, offset })
}
