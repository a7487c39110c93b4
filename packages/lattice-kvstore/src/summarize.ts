/**
 * A payload for people: `(kv (put "a" "1") (delete "b"))`.
 *
 * Text is shown as text where the bytes are well-formed UTF-8 without control
 * characters, else as hex; a payload that is no payload is shown as its bytes.
 *
 * @module
 */
import { list, raw, type SExpr, str, sym, utf8Decode } from '@lattice/model'
import type { KeyWrite } from './key-write.ts'
import { decodePayload } from './payload.ts'

export function summarizePayload(bytes: Uint8Array): SExpr {
  const decoded = decodePayload(bytes)
  if (!decoded.ok) return list(sym('rejected'), sym(decoded.error), raw(bytes))
  return list(sym('kv'), ...decoded.value.map(summarizeWrite))
}

function summarizeWrite({ key, state }: KeyWrite): SExpr {
  return state.kind === 'value'
    ? list(sym('put'), readable(key), readable(state.value))
    : list(sym('delete'), readable(key))
}

function readable(bytes: Uint8Array): SExpr {
  const text = utf8Decode(bytes)
  return text === undefined || hasControls(text) ? raw(bytes) : str(text)
}

function hasControls(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return true
  }
  return false
}
