/**
 * The answer of a query: what it is about, bare, and apart from it what else there is to know.
 *
 * @module
 */
import type { DescField, DescMessage, Message } from '@bufbuild/protobuf'
import { reflect } from '@bufbuild/protobuf/reflect'
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt'
import { messageToLine, messageToText, type MessageTextOptions, valueToText } from './message-text.ts'

export interface AnswerText {
  /** False when the query found nothing there. */
  readonly isFound: boolean
  readonly text: string
  /** One line for a person, where there is more than the value; else empty. */
  readonly note: string
}

/** By this name a message says that concurrent writes stand beside the one that is shown. */
const CONFLICTED = 'conflicted'
const CONFLICT_NOTE = "conflicted: other writes stand beside this one; 'inspect' shows them, 'resolve' settles it"

/**
 * An `optional` first field is what a query is about: with it the answer is that value alone, so that it can be piped;
 * without it there was nothing to find. Any other answer is shown whole.
 */
export function answerText(schema: DescMessage, message: Message, options: MessageTextOptions): AnswerText {
  const subject = subjectOf(schema)
  if (subject === undefined) return { isFound: true, text: messageToText(schema, message, options), note: '' }
  const view = reflect(schema, message)
  if (!view.isSet(subject)) return { isFound: false, text: '', note: '' }
  const others = view.fields.filter((field) => field !== subject && view.isSet(field))
  const isConflict = others.length === 1 && others[0]?.name === CONFLICTED && others[0].fieldKind === 'scalar'
  return {
    isFound: true,
    text: valueToText(schema, { message, field: subject }, options),
    note: isConflict ? CONFLICT_NOTE : messageToLine(schema, message, { ...options, without: subject }),
  }
}

function subjectOf(schema: DescMessage): DescField | undefined {
  const [first] = schema.fields
  if (first === undefined || first.oneof !== undefined) return undefined
  if (first.presence !== FeatureSet_FieldPresence.EXPLICIT) return undefined
  return first.fieldKind === 'scalar' || first.fieldKind === 'enum' ? first : undefined
}
