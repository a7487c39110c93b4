/**
 * How far a peer is behind this node, in words that say no more than is known.
 *
 * @module
 */
import { daemon } from '@lattice/proto'
import type { Style } from './style.ts'
import type { Cell } from './table.ts'
import { formatCount, formatDuration } from './units.ts'

/** `synced` is said of equal digests only; `0` of a peer that acknowledged everything when it wrote last. */
export function lagCell({ self, sync, lag }: daemon.PeerInfo, style: Style, nowMs: number): Cell {
  if (self) return ''
  if (sync === daemon.PeerSync.SYNCED) return { text: 'synced', paint: style.good }
  if (lag === undefined) return { text: 'not known', paint: style.dim }
  return lag.unseen === 0n ? '0' : { text: lagText(lag, nowMs), paint: style.warn }
}

/** `12, for 3m 20s`: so many are not shown to have been seen, and for how long the first of them is here. */
export function lagText({ unseen, since }: daemon.PeerLag, nowMs: number): string {
  if (unseen === 0n) return '0'
  const forMs = BigInt(Math.round(nowMs)) - since
  return `${formatCount(unseen)}, for ${formatDuration(forMs < 0n ? 0n : forMs)}`
}
