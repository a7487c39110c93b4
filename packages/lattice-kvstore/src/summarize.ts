/**
 * A payload for people: `(kv (put "a" "1") (delete "b"))`, or `(kv (purge "b"))`.
 *
 * Text is shown as text where the bytes are well-formed UTF-8 without control
 * characters, else as hex; a payload that is no payload is shown as its bytes.
 *
 * @module
 */
import { list, raw, type SExpr, sym } from '@lattice/model'
import { showBytes } from '@lattice/store-base'
import type { KeyWrite } from './key-write.ts'
import { decodePayload } from './payload.ts'
import { decodePurges, isPurgePayload, PURGE_SCHEMA } from './purge.ts'

export function summarizePayload(bytes: Uint8Array): SExpr {
  if (isPurgePayload(bytes)) return summarizePurges(bytes)
  const decoded = decodePayload(bytes)
  if (!decoded.ok) return list(sym('rejected'), sym(decoded.error), raw(bytes))
  return list(sym('kv'), ...decoded.value.map(summarizeWrite))
}

function summarizePurges(bytes: Uint8Array): SExpr {
  const decoded = decodePurges(bytes, PURGE_SCHEMA)
  if (!decoded.ok) return list(sym('rejected'), sym(decoded.error), raw(bytes))
  return list(sym('kv'), ...decoded.value.map(({ key }) => list(sym('purge'), showBytes(key))))
}

function summarizeWrite({ key, state }: KeyWrite): SExpr {
  return state.kind === 'value'
    ? list(sym('put'), showBytes(key), showBytes(state.value))
    : list(sym('delete'), showBytes(key))
}
