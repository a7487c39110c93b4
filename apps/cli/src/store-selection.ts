/**
 * Which store a command is about.
 *
 * @module
 */
import type { LatticeBackend } from '@lattice/api'
import { toHex } from '@lattice/model'
import type { daemon } from '@lattice/proto'
import { CommandFailed, UsageError } from './errors.ts'
import { formatId } from './render/bytes-text.ts'
import { printable } from './render/display-text.ts'

/** Candidates that an error names; more would bury the sentence. */
const MAX_CANDIDATES = 8

/** The store that `reference` names; without one, the only store there is. */
export async function selectStore(
  backend: LatticeBackend,
  reference: string | undefined,
  signal: AbortSignal,
): Promise<daemon.StoreInfo> {
  if (reference !== undefined && reference !== '') return backend.store.resolve({ reference }, { signal })
  const { stores } = await backend.store.list({}, { signal })
  const [first] = stores
  if (first === undefined) {
    throw new CommandFailed('STORE_NOT_FOUND', 'this node has no store yet', {
      hint: "create one with 'store create NAME', or join one with 'store join TOKEN'",
    })
  }
  if (stores.length === 1) return first
  const shown = stores.slice(0, MAX_CANDIDATES).map(describeStore)
  const rest = stores.length - shown.length
  throw new UsageError(`which store? ${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`, {
    hint: 'name one with --store, with LATTICE_STORE, or in the REPL with use',
    detail: { candidates: stores.slice(0, MAX_CANDIDATES).map((store) => toHex(store.id)) },
  })
}

/** `notes (3f2a9c01b2d4)`: how a store is named to a person. */
export function describeStore(store: daemon.StoreInfo): string {
  const label = store.path === '' ? store.name : store.path
  return label === '' ? formatId(store.id) : `${printable(label)} (${formatId(store.id)})`
}
