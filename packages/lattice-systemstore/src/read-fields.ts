/**
 * Reads single values of the system table and groups those of one peer, child
 * or invite.
 *
 * A value that does not decode is left out, so one bad row never hides others.
 *
 * @module
 */
import { get, scan } from '@lattice/kvtable'
import { equalBytes, type ReadTable } from '@lattice/model'
import { decodeSystemKey, encodeSystemKey, type SystemKey } from './keys.ts'
import { standingValue } from './standing-value.ts'

const NO_ID = new Uint8Array()

/** A decoded row. */
export interface Field {
  readonly key: SystemKey
  readonly value: Uint8Array
  readonly conflicted: boolean
}

export function readField<T>(
  read: ReadTable,
  key: SystemKey,
  decode: (bytes: Uint8Array) => T | undefined,
): T | undefined {
  const keyBytes = encodeSystemKey(key)
  const found = get(read, keyBytes)
  const value = found && standingValue(read, key, { key: keyBytes, ...found })
  return value && decode(value)
}

/** Every row under `prefix` whose key is one of the key space, in key order. */
export function* readFields(read: ReadTable, prefix: Uint8Array): Generator<Field, void, undefined> {
  for (const row of scan(read, { prefix })) {
    const key = decodeSystemKey(row.key)
    const value = key && standingValue(read, key, row)
    if (key !== undefined && value !== undefined) yield { key, value, conflicted: row.conflicted }
  }
}

/** Consecutive rows that belong together: those for which `idOf` answers the same. Rows without an id are left out. */
export function* groupFields(
  fields: Iterable<Field>,
  idOf: (key: SystemKey) => Uint8Array | undefined,
): Generator<readonly [Field, ...Field[]], void, undefined> {
  let group: [Field, ...Field[]] | undefined
  for (const field of fields) {
    const id = idOf(field.key)
    if (id === undefined) continue
    const [first] = group ?? []
    if (group !== undefined && first !== undefined && equalBytes(idOf(first.key) ?? NO_ID, id)) group.push(field)
    else {
      if (group !== undefined) yield group
      group = [field]
    }
  }
  if (group !== undefined) yield group
}
