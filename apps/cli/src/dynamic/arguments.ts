/**
 * Words of the command line as the request of a method: positional words fill
 * the fields in the order they are declared, `field=value` fills one by name.
 *
 * @module
 */
import type { DescField, JsonValue, Message } from '@bufbuild/protobuf'
import { UsageError } from '../errors.ts'
import { type FormatOf, messageFromJson } from '../render/message-json.ts'
import { readJson, readValue } from './scalar.ts'
import { isRequired, type StoreMethod, usageOf } from './store-methods.ts'

/** Builds the request. Throws {@link UsageError} for anything that does not fit. */
export function buildRequest(method: StoreMethod, words: readonly string[], formatOf: FormatOf): Message {
  const { fields } = method.input
  const values = new Map<DescField, JsonValue>()
  const positional: string[] = []
  for (const word of words) {
    const named = readNamed(fields, word)
    if (named === undefined) positional.push(word)
    else assign({ method, values, formatOf }, named.field, named.text)
  }
  fillPositional({ method, values, formatOf }, positional)
  const missing = fields.find((field) => isRequired(method, field) && !values.has(field))
  if (missing !== undefined) {
    throw usage(method, `${missing.name} is missing`, `; write '' for an empty one`)
  }
  const json = Object.fromEntries([...values].map(([field, value]) => [field.jsonName, value]))
  return messageFromJson(method.input, json, formatOf)
}

/** The field that the last of `words` fills, and what of it is written; for completion. */
export function fieldAt(method: StoreMethod, words: readonly string[]): DescField | undefined {
  const { fields } = method.input
  const last = words.at(-1) ?? ''
  const named = readNamed(fields, last)
  if (named !== undefined) return named.field
  const taken = new Set(words.slice(0, -1).flatMap((word) => readNamed(fields, word)?.field ?? []))
  const before = words.slice(0, -1).filter((word) => readNamed(fields, word) === undefined).length
  const free = positions(fields, taken)
  return free[Math.min(before, free.length - 1)]
}

interface Filling {
  readonly method: StoreMethod
  readonly values: Map<DescField, JsonValue>
  readonly formatOf: FormatOf
}

function readNamed(
  fields: readonly DescField[],
  word: string,
): { readonly field: DescField; readonly text: string } | undefined {
  const at = word.indexOf('=')
  if (at <= 0) return undefined
  const name = word.slice(0, at)
  const field = fields.find((each) => each.name === name || each.jsonName === name)
  return field === undefined ? undefined : { field, text: word.slice(at + 1) }
}

function fillPositional(filling: Filling, words: readonly string[]): void {
  const { method, values } = filling
  const free = positions(method.input.fields, new Set(values.keys()))
  let next = 0
  for (const word of words) {
    const field = free[next]
    if (field === undefined) throw usage(method, `'${word}' is one argument too many`)
    assign(filling, field, word)
    // A list takes every word that is left.
    if (field.fieldKind !== 'list') next += 1
  }
}

/** The fields that positional words fill: of the variants of a oneof only the first, the others by name. */
function positions(fields: readonly DescField[], taken: ReadonlySet<DescField>): readonly DescField[] {
  const isTaken = (field: DescField): boolean =>
    taken.has(field) || (field.oneof !== undefined && field.oneof.fields.some((each) => taken.has(each)))
  return fields.filter((field) => !isTaken(field) && (field.oneof === undefined || field.oneof.fields[0] === field))
}

function assign({ method, values, formatOf }: Filling, field: DescField, text: string): void {
  if (field.fieldKind === 'list') {
    const before = values.get(field) ?? []
    const more = text.startsWith('[') ? readJson(field, text) : [readValue(field, text, formatOf(field))]
    if (!Array.isArray(before) || !Array.isArray(more)) throw usage(method, `${field.name} takes a list`)
    values.set(field, [...before, ...more])
    return
  }
  if (values.has(field)) throw usage(method, `${field.name} is given twice`)
  const rival = field.oneof?.fields.find((each) => values.has(each))
  if (rival !== undefined) throw usage(method, `${rival.name} and ${field.name} exclude each other`)
  values.set(field, readValue(field, text, formatOf(field)))
}

function usage(method: StoreMethod, problem: string, extra = ''): UsageError {
  return new UsageError(problem, { hint: `usage: ${usageOf(method)}${extra}` })
}
