/**
 * The system table of a store for a person: ids short, times as times.
 *
 * @module
 */
import type { daemon } from '@lattice/proto'
import { formatBytes } from './bytes-text.ts'
import type { StoreListOptions } from './store-list.ts'
import { renderTable } from './table.ts'
import { formatTime } from './units.ts'

const ID = /\b[0-9a-f]{64}\b/gu
const SHORT_ID_DIGITS = 12
const TIME_KEYS = /\/(?:added-at|expires-at)$/u

export function systemTableText(
  entries: readonly daemon.SystemEntry[],
  { style, full, width }: StoreListOptions,
): string {
  const short = (text: string): string => (full ? text : text.replaceAll(ID, (id) => id.slice(0, SHORT_ID_DIGITS)))
  return renderTable({
    columns: [{ header: 'KEY' }, { header: 'VALUE' }, { header: '' }],
    rows: entries.map((entry) => [
      { text: short(entry.key), paint: style.name },
      short(valueOf(entry)),
      { text: entry.conflicted ? 'conflicted' : '', paint: style.warn },
    ]),
    style,
    width,
  })
}

/** What does not decode is shown as its bytes. */
function valueOf({ key, value, raw }: daemon.SystemEntry): string {
  if (value === '') return raw.length === 0 ? '' : formatBytes(raw, 'hex')
  return TIME_KEYS.test(key) && /^\d+$/u.test(value) ? formatTime(BigInt(value)) : value
}
