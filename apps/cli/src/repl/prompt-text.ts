/**
 * The prompt: which store the commands are about and how it stands with its
 * peers. Pure.
 *
 * @module
 */
import { daemon } from '@lattice/proto'
import { formatId } from '../render/bytes-text.ts'
import { enumText } from '../render/enum-text.ts'
import { printable, truncate } from '../render/display-text.ts'
import { isOutOfUse } from '../render/store-list.ts'
import type { Style } from '../render/style.ts'

/** A name longer than this would leave no room to type. */
const MAX_NAME_COLUMNS = 24

/** `notes ●> ` or `notes (archived)> `: ● synced with every connected peer, ◐ not (yet) with all, ○ no peer is connected, ! stalled. */
export function promptText(
  store: daemon.StoreInfo | undefined,
  status: daemon.StoreStatus | undefined,
  style: Style,
): string {
  if (store === undefined) return 'lattice> '
  const label = store.path === '' ? store.name : store.path
  const name = truncate(printable(label === '' ? formatId(store.id) : label), MAX_NAME_COLUMNS)
  if (isOutOfUse(store) || store.state === daemon.StoreState.FAILED) {
    return `${style.strong(name)} ${style.dim(`(${enumText(daemon.StoreStateSchema, store.state)})`)}> `
  }
  return status === undefined ? `${style.strong(name)}> ` : `${style.strong(name)} ${syncSign(status, style)}> `
}

function syncSign(status: daemon.StoreStatus, style: Style): string {
  if (status.stalled !== undefined) return style.bad('!')
  if (status.peersConnected === 0) return style.dim('○')
  return status.synced ? style.good('●') : style.warn('◐')
}
