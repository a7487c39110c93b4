/**
 * Stores as a tree, and the state of one.
 *
 * @module
 */
import { idKey, toHex } from '@lattice/model'
import { daemon } from '@lattice/proto'
import { formatId } from './bytes-text.ts'
import { printable } from './display-text.ts'
import type { Style } from './style.ts'
import type { Cell } from './table.ts'

export interface StoreTreeOptions {
  readonly style: Style
  readonly full: boolean
}

/** Children below their parents. A child whose parent is unknown here stands at the top. */
export function storeTreeText(stores: readonly daemon.StoreInfo[], options: StoreTreeOptions): string {
  const known = new Set(stores.map((store) => idKey(store.id)))
  const tops = stores.filter((store) => store.parentId.length === 0 || !known.has(idKey(store.parentId)))
  const seen = new Set<string>()
  const lines: string[] = []
  const visit = (store: daemon.StoreInfo, indent: string): void => {
    // A loop among parents must not be able to hang the listing.
    const key = toHex(store.id)
    if (seen.has(key)) return
    seen.add(key)
    lines.push(`${indent}${storeLine(store, options)}`)
    for (const child of stores.filter((each) => toHex(each.parentId) === key)) visit(child, `${indent}  `)
  }
  for (const store of tops) visit(store, '')
  return lines.join('\n')
}

/** The state of a store in a word, with the code where it failed. */
export function storeStateText(store: daemon.StoreInfo, style: Style): Cell {
  switch (store.state) {
    case daemon.StoreState.ACTIVE:
      return store.headless ? { text: 'headless', paint: style.warn } : { text: 'active', paint: style.good }
    case daemon.StoreState.BOOTSTRAPPING:
      return { text: 'bootstrapping', paint: style.warn }
    case daemon.StoreState.LEFT:
      return { text: 'left', paint: style.dim }
    case daemon.StoreState.ARCHIVED:
      return { text: 'archived', paint: style.dim }
    case daemon.StoreState.DESTROYED:
      return { text: 'destroyed', paint: style.dim }
    case daemon.StoreState.FAILED:
      return { text: `failed (${store.errorCode})`, paint: style.bad }
    default:
      return { text: 'unknown', paint: style.warn }
  }
}

function storeLine(store: daemon.StoreInfo, { style, full }: StoreTreeOptions): string {
  const name = store.name === '' ? '(no name)' : printable(store.name)
  const state = storeStateText(store, style)
  const shown = typeof state === 'string' ? state : state.paint(printable(state.text))
  return `${style.strong(name)}  ${style.dim(formatId(store.id, full))}  ${printable(store.storeType)}  ${shown}`
}
