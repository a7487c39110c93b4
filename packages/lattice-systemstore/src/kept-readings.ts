/**
 * Keeps what was read from a system table for as long as the table stays as it is.
 *
 * Who the peers are and what they may do is asked with every frame and message, and changes with few of them. A reading is
 * kept by the table's stamp, so it can never be one of other rows, and goes with the stamp.
 *
 * @module
 */
import { type IdKey, idKey, type PublicKey, type ReadTable } from '@lattice/model'

/** Peers of whom a reading is kept, for each state of a table: strangers are asked about, too. */
const KEPT_PEERS = 4096

const readings = new WeakMap<object, Map<string, unknown>>()

/** What `read` answers of a table, which is nothing but a matter of its rows: kept under `name`, not to be changed. */
export function keptReading<T>(table: ReadTable, name: string, read: () => T): T {
  const stamp = table.stamp?.()
  if (stamp === undefined) return read()
  const known = readings.get(stamp) ?? new Map<string, unknown>()
  if (known.size === 0) readings.set(stamp, known)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Each name is that of one reading.
  if (known.has(name)) return known.get(name) as T
  const answer = read()
  known.set(name, answer)
  return answer
}

/** The same of one peer. */
export function keptOfPeer<T>(
  table: ReadTable,
  { name, peer }: { readonly name: string; readonly peer: PublicKey },
  read: () => T,
): T {
  if (table.stamp === undefined) return read()
  const known = keptReading(table, name, () => new Map<IdKey, { readonly answer: T }>())
  const key = idKey(peer)
  const found = known.get(key)
  if (found !== undefined) return found.answer
  const answer = read()
  if (known.size >= KEPT_PEERS) known.clear()
  known.set(key, { answer })
  return answer
}
