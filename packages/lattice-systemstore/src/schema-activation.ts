/**
 * Which schema versions of the state machine a store has activated.
 *
 * As with grants, an activation is a record under the id of its operation, and
 * counts for a payload only if it is in that payload's past.
 *
 * @module
 */
import type { IntentionId, ReadTable } from '@lattice/model'
import { systemPrefix } from './keys.ts'
import { readFields } from './read-fields.ts'
import { decodeCount } from './values.ts'

/** True when `version` or a later one was activated by an operation that `follows` knows. */
export function isActivated(read: ReadTable, version: number, follows: (id: IntentionId) => boolean): boolean {
  for (const { key, value } of readFields(read, systemPrefix('schema'))) {
    const activated = decodeCount(value) ?? 0
    if (key.kind === 'schema_activation' && activated >= version && follows(key.activation)) return true
  }
  return false
}

export interface Activation {
  readonly version: number
  /** The intention that activated it. */
  readonly id: IntentionId
}

/** The activation of the highest version; undefined when there was none. */
export function latestActivation(read: ReadTable): Activation | undefined {
  let latest: Activation | undefined
  for (const { key, value } of readFields(read, systemPrefix('schema'))) {
    const version = decodeCount(value) ?? 0
    if (key.kind === 'schema_activation' && version > (latest?.version ?? 0)) latest = { version, id: key.activation }
  }
  return latest
}
