/**
 * Follows entries as they arrive.
 *
 * What is told live comes in the order in which this node takes it in: an entry that others wrote earlier may arrive after
 * later ones, and carries its own time. A follower begins with the newest entries, all as of the moment it subscribed, or
 * with a cursor, with every entry that arrived since. One that is too slow is told how much it missed, and from where it
 * can go on.
 *
 * @module
 */
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { equalBytes } from '@lattice/model'
import { log } from '@lattice/proto'
import {
  defineStream,
  type PlacedWrite,
  type StreamContext,
  type StreamDefinition,
  type StreamEvents,
  type StreamLagged,
} from '@lattice/store-base'
import type { LogEvent } from './apply-payload.ts'
import { checkAuthor } from './entry-range.ts'
import { CATCH_UP_TURN_WRITES } from './limits.ts'
import { entriesOfWrite, type Entry, entryMessage, entryOfRow } from './log-entry.ts'
import { checkTail, readTail } from './tail.ts'

export const follow: StreamDefinition<LogEvent, typeof log.FollowRequestSchema, typeof log.FollowEventSchema> =
  defineStream<LogEvent>()({
    description: 'Follows entries as they arrive.',
    params: log.FollowRequestSchema,
    item: log.FollowEventSchema,
    open: (context, { tail, author: wanted, cursor }) => {
      const author = wanted.length === 0 ? undefined : checkAuthor(wanted)
      checkTail(tail)
      const missed = cursor.length === 0 ? undefined : context.log.after(cursor)
      if (missed !== undefined) return resume(context, { author, cursor, missed })
      return tell(begin(context, { tail, author, isLagged: cursor.length > 0 }), author)
    },
  })

type Changes = AsyncIterator<StreamEvents<LogEvent> | StreamLagged>
type Author = Uint8Array | undefined

interface Beginning {
  readonly isLagged: boolean
  readonly tail: readonly Entry[]
  /** Where the state stood at the moment of subscribing. */
  readonly cursor: Uint8Array
  readonly changes: Changes
}

/** Read and subscribed in one turn: no commit can fall between. */
function begin(
  context: StreamContext<LogEvent>,
  { tail, author, isLagged }: { readonly tail: number; readonly author: Author; readonly isLagged: boolean },
): Beginning {
  return {
    isLagged,
    tail: readTail(context.read, author === undefined ? {} : { author }, tail).map(entryOfRow),
    cursor: context.log.cursor(),
    changes: context.changes()[Symbol.asyncIterator](),
  }
}

async function* tell(
  { isLagged, tail, cursor, changes }: Beginning,
  author: Author,
): AsyncGenerator<log.FollowEvent, void, undefined> {
  try {
    if (isLagged) yield followEvent({ case: 'lagged', value: 0n }, NO_CURSOR)
    for (const entry of tail) yield entryEvent(entry, NO_CURSOR)
    yield* tellLive(changes, { author, cursor })
  } finally {
    await changes.return?.()
  }
}

/** Told as it is read, so it may be any amount; the end of the log and the subscription are of one turn. */
async function* resume(
  context: StreamContext<LogEvent>,
  {
    author,
    cursor,
    missed,
  }: { readonly author: Author; readonly cursor: Uint8Array; readonly missed: IterableIterator<PlacedWrite> },
): AsyncGenerator<log.FollowEvent, void, undefined> {
  let told = cursor
  for (let count = 1; ; count += 1) {
    if (context.signal.aborted) return
    const next = missed.next()
    if (next.done === true) break
    const write = next.value
    yield* entryEvents(wantedOf(entriesOfWrite(write), author), { before: told, after: write.cursor })
    told = write.cursor
    if (count % CATCH_UP_TURN_WRITES === 0) await context.pause()
  }
  yield* tell(begin(context, { tail: 0, author, isLagged: false }), author)
}

async function* tellLive(
  changes: Changes,
  { author, cursor }: { readonly author: Author; readonly cursor: Uint8Array },
): AsyncGenerator<log.FollowEvent, void, undefined> {
  let told = cursor
  yield followEvent({ case: 'caughtUp', value: {} }, told)
  for (let next = await changes.next(); next.done !== true; next = await changes.next()) {
    const change = next.value
    if (change.kind === 'lagged') {
      // The log knows what was missed, but not where the state was made anew.
      yield followEvent({ case: 'lagged', value: BigInt(change.count) }, change.count === 0 ? NO_CURSOR : told)
      continue
    }
    yield* entryEvents(wantedOf(change.events, author), { before: told, after: change.cursor })
    told = change.cursor
  }
}

/** What is one step of the log is through with its last entry: going on from one before it tells the whole step again. */
function* entryEvents(
  entries: readonly Entry[],
  { before, after }: { readonly before: Uint8Array; readonly after: Uint8Array },
): Generator<log.FollowEvent, void, undefined> {
  for (const [index, entry] of entries.entries()) yield entryEvent(entry, index === entries.length - 1 ? after : before)
}

function wantedOf(entries: readonly Entry[], author: Author): readonly Entry[] {
  return author === undefined ? entries : entries.filter((entry) => equalBytes(entry.author, author))
}

const NO_CURSOR = new Uint8Array()

function entryEvent(entry: Entry, cursor: Uint8Array): log.FollowEvent {
  return followEvent({ case: 'entry', value: entryMessage(entry) }, cursor)
}

function followEvent(
  event: NonNullable<MessageInitShape<typeof log.FollowEventSchema>['event']>,
  cursor: Uint8Array,
): log.FollowEvent {
  return create(log.FollowEventSchema, { event, cursor })
}
