/**
 * Follows the keys under a prefix.
 *
 * A watcher is told what keys read as, not what was written: a write that changes nothing for a reader is silent. With a
 * snapshot it first gets every present key, all as of the moment it subscribed, so that nothing is missed or goes back in
 * between; with a cursor, every key that was written since, see `catch-up.ts`. One that is too slow is told how much it
 * missed, and from where it can go on.
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
  type StreamContext,
  type StreamDefinition,
  type StreamEvents,
  type StreamLagged,
} from '@lattice/store-base'
import type { KvEvent } from './apply-payload.ts'
import { type CaughtUp, catchUp } from './catch-up.ts'
import { checkBound } from './check-request.ts'
import { MAX_SNAPSHOT_BYTES } from './limits.ts'

export const watch: StreamDefinition<KvEvent, typeof kv.WatchRequestSchema, typeof kv.WatchEventSchema> =
  defineStream<KvEvent>()({
    description: 'Follows changes of the keys under a prefix.',
    params: kv.WatchRequestSchema,
    item: kv.WatchEventSchema,
    open: (context, { prefix, snapshot, cursor }) => {
      checkBound(prefix, 'prefix')
      if (cursor.length === 0) return tell(begin(context, { prefix, snapshot, isLagged: false }), prefix)
      const missed = context.log.after(cursor)
      // With a snapshot nothing is missed, whatever was not told.
      if (missed === undefined) return tell(begin(context, { prefix, snapshot, isLagged: !snapshot }), prefix)
      return resume(context, { prefix, snapshot, cursor, missed })
    },
  })

type Changes = AsyncIterator<StreamEvents<KvEvent> | StreamLagged>

interface Beginning {
  readonly isLagged: boolean
  readonly snapshot: readonly KvEntry[] | undefined
  /** Where the state stood at the moment of subscribing. */
  readonly cursor: Uint8Array
  readonly changes: Changes
}

/** Read and subscribed in one turn: no commit can fall between. */
function begin(
  context: StreamContext<KvEvent>,
  {
    prefix,
    snapshot,
    isLagged,
  }: { readonly prefix: Uint8Array; readonly snapshot: boolean; readonly isLagged: boolean },
): Beginning {
  return {
    isLagged,
    snapshot: snapshot ? readSnapshot(context.read, prefix) : undefined,
    cursor: context.log.cursor(),
    changes: context.changes()[Symbol.asyncIterator](),
  }
}

async function* tell(
  { isLagged, snapshot, cursor, changes }: Beginning,
  prefix: Uint8Array,
): AsyncGenerator<kv.WatchEvent, void, undefined> {
  try {
    if (isLagged) yield watchEvent({ case: 'lagged', value: 0n }, NO_CURSOR)
    if (snapshot !== undefined) {
      for (const { key, value, conflicted } of snapshot)
        if (value !== undefined) yield watchEvent({ case: 'put', value: { key, value, conflicted } }, NO_CURSOR)
      yield watchEvent({ case: 'snapshotEnd', value: {} }, cursor)
    }
    yield* tellLive(changes, { prefix, cursor })
  } finally {
    await changes.return?.()
  }
}

async function* resume(
  context: StreamContext<KvEvent>,
  {
    prefix,
    snapshot,
    cursor,
    missed,
  }: {
    readonly prefix: Uint8Array
    readonly snapshot: boolean
    readonly cursor: Uint8Array
    readonly missed: Parameters<typeof catchUp>[1]['missed']
  },
): AsyncGenerator<kv.WatchEvent, void, undefined> {
  const found: { caughtUp?: CaughtUp; instead?: Beginning } = {}
  await catchUp(context, {
    prefix,
    missed,
    onEnd: (caughtUp) => {
      found.caughtUp = caughtUp
    },
    onTooMuch: () => {
      found.instead = begin(context, { prefix, snapshot, isLagged: !snapshot })
    },
  })
  if (found.instead !== undefined) yield* tell(found.instead, prefix)
  if (found.caughtUp === undefined) return
  yield* tellCaughtUp(found.caughtUp, { prefix, cursor })
}

async function* tellCaughtUp(
  { entries, cursor: now, changes }: CaughtUp,
  { prefix, cursor }: { readonly prefix: Uint8Array; readonly cursor: Uint8Array },
): AsyncGenerator<kv.WatchEvent, void, undefined> {
  try {
    for (const { key, value, conflicted } of entries)
      yield value === undefined
        ? watchEvent({ case: 'deleted', value: { key } }, cursor)
        : watchEvent({ case: 'put', value: { key, value, conflicted } }, cursor)
    yield watchEvent({ case: 'caughtUp', value: {} }, now)
    yield* tellLive(changes, { prefix, cursor: now })
  } finally {
    await changes.return?.()
  }
}

async function* tellLive(
  changes: Changes,
  { prefix, cursor }: { readonly prefix: Uint8Array; readonly cursor: Uint8Array },
): AsyncGenerator<kv.WatchEvent, void, undefined> {
  let told = cursor
  for (let next = await changes.next(); next.done !== true; next = await changes.next()) {
    const change = next.value
    if (change.kind === 'lagged') {
      // The log knows what was missed, but not where the state was made anew.
      yield watchEvent({ case: 'lagged', value: BigInt(change.count) }, change.count === 0 ? NO_CURSOR : told)
      continue
    }
    const events = change.events.filter((event) => hasPrefix(event.key, prefix))
    for (const [index, event] of events.entries())
      // A commit is through with its last event: going on from one before it tells the whole commit again.
      yield liveEvent(event, index === events.length - 1 ? change.cursor : told)
    told = change.cursor
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

const NO_CURSOR = new Uint8Array()

function liveEvent(event: KvEvent, cursor: Uint8Array): kv.WatchEvent {
  const { key } = event
  return event.kind === 'deleted'
    ? watchEvent({ case: 'deleted', value: { key } }, cursor)
    : watchEvent({ case: 'put', value: { key, value: event.value, conflicted: event.conflicted } }, cursor)
}

function watchEvent(
  event: NonNullable<MessageInitShape<typeof kv.WatchEventSchema>['event']>,
  cursor: Uint8Array,
): kv.WatchEvent {
  return create(kv.WatchEventSchema, { event, cursor })
}

function hasPrefix(key: Uint8Array, prefix: Uint8Array): boolean {
  return key.length >= prefix.length && equalBytes(key.subarray(0, prefix.length), prefix)
}
