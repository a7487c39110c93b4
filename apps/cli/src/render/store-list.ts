/**
 * The stores of a node as a table, flat or with children below their parents, and the state of one.
 *
 * @module
 */
import { idKey } from '@lattice/model'
import { daemon } from '@lattice/proto'
import { formatId } from './bytes-text.ts'
import type { Style } from './style.ts'
import { type Cell, renderTable } from './table.ts'
import { formatPlural } from './units.ts'

export interface StoreListOptions {
  readonly style: Style
  readonly full: boolean
  /** Columns of the terminal; undefined where none is. */
  readonly width: number | undefined
}

/** Every store on a line, named by its path. */
export function storeListText(stores: readonly daemon.StoreInfo[], options: StoreListOptions): string {
  return tableOf(
    stores.map((store) => ({ store, label: storeLabel(store) })),
    options,
  )
}

/** Children below their parents. A child whose parent is unknown here stands at the top. */
export function storeTreeText(stores: readonly daemon.StoreInfo[], options: StoreListOptions): string {
  const known = new Set(stores.map((store) => idKey(store.id)))
  const tops = stores.filter((store) => store.parentId.length === 0 || !known.has(idKey(store.parentId)))
  const seen = new Set<string>()
  const rows: Row[] = []
  const visit = (store: daemon.StoreInfo, indent: string): void => {
    // A loop among parents must not be able to hang the listing.
    const key = idKey(store.id)
    if (seen.has(key)) return
    seen.add(key)
    rows.push({ store, label: `${indent}${lastSegment(store)}` })
    for (const child of stores.filter((each) => idKey(each.parentId) === key)) visit(child, `${indent}  `)
  }
  for (const store of tops) visit(store, '')
  return tableOf(rows, options)
}

/** What a store is called where a line is about it: its path, else its name, else the beginning of its id. */
export function storeLabel({ path, name, id }: daemon.StoreInfo): string {
  if (path !== '') return path
  return name === '' ? formatId(id) : name
}

/** The state of a store in a word, with the code where it failed. */
export function storeStateText(store: daemon.StoreInfo, style: Style): Cell {
  switch (store.state) {
    case daemon.StoreState.ACTIVE:
      return store.headless ? { text: 'headless', paint: style.warn } : { text: 'active', paint: style.good }
    case daemon.StoreState.BOOTSTRAPPING:
      return { text: 'bootstrapping', paint: style.warn }
    case daemon.StoreState.LEFT:
      // It was deleted here after that, or its own peers have not invited this node.
      return { text: store.hasData ? 'left' : 'not joined', paint: style.dim }
    case daemon.StoreState.REVOKED:
      return { text: 'revoked', paint: style.bad }
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

/** Closed for good or for now, by intent. */
export function isOutOfUse({ state }: daemon.StoreInfo): boolean {
  return OUT_OF_USE.includes(state)
}

const OUT_OF_USE: readonly daemon.StoreState[] = [
  daemon.StoreState.LEFT,
  daemon.StoreState.ARCHIVED,
  daemon.StoreState.DESTROYED,
]

interface Row {
  readonly store: daemon.StoreInfo
  readonly label: string
}

function tableOf(rows: readonly Row[], { style, full, width }: StoreListOptions): string {
  return renderTable({
    columns: [{ header: 'STORE' }, { header: 'ID' }, { header: 'TYPE' }, { header: 'STATE' }, { header: '' }],
    rows: rows.map(({ store, label }) => {
      const shown = isOutOfUse(store) ? style.dim : undefined
      return [
        { text: label, paint: shown ?? style.strong },
        { text: formatId(store.id, full), paint: shown ?? style.name },
        { text: store.storeType, paint: shown ?? plain },
        storeStateText(store, style),
        remark(store, style),
      ]
    }),
    style,
    width,
  })
}

const plain = (text: string): string => text

/** What else there is to know: what went wrong, who is awaited, or that there is nothing here. */
function remark(store: daemon.StoreInfo, style: Style): Cell {
  if (store.error !== '') return { text: store.error, paint: style.bad }
  if (store.awaiting.length > 0) {
    return { text: `waiting for ${formatPlural(store.awaiting.length, 'peer')}`, paint: style.warn }
  }
  if (store.hasData || store.state === daemon.StoreState.BOOTSTRAPPING) return ''
  if (store.state === daemon.StoreState.LEFT) return ''
  return { text: 'no data here', paint: isOutOfUse(store) ? style.dim : style.warn }
}

function lastSegment(store: daemon.StoreInfo): string {
  // Of two children with equal names the path tells them apart.
  return store.path.split('/').at(-1) || storeLabel(store)
}
