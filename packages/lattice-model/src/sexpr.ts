/**
 * S-expressions: the debug view of everything that is replicated.
 *
 * Five kinds of value, each with one spelling, so that what is printed is read back as the same value: symbols
 * (`name`, `:key`, `|any text|`), strings (`"…"`), bytes (`0x…`), integers (`-12`) and lists.
 *
 * @module
 */

/** A value of the debug view. */
export type SExpr =
  | { readonly kind: 'symbol'; readonly name: string }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'int'; readonly value: bigint }
  | { readonly kind: 'list'; readonly items: readonly SExpr[] }

/** A symbol. */
export function sym(name: string): SExpr {
  return { kind: 'symbol', name }
}

/** A string. */
export function str(value: string): SExpr {
  return { kind: 'string', value }
}

/** Raw bytes. */
export function raw(value: Uint8Array): SExpr {
  return { kind: 'bytes', value }
}

/** An integer. A number must be a whole one. */
export function int(value: bigint | number): SExpr {
  return { kind: 'int', value: BigInt(value) }
}

/** A list. */
export function list(...items: readonly SExpr[]): SExpr {
  return { kind: 'list', items }
}
