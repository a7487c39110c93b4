/**
 * What a watcher missed since it was last here.
 *
 * The log is read from its cursor on, a part at a time so that other work goes on, for the keys that were written. Once
 * the log is through, those keys are read, and what comes after is subscribed to, in that same turn: so nothing is missed,
 * nothing goes back, and a key that was written a thousand times is told once, as it reads now.
 *
 * @module
 */
import { get } from '@lattice/kvtable'
import { equalBytes, type IdKey, idKey, type ReadTable } from '@lattice/model'
import type { LoggedWrite, StreamContext, StreamEvents, StreamLagged } from '@lattice/store-base'
import type { KvEvent } from './apply-payload.ts'
import { CATCH_UP_TURN_WRITES, MAX_CATCH_UP_WRITES, MAX_SNAPSHOT_BYTES } from './limits.ts'
import { decodePayload } from './payload.ts'
import { decodePurges, isPurgePayload, PURGE_SCHEMA } from './purge.ts'

/** A key that was written, as it reads now; without a value it does not exist. */
export interface ChangedKey {
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
  readonly conflicted: boolean
}

export interface CaughtUp {
  /** In the order in which the keys were written last. */
  readonly entries: readonly ChangedKey[]
  /** Where the state stood when they were read. */
  readonly cursor: Uint8Array
  /** Everything from then on. */
  readonly changes: AsyncIterator<StreamEvents<KvEvent> | StreamLagged>
}

export interface CatchUpOptions {
  readonly prefix: Uint8Array
  readonly missed: IterableIterator<LoggedWrite>
  readonly onEnd: (caughtUp: CaughtUp) => void
  /** There is more than a catch-up may cost. */
  readonly onTooMuch: () => void
}

/** Calls `onEnd` or `onTooMuch` in the turn to which it applies; neither, once the signal has aborted. */
export async function catchUp(
  context: StreamContext<KvEvent>,
  { prefix, missed, onEnd, onTooMuch }: CatchUpOptions,
): Promise<void> {
  const keys = createChangedKeys(prefix)
  for (let count = 1; ; count += 1) {
    const next = missed.next()
    if (next.done === true) break
    keys.add(next.value)
    if (count > MAX_CATCH_UP_WRITES || keys.bytes() > MAX_SNAPSHOT_BYTES) {
      onTooMuch()
      return
    }
    if (count % CATCH_UP_TURN_WRITES === 0) await context.pause()
    if (context.signal.aborted) return
  }
  const entries = readKeys(context.read, keys.all())
  if (entries === undefined) onTooMuch()
  else onEnd({ entries, cursor: context.log.cursor(), changes: context.changes()[Symbol.asyncIterator]() })
}

/** What a payload is about. One that was rejected changed nothing, and is looked at for nothing. */
function touchedBy(payload: Uint8Array): readonly { readonly key: Uint8Array }[] {
  const decoded = isPurgePayload(payload) ? decodePurges(payload, PURGE_SCHEMA) : decodePayload(payload)
  return decoded.ok ? decoded.value : []
}

function createChangedKeys(prefix: Uint8Array): {
  readonly add: (write: LoggedWrite) => void
  readonly all: () => Iterable<Uint8Array>
  readonly bytes: () => number
} {
  const keys = new Map<IdKey, Uint8Array>()
  let bytes = 0
  return {
    add: ({ payload }) => {
      for (const { key } of touchedBy(payload)) {
        if (key.length < prefix.length || !equalBytes(key.subarray(0, prefix.length), prefix)) continue
        const id = idKey(key)
        if (!keys.delete(id)) bytes += key.length
        // Copied: the payload it is a view of need not stay for it.
        keys.set(id, key.slice())
      }
    },
    all: () => keys.values(),
    bytes: () => bytes,
  }
}

/** Undefined where they hold too much to be held at once. */
function readKeys(read: ReadTable, keys: Iterable<Uint8Array>): readonly ChangedKey[] | undefined {
  const entries: ChangedKey[] = []
  let bytes = 0
  for (const key of keys) {
    const found = get(read, key)
    bytes += key.length + (found?.value?.length ?? 0)
    if (bytes > MAX_SNAPSHOT_BYTES) return undefined
    entries.push({ key, value: found?.value, conflicted: found?.conflicted ?? false })
  }
  return entries
}
