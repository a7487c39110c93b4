/**
 * The selected store of a REPL and how it stands with its peers, as far as it is known.
 *
 * @module
 */
import { idKey } from '@lattice/model'
import type { daemon } from '@lattice/proto'

export interface Selection {
  readonly current: () => daemon.StoreInfo | undefined
  /** Undefined while it is not known. */
  readonly status: () => daemon.StoreStatus | undefined
  readonly use: (store: daemon.StoreInfo) => void
  /** What is known of a store from now on, if it is the selected one. */
  readonly changed: (store: daemon.StoreInfo) => void
  /** A store is gone, and selected no longer. */
  readonly removed: (storeId: Uint8Array) => void
  /** Keeps the answer about `store`, unless something has changed since it was asked for. */
  readonly learn: (store: daemon.StoreInfo, status: daemon.StoreStatus) => void
}

/** `onChange` is told whenever the prompt may read differently. */
export function createSelection(onChange: () => void): Selection {
  let store: daemon.StoreInfo | undefined
  let status: daemon.StoreStatus | undefined
  const replace = (next: daemon.StoreInfo | undefined): void => {
    store = next
    status = undefined
  }
  const isSelected = (id: Uint8Array): boolean => store !== undefined && idKey(store.id) === idKey(id)
  return {
    current: () => store,
    status: () => status,
    use: replace,
    changed: (next) => {
      if (!isSelected(next.id)) return
      replace(next)
      onChange()
    },
    removed: (id) => {
      if (!isSelected(id)) return
      replace(undefined)
      onChange()
    },
    learn: (asked, answer) => {
      if (store !== asked) return
      status = answer
      onChange()
    },
  }
}
