/**
 * A watch as a library is used: typed events, each with the place from which a later watch can go on.
 *
 * @module
 */
import type { AbortSignal } from '@lattice/model'
import type { kv } from '@lattice/proto'
import type { Client } from '@lattice/store-base'
import { type KvBytes, toBytes } from './kv-bytes.ts'

export interface KvWatchOptions {
  readonly prefix?: KvBytes
  /** Begin with every present key, then `snapshot_end`. With a cursor: only where it is not known any more. */
  readonly snapshot?: boolean
  /** Of an event of an earlier watch of this store on this node: go on after it. */
  readonly cursor?: Uint8Array
  readonly signal?: AbortSignal
}

/** Undefined where one can only begin anew: inside a snapshot, and where it is not known what was missed. */
interface Resumable {
  readonly cursor: Uint8Array | undefined
}

export type KvWatchEvent = Resumable &
  (
    | { readonly kind: 'put'; readonly key: Uint8Array; readonly value: Uint8Array; readonly conflicted: boolean }
    | { readonly kind: 'deleted'; readonly key: Uint8Array }
    /** So many commits were missed, 0 where it is not known how many: go on from the cursor, or list again. */
    | { readonly kind: 'lagged'; readonly count: number }
    | { readonly kind: 'snapshot_end' }
    | { readonly kind: 'caught_up' }
  )

export function watchKv(
  client: Client<typeof kv.KvStore>,
  { prefix = '', snapshot = false, cursor = new Uint8Array(), signal }: KvWatchOptions,
): AsyncIterable<KvWatchEvent> {
  return watchEvents(client.watch({ prefix: toBytes(prefix), snapshot, cursor }, signal))
}

async function* watchEvents(events: AsyncIterable<kv.WatchEvent>): AsyncGenerator<KvWatchEvent, void, undefined> {
  for await (const { event, cursor: bytes } of events) {
    const cursor = bytes.length > 0 ? bytes : undefined
    switch (event.case) {
      case 'put': {
        const { key, value, conflicted } = event.value
        yield { kind: 'put', key, value, conflicted, cursor }
        break
      }
      case 'deleted':
        yield { kind: 'deleted', key: event.value.key, cursor }
        break
      case 'lagged':
        yield { kind: 'lagged', count: Number(event.value), cursor }
        break
      case 'snapshotEnd':
        yield { kind: 'snapshot_end', cursor }
        break
      case 'caughtUp':
        yield { kind: 'caught_up', cursor }
        break
      case undefined:
        // Made by a newer store: this version has no word for it.
        break
    }
  }
}
