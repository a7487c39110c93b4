/**
 * An event of a stream on one line: what happened. Where it stands in the stream is for programs, which read JSON.
 *
 * What somebody wrote at some time begins with both, like a line of a log.
 *
 * @module
 */
import type { DescField, DescMessage, Message } from '@bufbuild/protobuf'
import { reflect, type ReflectMessage } from '@bufbuild/protobuf/reflect'
import { bareFieldText, messageToLine, type MessageTextOptions } from './message-text.ts'
import { isReflectMessage } from './reflect-values.ts'
import { formatTime } from './units.ts'

/** By this name an event says from where a later call goes on. */
const CURSOR = 'cursor'
/** By these names a message says which write it is of: whose, when, and where in its order. */
const [AUTHOR, WALL] = ['author', 'wall']
const PLACE = new Set(['id', 'position', 'counter'])

export function eventText(schema: DescMessage, message: Message, options: MessageTextOptions): string {
  const view = reflect(schema, message)
  const written = options.full ? undefined : writtenOf(view, options)
  if (written !== undefined) return written
  const cursor = options.full ? undefined : schema.fields.find(({ name }) => name === CURSOR)
  return messageToLine(schema, message, cursor === undefined ? options : { ...options, without: cursor })
}

/** Undefined when the event is about no one write. */
function writtenOf(event: ReflectMessage, options: MessageTextOptions): string | undefined {
  const [variant, ...others] = event.fields.filter((field) => field.name !== CURSOR && event.isSet(field))
  if (variant === undefined || others.length > 0) return undefined
  const write: unknown = event.get(variant)
  if (!isReflectMessage(write)) return undefined
  const [author, wall] = [AUTHOR, WALL].map((wanted) => write.fields.find(({ name }) => name === wanted))
  if (author === undefined || wall === undefined) return undefined
  const time: unknown = write.get(wall)
  if (typeof time !== 'bigint' || options.formatOf(wall) !== 'timestamp') return undefined
  const rest = write.fields.filter((field) => field !== author && field !== wall && !PLACE.has(field.name))
  return [options.style.dim(formatTime(time)), bareFieldText(write, author, options), restText(write, rest, options)]
    .filter((part) => part !== '')
    .join('  ')
}

/** A single field needs no name. */
function restText(write: ReflectMessage, fields: readonly DescField[], options: MessageTextOptions): string {
  const parts = fields.map((field) => bareFieldText(write, field, options))
  if (fields.length === 1) return parts[0] ?? ''
  return fields.map((field, index) => `${options.style.dim(`${field.name}=`)}${parts[index]}`).join(' ')
}
