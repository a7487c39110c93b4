/**
 * Which of several concurrent values of a row is meant.
 *
 * Mostly the winner of the table, the latest. Not where a value says that something has ended: an end that a concurrent
 * other write could outlast by its time would be none, and who saw it first has acted on it already.
 *
 * @module
 */
import { heads, type KvEntry } from '@lattice/kvtable'
import { compareBytes, type ReadTable } from '@lattice/model'
import type { SystemKey } from './keys.ts'
import { decodeChildStatus, decodeInviteStatus, decodePeerStatus } from './values.ts'

/** The value of a row that a scan or a look-up found; undefined when it reads as none. */
export function standingValue(
  read: ReadTable,
  key: SystemKey,
  row: Pick<KvEntry, 'key' | 'value' | 'conflicted'>,
): Uint8Array | undefined {
  if (!row.conflicted || row.value === undefined || ruleOf(key) === undefined) return row.value
  const values = heads(read, row.key).flatMap(({ state }) => (state.kind === 'value' ? [state.value] : []))
  return ruleOf(key)?.(values) ?? row.value
}

/** Picks among the standing values, the winner first; undefined where the winner is meant. */
type Rule = (values: readonly Uint8Array[]) => Uint8Array | undefined

function ruleOf(key: SystemKey): Rule | undefined {
  if (key.kind === 'child' && key.field === 'status') return destroyed
  if (key.kind === 'peer' && key.field === 'status') return admitted
  if (key.kind === 'store' && key.field === 'epoch') return highest
  if (key.kind !== 'invite') return undefined
  if (key.field === 'status') return ended
  return key.field === 'uses' ? fewest : undefined
}

const destroyed: Rule = (values) => values.find((value) => decodeChildStatus(value) === 'destroyed')

/** A revocation holds until an admission follows it. An announcement takes nothing from a peer that is admitted. */
const admitted: Rule = (values) =>
  values.find((value) => decodePeerStatus(value) === 'revoked') ??
  values.find((value) => decodePeerStatus(value) !== 'invited')

const ended: Rule = (values) =>
  values.find((value) => decodeInviteStatus(value) === 'cancelled') ??
  values.find((value) => decodeInviteStatus(value) === 'claimed')

const highest: Rule = (values) => values.toSorted(compareBytes).at(-1)

/** Numbers of one width, big endian. */
const fewest: Rule = (values) => values.toSorted(compareBytes)[0]
