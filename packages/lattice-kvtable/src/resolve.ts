/**
 * From heads to what a key means. Everything that shows, lists, counts or
 * watches a key goes through here, so all agree on the winner.
 *
 * @module
 */
import { equalBytes } from '@lattice/model'
import type { KvHead } from './value-codec.ts'

/** What a key means: its winning write, and whether others stand beside it. */
export interface Resolved {
  /** The winner's value; undefined when the winner deleted the key. */
  readonly value: Uint8Array | undefined
  /** More than one write stands; `heads` shows them all. */
  readonly conflicted: boolean
  readonly winner: KvHead
}

/** `heads` is in winner order. */
export function resolveHeads(heads: readonly [KvHead, ...KvHead[]]): Resolved {
  const [winner] = heads
  return {
    value: winner.state.kind === 'value' ? winner.state.value : undefined,
    conflicted: heads.length > 1,
    winner,
  }
}

/**
 * True when a reader would see the same: equal values and equal conflict, or no
 * value both times. A key that was never written reads as one that is deleted.
 */
export function readsTheSame(a: Resolved | undefined, b: Resolved | undefined): boolean {
  if (a?.value === undefined || b?.value === undefined) return a?.value === b?.value
  return a.conflicted === b.conflicted && equalBytes(a.value, b.value)
}
