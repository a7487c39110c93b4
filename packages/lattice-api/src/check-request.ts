/**
 * What holds for the request of every method, before its handler sees it: no text beyond what anything here can be
 * called, and no value of an enum that this version does not know. Whoever calls in process is treated no better than
 * whoever calls through a socket.
 *
 * Pure, and bounded by the size of the request.
 *
 * @module
 */
import type { DescEnum, DescField, DescMessage, Message } from '@bufbuild/protobuf'
import { reflect } from '@bufbuild/protobuf/reflect'
import { InvalidArgument } from '@lattice/store-base'

/** The longest path that file systems take; names, references and prefixes are far shorter. */
export const MAX_TEXT_CHARS = 4096
/** A token may be pasted with white space in between. */
const MAX_TOKEN_CHARS = 16_384

/** Throws `INVALID_ARGUMENT` for a request that no handler could mean anything by. */
export function checkRequest(schema: DescMessage, request: Message): void {
  const view = reflect(schema, request)
  for (const field of schema.fields) {
    if (field.fieldKind === 'scalar') checkText(field, view.get(field))
    else if (field.fieldKind === 'enum') checkEnum(field, field.enum, view.get(field))
    else if (field.fieldKind === 'list' && field.listKind === 'scalar') {
      for (const each of view.get(field)) checkText(field, each)
    }
  }
}

function checkText(field: DescField, value: unknown): void {
  if (typeof value !== 'string') return
  const max = field.name === 'token' ? MAX_TOKEN_CHARS : MAX_TEXT_CHARS
  if (value.length <= max) return
  throw new InvalidArgument(`${field.name} has ${value.length} characters: give ${max} at most`, {
    field: field.name,
    max,
  })
}

function checkEnum(field: DescField, schema: DescEnum, value: unknown): void {
  if (typeof value !== 'number' || schema.value[value] !== undefined) return
  throw new InvalidArgument(`${value} is no ${schema.name} that this node knows: choose another ${field.name}`, {
    field: field.name,
    value,
  })
}
