/**
 * Why an intention floats, in words.
 *
 * @module
 */
import type { FloatReason, IntentionId } from '@lattice/model'
import type { Core } from './core.ts'
import type { FloatingEntry } from './floating-entry.ts'

export interface FloatingDescription {
  readonly reason: FloatReason
  /** Causes nobody here has; empty unless the reason is `missing_causes`. */
  readonly missing: readonly IntentionId[]
}

export function describeFloating({ pool, witnesser }: Core, entry: FloatingEntry): FloatingDescription {
  const { closer } = entry
  if (closer === undefined || pool.get(closer.key) !== closer) return { reason: 'unsigned', missing: [] }
  const kind = closer.wait?.kind ?? 'cause'
  if (kind === 'cause') return { reason: 'missing_causes', missing: witnesser.missingOf(entry) }
  return { reason: kind, missing: [] }
}
