/**
 * A payload for people: `(append "started" "listening on port 80")`.
 *
 * Of each entry its beginning is shown, and of many entries the first; a payload that is no payload is shown as its bytes.
 *
 * @module
 */
import { int, list, raw, type SExpr, sym } from '@lattice/model'
import { showBytes } from '@lattice/store-base'
import { decodePayload } from './payload.ts'

const SHOWN_BYTES = 64
const SHOWN_ENTRIES = 16

export function summarizePayload(bytes: Uint8Array): SExpr {
  const decoded = decodePayload(bytes)
  if (!decoded.ok) return list(sym('rejected'), sym(decoded.error), raw(bytes))
  const contents = decoded.value
  const shown = contents.slice(0, SHOWN_ENTRIES).map((content) => showBytes(content, SHOWN_BYTES))
  const more = contents.length - shown.length
  return list(sym('append'), ...shown, ...(more > 0 ? [list(sym('more'), int(more))] : []))
}
