/**
 * Follows the keys under a prefix.
 *
 * A watcher is told what keys read as, not what was written: a write that
 * changes nothing for a reader is silent. With a snapshot it first gets every
 * present key, all as of the moment it subscribed, so that nothing is missed or
 * goes back in between. One that is too slow is told how much it missed.
 *
 * @module
 */
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { type KvEntry, scan } from '@lattice/kvtable'
import { equalBytes, type ReadTable } from '@lattice/model'
import { kv } from '@lattice/proto'
import {
  defineStream,
  LimitExceeded,
  type StreamDefinition,
  type StreamEvents,
  type StreamLagged,
} from '@lattice/store-base'
import type { KvEvent } from './apply-payload.ts'
import { MAX_SNAPSHOT_BYTES } from './limits.ts'
import { checkBound } from './queries.ts'

export const watch: StreamDefinition<KvEvent, typeof kv.WatchRequestSchema, typeof kv.WatchEventSchema> =
  defineStream<KvEvent>()({
    description: 'Follows changes of the keys under a prefix.',
    params: kv.WatchRequestSchema,
    item: kv.WatchEventSchema,
    open: (context, { prefix, snapshot }) => {
      checkBound(prefix, 'prefix')
      // Read and subscribed in one turn: no commit can fall between.
      const entries = snapshot ? readSnapshot(context.read, prefix) : undefined
      return follow(context.changes(), { prefix, entries })
    },
  })

async function* follow(
  changes: AsyncIterable<StreamEvents<KvEvent> | StreamLagged>,
  { prefix, entries }: { readonly prefix: Uint8Array; readonly entries: readonly KvEntry[] | undefined },
): AsyncGenerator<kv.WatchEvent, void, undefined> {
  if (entries !== undefined) {
    for (const { key, value, conflicted } of entries)
      if (value !== undefined) yield watchEvent({ case: 'put', value: { key, value, conflicted } })
    yield watchEvent({ case: 'snapshotEnd', value: {} })
  }
  for await (const change of changes) {
    if (change.kind === 'lagged') yield watchEvent({ case: 'lagged', value: BigInt(change.count) })
    else for (const event of change.events) if (hasPrefix(event.key, prefix)) yield liveEvent(event)
  }
}

function readSnapshot(read: ReadTable, prefix: Uint8Array): readonly KvEntry[] {
  const entries: KvEntry[] = []
  let bytes = 0
  for (const entry of scan(read, { prefix })) {
    if (entry.value === undefined) continue
    bytes += entry.key.length + entry.value.length
    if (bytes > MAX_SNAPSHOT_BYTES)
      throw new LimitExceeded(
        `the keys under this prefix hold more than ${MAX_SNAPSHOT_BYTES} bytes: watch without a snapshot and list them in pages, or watch a longer prefix`,
        { limit: MAX_SNAPSHOT_BYTES, actual: bytes },
      )
    entries.push(entry)
  }
  return entries
}

function liveEvent(event: KvEvent): kv.WatchEvent {
  const { key } = event
  return event.kind === 'deleted'
    ? watchEvent({ case: 'deleted', value: { key } })
    : watchEvent({ case: 'put', value: { key, value: event.value, conflicted: event.conflicted } })
}

function watchEvent(event: NonNullable<MessageInitShape<typeof kv.WatchEventSchema>['event']>): kv.WatchEvent {
  return create(kv.WatchEventSchema, { event })
}

function hasPrefix(key: Uint8Array, prefix: Uint8Array): boolean {
  return key.length >= prefix.length && equalBytes(key.subarray(0, prefix.length), prefix)
}
