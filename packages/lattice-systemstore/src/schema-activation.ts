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

/** Schema version of a store in which none was activated. */
export const FIRST_SCHEMA = 1

/** True when `version` or a later one was activated by an operation that `follows` knows. */
export function isActivated(read: ReadTable, version: number, follows: (id: IntentionId) => boolean): boolean {
  return activations(read).some((activation) => activation.version >= version && follows(activation.id))
}

/** The latest version that is activated here: what a machine that knows it may write. */
export function readSchema(read: ReadTable): number {
  return activations(read).reduce((latest, { version }) => Math.max(latest, version), FIRST_SCHEMA)
}

/** What an author has to have in its past for payloads of `version` to count; undefined where nothing will do. */
export function findActivation(read: ReadTable, version: number): IntentionId | undefined {
  return activations(read).find((activation) => activation.version >= version)?.id
}

interface Activation {
  readonly id: IntentionId
  readonly version: number
}

function activations(read: ReadTable): readonly Activation[] {
  return [...readFields(read, systemPrefix('schema'))].flatMap(({ key, value }) =>
    key.kind === 'schema_activation' ? [{ id: key.activation, version: decodeCount(value) ?? 0 }] : [],
  )
}
