/**
 * A store that is not in use, by what is known of it: its state, where its data is, and what can be done.
 *
 * @module
 */
import { toHex } from '@lattice/model'
import { daemon } from '@lattice/proto'
import type { PeerNames } from '../peer-names.ts'
import { printable } from './display-text.ts'
import { storeLabel, storeStateText } from './store-list.ts'
import type { Style } from './style.ts'
import { type Cell, renderPairs } from './table.ts'
import { formatPlural } from './units.ts'

export interface ClosedStoreOptions {
  readonly style: Style
  readonly names: PeerNames
}

export function closedStoreText(store: daemon.StoreInfo, { style, names }: ClosedStoreOptions): string {
  const pairs: [string, Cell][] = [
    ['store', { text: storeLabel(store), paint: style.strong }],
    ['id', toHex(store.id)],
    ['type', store.storeType],
    ['state', storeStateText(store, style)],
    ['data', store.hasData ? 'on this node' : { text: 'none on this node', paint: style.dim }],
  ]
  if (store.awaiting.length > 0) pairs.push(['waiting', awaitingCell(store, { style, names })])
  if (store.error !== '') pairs.push(['error', { text: store.error, paint: style.bad }])
  pairs.push(['', { text: whatNext(store), paint: style.dim }])
  return renderPairs(pairs, style)
}

/** Whose acknowledgement a destroyed store waits for. */
export function awaitingCell({ awaiting }: daemon.StoreInfo, { style, names }: ClosedStoreOptions): Cell {
  const who = awaiting.map((peer) => names(peer)).join(', ')
  return { text: `for ${formatPlural(awaiting.length, 'peer')} to acknowledge: ${who}`, paint: style.warn }
}

function whatNext(store: daemon.StoreInfo): string {
  const name = printable(storeLabel(store))
  switch (store.state) {
    case daemon.StoreState.LEFT:
      return store.hasData
        ? `'store rejoin ${name}' takes part again, 'store delete ${name}' removes the data`
        : 'ask one of its peers for an invite, and join with it'
    case daemon.StoreState.ARCHIVED:
      return `closed on every node; 'store unarchive ${name}' opens it again`
    case daemon.StoreState.DESTROYED:
      if (store.awaiting.length > 0) return 'its data is deleted once these have acknowledged'
      return store.hasData ? `'store delete ${name}' removes the data that is still here` : 'ended for everybody'
    case daemon.StoreState.BOOTSTRAPPING:
      return `it is being received, and can be used once it is here; 'why ${name}' says how far it is`
    default:
      return 'not in use'
  }
}
