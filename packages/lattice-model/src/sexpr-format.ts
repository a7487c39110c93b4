/**
 * Prints S-expressions, on one line or indented.
 *
 * Whatever a value holds, the text is safe to show: characters that steer a terminal, hide or reorder text are escaped.
 * Depth is bounded, so a value built from hostile input cannot exhaust the stack.
 *
 * @module
 */
import { toHex } from './bytes.ts'
import type { SExpr } from './sexpr.ts'

/** How {@link formatSExpr} lays out. */
export interface FormatSExprOptions {
  /** Breaks lists that do not fit into `width`; otherwise everything is on one line. */
  readonly pretty?: boolean
  /** Columns that a pretty line should keep to, where its atoms allow. */
  readonly width?: number
}

/** Deepest list that is printed and read. What lies deeper is printed as {@link ELLIPSIS}. */
export const MAX_SEXPR_DEPTH = 256

const ELLIPSIS = '...'
const DEFAULT_WIDTH = 100
const INDENT = 2
const PLAIN_SYMBOL = /^(?!-?[0-9])[A-Za-z0-9:_*!?<>=/+.%&$@~^-]+$/
const UNSAFE_IN_STRING = /["\\\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
const UNSAFE_IN_SYMBOL = /[|\\\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ['|', '\\|'],
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
])

/** The text of a value; `parseSExpr` reads it back. */
export function formatSExpr(value: SExpr, { pretty = false, width = DEFAULT_WIDTH }: FormatSExprOptions = {}): string {
  return pretty ? formatBroken({ value, depth: 0, column: 0, width }) : formatFlat(value, 0)
}

function formatFlat(value: SExpr, depth: number): string {
  if (value.kind !== 'list') return formatAtom(value)
  if (depth >= MAX_SEXPR_DEPTH) return ELLIPSIS
  return `(${value.items.map((item) => formatFlat(item, depth + 1)).join(' ')})`
}

interface BrokenOptions {
  readonly value: SExpr
  readonly depth: number
  readonly column: number
  readonly width: number
}

function formatBroken({ value, depth, column, width }: BrokenOptions): string {
  if (value.kind !== 'list' || depth >= MAX_SEXPR_DEPTH || fits(value, width - column)) return formatFlat(value, depth)
  const inner = column + INDENT
  const indent = `\n${' '.repeat(inner)}`
  const lines = value.items.map((item, index) =>
    formatBroken({ value: item, depth: depth + 1, column: index === 0 ? column + 1 : inner, width }),
  )
  return `(${lines.join(indent)})`
}

/** True when the one-line form has at most `room` characters. Looks no further than that, so printing stays linear. */
function fits(value: SExpr, room: number): boolean {
  return roomAfter(value, room) >= 0
}

function roomAfter(value: SExpr, room: number): number {
  if (room < 0) return room
  if (value.kind !== 'list') return room - formatAtom(value).length
  let left = room - 2
  for (const [index, item] of value.items.entries()) {
    left = roomAfter(item, index === 0 ? left : left - 1)
    if (left < 0) return left
  }
  return left
}

function formatAtom(value: Exclude<SExpr, { kind: 'list' }>): string {
  switch (value.kind) {
    case 'symbol':
      return PLAIN_SYMBOL.test(value.name)
        ? value.name
        : `|${value.name.replaceAll(UNSAFE_IN_SYMBOL, escapeCharacter)}|`
    case 'string':
      return `"${value.value.replaceAll(UNSAFE_IN_STRING, escapeCharacter)}"`
    case 'bytes':
      return `0x${toHex(value.value)}`
    case 'int':
      return value.value.toString()
  }
}

function escapeCharacter(character: string): string {
  return SHORT_ESCAPES.get(character) ?? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
}
