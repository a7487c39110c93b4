/**
 * Which store a command is about.
 *
 * @module
 */
import type { LatticeBackend } from '@lattice/api/client'
import { idKey, toHex } from '@lattice/model'
import { daemon } from '@lattice/proto'
import type { CommandContext } from './command-context.ts'
import { CommandFailed, UsageError } from './errors.ts'
import { formatId } from './render/bytes-text.ts'
import { printable } from './render/display-text.ts'
import { storeLabel } from './render/store-list.ts'

/** Candidates that an error names; more would bury the sentence. */
const MAX_CANDIDATES = 8

/** The store that `reference` names; without one, the only store there is, of what is gone only where nothing else is. */
export async function selectStore(
  backend: LatticeBackend,
  reference: string | undefined,
  signal: AbortSignal,
): Promise<daemon.StoreInfo> {
  if (reference !== undefined && reference !== '') return backend.store.resolve({ reference }, { signal })
  const listed = await backend.store.list({}, { signal })
  const present = listed.stores.filter((store) => !isGone(store))
  const stores = present.length > 0 ? present : listed.stores
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

/** Nothing of it is here, and it is not on its way: it ended, was never joined, or was deleted here. */
function isGone({ state, hasData }: daemon.StoreInfo): boolean {
  return !hasData && (state === daemon.StoreState.DESTROYED || state === daemon.StoreState.LEFT)
}

/** The same store as it is now: what a REPL knows of its selected store may be old. By its id, which no name can be. */
export async function storeNow(context: CommandContext, reference: string | undefined): Promise<daemon.StoreInfo> {
  const known = await context.store(reference)
  const { stores } = await (await context.backend()).store.list({}, { signal: context.signal })
  const now = stores.find(({ id }) => idKey(id) === idKey(known.id))
  if (now === undefined) throw new CommandFailed('STORE_NOT_FOUND', `${describeStore(known)} is no longer on this node`)
  return now
}

/** `notes (3f2a9c01b2d4)`: how a store is named to a person. */
export function describeStore(store: daemon.StoreInfo): string {
  const label = storeLabel(store)
  const id = formatId(store.id)
  return label === id ? id : `${printable(label)} (${id})`
}
