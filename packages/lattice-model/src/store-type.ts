/**
 * Store types: `namespace:name`, which state machine a store runs.
 *
 * @module
 */
import type { Brand } from './brand.ts'
import { MAX_STORE_TYPE_BYTES } from './limits.ts'
import { err, ok, type Result } from './result.ts'

/** A well-formed store type. */
export type StoreType = string & Brand<'StoreType'>

/** Why a text is not a store type. */
export interface StoreTypeError {
  readonly code: 'store_type_empty' | 'store_type_too_long' | 'store_type_malformed'
  /** What was given, cut to the longest that could be valid. */
  readonly text: string
}

const STORE_TYPE = /^[a-z0-9._-]+:[a-z0-9._-]+$/

/** Reads a store type: two parts of `[a-z0-9._-]`, joined by one colon. */
export function parseStoreType(text: string): Result<StoreType, StoreTypeError> {
  const shown = text.slice(0, MAX_STORE_TYPE_BYTES)
  if (text.length === 0) return err({ code: 'store_type_empty', text: shown })
  // The alphabet is ASCII: what passes the pattern has as many bytes as characters.
  if (text.length > MAX_STORE_TYPE_BYTES) return err({ code: 'store_type_too_long', text: shown })
  if (!STORE_TYPE.test(text)) return err({ code: 'store_type_malformed', text: shown })
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The one cast that mints a StoreType.
  return ok(text as StoreType)
}
