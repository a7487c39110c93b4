/**
 * Messages as JSON and back: the protobuf JSON mapping, but for bytes, which
 * are text or hex as {@link formatBytes} has it instead of base64.
 *
 * @module
 */
import { type DescField, type DescMessage, fromJson, type JsonValue, type Message, toJson } from '@bufbuild/protobuf'
import { base64Decode, base64Encode } from '@bufbuild/protobuf/wire'
import { ScalarType } from '@bufbuild/protobuf'
import { UsageError } from '../errors.ts'
import { type DisplayFormat, formatBytes, parseBytes } from './bytes-text.ts'

/** How a field wants to be shown; undefined when nothing says. */
export type FormatOf = (field: DescField) => DisplayFormat | undefined

/** In the node's own messages bytes are ids, keys and hashes. */
export const API_FORMATS: FormatOf = (field) => (isBytes(field) ? 'hex' : undefined)

/** The JSON document of a message. Fields without presence are always there. */
export function messageToJson(schema: DescMessage, message: Message, formatOf: FormatOf): JsonValue {
  const json = toJson(schema, message, { alwaysEmitImplicit: true })
  return mapBytes(schema, json, (value, field) =>
    typeof value === 'string' ? formatBytes(base64Decode(value), formatOf(field)) : value,
  )
}

/** Reads a JSON document strictly; throws {@link UsageError} for an unknown field or a value out of range. */
export function messageFromJson(schema: DescMessage, json: JsonValue, formatOf: FormatOf): Message {
  const encoded = mapBytes(schema, json, (value, field) => {
    if (value === null) return value
    if (typeof value !== 'string') throw new UsageError(`${field.name} takes text, not ${nounOf(value)}`)
    const bytes = parseBytes(value, formatOf(field))
    if (!bytes.ok) throw new UsageError(`${field.name}: ${bytes.error}`)
    return base64Encode(bytes.value)
  })
  try {
    return fromJson(schema, encoded)
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : `this is no ${schema.name}`)
  }
}

export function isBytes(field: DescField): boolean {
  return 'scalar' in field && field.scalar === ScalarType.BYTES
}

function nounOf(value: JsonValue): string {
  if (Array.isArray(value)) return 'a list'
  return isObject(value) ? 'an object' : String(value)
}

type Convert = (value: JsonValue, field: DescField) => JsonValue

function mapBytes(schema: DescMessage, json: JsonValue, convert: Convert): JsonValue {
  // The well-known types have mappings of their own.
  if (!isObject(json) || schema.typeName.startsWith('google.protobuf.')) return json
  const entries = Object.entries(json).map(([key, value]): [string, JsonValue] => {
    const field = schema.fields.find((each) => each.jsonName === key || each.name === key)
    return [key, field === undefined ? value : mapField(field, value, convert)]
  })
  return Object.fromEntries(entries)
}

function mapField(field: DescField, value: JsonValue, convert: Convert): JsonValue {
  const element = (each: JsonValue): JsonValue => {
    if (isBytes(field)) return convert(each, field)
    return field.message === undefined ? each : mapBytes(field.message, each, convert)
  }
  if (field.fieldKind === 'list') return Array.isArray(value) ? value.map(element) : value
  if (field.fieldKind === 'map') {
    if (!isObject(value)) return value
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, element(each)]))
  }
  return element(value)
}

function isObject(value: JsonValue): value is Record<string, JsonValue> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
