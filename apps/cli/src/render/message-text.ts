/**
 * Any message for a person, by its descriptor alone: a single value bare,
 * several as aligned names and values, lists as tables, events on one line.
 *
 * @module
 */
import { type DescField, type DescMessage, type Message, ScalarType } from '@bufbuild/protobuf'
import { reflect, type ReflectMessage } from '@bufbuild/protobuf/reflect'
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt'
import { formatBytes, formatId } from './bytes-text.ts'
import { printable } from './display-text.ts'
import { enumText } from './enum-text.ts'
import type { FormatOf } from './message-json.ts'
import { elementsOf, isReflectMessage } from './reflect-values.ts'
import type { Style } from './style.ts'
import { renderPairs, renderTable } from './table.ts'
import { formatTime } from './units.ts'

export interface MessageTextOptions {
  readonly style: Style
  readonly formatOf: FormatOf
  /** Columns of the terminal; undefined where none is. */
  readonly width: number | undefined
  /** Ids in full. */
  readonly full: boolean
  /** A field of the message that is shown elsewhere. */
  readonly without?: DescField
}

/** A message on as many lines as it needs; empty when it holds nothing. */
export function messageToText(schema: DescMessage, message: Message, options: MessageTextOptions): string {
  const view = reflect(schema, message)
  const isSeries = (field: DescField): boolean => field.fieldKind === 'list' || field.fieldKind === 'map'
  const single = view.fields.filter((field) => !isSeries(field) && view.isSet(field))
  const series = view.fields.filter((field) => isSeries(field) && view.isSet(field))
  const [only] = schema.fields.length === 1 ? schema.fields : single
  if (only !== undefined && !isSeries(only) && single.length <= 1 && !view.fields.some(isSeries)) {
    return bareText(view, only, options)
  }
  const pairs = single.map((field) => [labelOf(field, options), fieldText(view, field, options)] as const)
  const tables = series.map((field) => seriesText(view, field, options))
  const headed = tables.map((table, index) =>
    series.length === 1 ? table : `${options.style.strong(series[index]?.name ?? '')}\n${table}`,
  )
  // What belongs to a list as a whole, such as the token of its next page, is read after it.
  const isList = view.fields.find(isSeries) === view.fields[0]
  const facts = pairs.length === 0 ? [] : [renderPairs(pairs, options.style)]
  return (isList ? [...headed, ...facts] : [...facts, ...headed]).join('\n\n')
}

/** A message on one line: `name=value` for everything that is set, the chosen variant of a oneof by its name. */
export function messageToLine(schema: DescMessage, message: Message, options: MessageTextOptions): string {
  return lineOf(reflect(schema, message), options)
}

/** One field of a message, bare. */
export function valueToText(
  schema: DescMessage,
  { message, field }: { readonly message: Message; readonly field: DescField },
  options: MessageTextOptions,
): string {
  return bareText(reflect(schema, message), field, options)
}

/** One field on one line, without its name. */
export function bareFieldText(view: ReflectMessage, field: DescField, options: MessageTextOptions): string {
  return printable(fieldText(view, field, options))
}

/** A single value, as it is: the one place where text keeps its line breaks when a program reads it. */
function bareText(view: ReflectMessage, field: DescField, options: MessageTextOptions): string {
  const value: unknown = view.get(field)
  const isExact = options.width === undefined
  if (isExact && typeof value === 'string') return value
  if (isExact && value instanceof Uint8Array && options.formatOf(field) !== 'hex')
    return formatBytes(value, options.formatOf(field))
  return bareFieldText(view, field, options)
}

function lineOf(view: ReflectMessage, options: MessageTextOptions): string {
  return view.fields
    .filter((field) => field !== options.without && view.isSet(field))
    .map((field) => {
      const text = fieldText(view, field, options)
      if (field.oneof !== undefined && field.message !== undefined) {
        return [options.style.name(field.name), text].filter((part) => part !== '').join(' ')
      }
      return `${options.style.dim(`${labelOf(field, options)}=`)}${field.message === undefined ? quoted(text) : text}`
    })
    .join(' ')
}

function seriesText(view: ReflectMessage, field: DescField, options: MessageTextOptions): string {
  if (field.fieldKind !== 'list' || field.message === undefined) return fieldText(view, field, options)
  const schema = field.message
  const rows = [...elementsOf(view.get(field))].filter(isReflectMessage)
  const columns = schema.fields.filter((each) => isOptional(each) || rows.some((row) => row.isSet(each)))
  return renderTable({
    columns: columns.map((each) => ({
      header: labelOf(each, options).toUpperCase(),
      align: isNumber(each, options) ? 'right' : 'left',
    })),
    rows: rows.map((row) => columns.map((each) => cellText(row, each, options))),
    style: options.style,
    width: options.width,
  })
}

/** What is absent is told from what is empty. */
function cellText(row: ReflectMessage, field: DescField, options: MessageTextOptions): string {
  if (row.isSet(field)) return fieldText(row, field, options)
  if (isOptional(field)) return ABSENT
  return isNumber(field, options) ? fieldText(row, field, options) : ''
}

const ABSENT = '–'

function isOptional(field: DescField): boolean {
  return (
    field.fieldKind === 'scalar' && field.oneof === undefined && field.presence === FeatureSet_FieldPresence.EXPLICIT
  )
}

/** Time has two parts, of which the wall clock's is shown: for a person that is the time. */
function labelOf(field: DescField, { formatOf }: MessageTextOptions): string {
  return field.name === 'wall' && formatOf(field) === 'timestamp' ? 'time' : field.name
}

function fieldText(view: ReflectMessage, field: DescField, options: MessageTextOptions): string {
  const value: unknown = view.get(field)
  if (field.fieldKind === 'list')
    return [...elementsOf(value)].map((each) => quoted(valueText(each, field, options))).join(' ')
  if (field.fieldKind === 'map') {
    return [...elementsOf(value)]
      .map((entry) =>
        Array.isArray(entry) ? `${String(entry[0])}=${quoted(valueText(entry[1], field, options))}` : '',
      )
      .join(' ')
  }
  return valueText(value, field, options)
}

function valueText(value: unknown, field: DescField, options: MessageTextOptions): string {
  const format = options.formatOf(field)
  if (isReflectMessage(value)) {
    const inner = lineOf(value, options)
    return field.oneof === undefined ? `{${inner}}` : inner
  }
  if (value instanceof Uint8Array) return format === 'hex' ? formatId(value, options.full) : formatBytes(value, format)
  if (field.enum !== undefined && typeof value === 'number') return enumText(field.enum, value)
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (format === 'timestamp' && (typeof value === 'bigint' || typeof value === 'number')) return formatTime(value)
  return String(value)
}

function isNumber(field: DescField, { formatOf }: MessageTextOptions): boolean {
  if (field.fieldKind !== 'scalar' || formatOf(field) === 'timestamp') return false
  return field.scalar !== ScalarType.STRING && field.scalar !== ScalarType.BYTES && field.scalar !== ScalarType.BOOL
}

/** Quotes what would not read as one word. */
function quoted(text: string): string {
  return text === '' || /[\s"=]/u.test(text) ? JSON.stringify(text) : printable(text)
}
