/**
 * One word of the command line as a value of a field, strictly: what does not
 * read as the field's type is refused, never turned into a default.
 *
 * The value is given in its JSON form, except that bytes stay text; the message
 * is then built from one JSON document.
 *
 * @module
 */
import { type DescEnum, type DescField, type JsonValue, ScalarType } from '@bufbuild/protobuf'
import { UsageError } from '../errors.ts'
import { type DisplayFormat, parseBytes } from '../render/bytes-text.ts'

const SIGNED_32 = [-(2n ** 31n), 2n ** 31n - 1n] as const
const UNSIGNED_32 = [0n, 2n ** 32n - 1n] as const
const SIGNED_64 = [-(2n ** 63n), 2n ** 63n - 1n] as const
const UNSIGNED_64 = [0n, 2n ** 64n - 1n] as const

/** Reads `text` as one value of `field` (one element, for a list). Throws {@link UsageError} with the field's name. */
export function readValue(field: DescField, text: string, format: DisplayFormat | undefined): JsonValue {
  if (field.message !== undefined || field.fieldKind === 'map') return readJson(field, text)
  if (field.enum !== undefined) return readEnum(field, field.enum, text)
  return readScalar(field, text, format)
}

/** Reads `text` as JSON for `field`. */
export function readJson(field: DescField, text: string): JsonValue {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- What JSON.parse returns is a JSON value.
    return JSON.parse(text) as JsonValue
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'it does not parse'
    throw new UsageError(`${field.name} takes JSON: ${reason}`, {
      hint: `write it as ${field.name}='${exampleOf(field)}'`,
    })
  }
}

function readScalar(field: DescField, text: string, format: DisplayFormat | undefined): JsonValue {
  switch (field.scalar) {
    case ScalarType.STRING:
      return text
    case ScalarType.BYTES: {
      const bytes = parseBytes(text, format)
      if (!bytes.ok) throw new UsageError(`${field.name}: ${bytes.error}`)
      return text
    }
    case ScalarType.BOOL:
      if (text === 'true' || text === 'yes') return true
      if (text === 'false' || text === 'no') return false
      throw new UsageError(`${field.name} is true or false, not '${text}'`)
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return readDecimal(field, text)
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return Number(readWhole(field, text, SIGNED_32))
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return Number(readWhole(field, text, UNSIGNED_32))
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return readWhole(field, text, SIGNED_64).toString()
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return readWhole(field, text, UNSIGNED_64).toString()
    default:
      return readJson(field, text)
  }
}

function readWhole(field: DescField, text: string, [low, high]: readonly [bigint, bigint]): bigint {
  const value = /^-?\d{1,20}$/u.test(text) ? BigInt(text) : undefined
  if (value === undefined || value < low || value > high) {
    throw new UsageError(`${field.name} is a whole number from ${low} to ${high}, not '${text}'`)
  }
  return value
}

function readDecimal(field: DescField, text: string): number {
  const value = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/u.test(text) ? Number(text) : Number.NaN
  if (!Number.isFinite(value)) throw new UsageError(`${field.name} is a number, not '${text}'`)
  return value
}

/** By full name, by the name without the type's prefix in any case (`writer`), or by number. */
function readEnum(field: DescField, schema: DescEnum, text: string): JsonValue {
  const wanted = text.toLowerCase().replaceAll('-', '_')
  const found = schema.values.find(
    (value) =>
      value.name.toLowerCase() === wanted || value.localName.toLowerCase() === wanted || String(value.number) === text,
  )
  if (found !== undefined) return found.name
  const names = schema.values.map((value) => value.localName.toLowerCase().replaceAll('_', '-'))
  throw new UsageError(`${field.name} is one of ${names.join(', ')}, not '${text}'`)
}

function exampleOf(field: DescField): string {
  const [first] = field.message?.fields ?? []
  return first === undefined ? '{}' : `{"${first.jsonName}":…}`
}
