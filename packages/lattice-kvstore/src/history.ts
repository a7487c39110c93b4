/**
 * The history of a key, page by page.
 *
 * Every write that stands comes from the table, so a history has them even where the log does not reach back to them.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { heads, type KvHead } from '@lattice/kvtable'
import { idKey } from '@lattice/model'
import { kv } from '@lattice/proto'
import { defineQuery, InvalidArgument, type QueryContext, type QueryDefinition } from '@lattice/store-base'
import { checkKey, checkPageLimit } from './check-request.ts'
import { decodeHistoryToken, encodeHistoryToken } from './history-token.ts'
import { MAX_HISTORY_LIMIT, MAX_OPEN_WRITES } from './limits.ts'
import { stateUnder, toHead, walkHistory } from './walk-history.ts'

export const history: QueryDefinition<typeof kv.HistoryRequestSchema, typeof kv.HistoryResponseSchema> = defineQuery({
  description: 'Lists the writes of a key, newest first, as far as the log reaches.',
  request: kv.HistoryRequestSchema,
  response: kv.HistoryResponseSchema,
  run: (context, request) => {
    const { read, log } = context
    const key = checkKey(request.key)
    const limit = checkPageLimit(request.limit, MAX_HISTORY_LIMIT)
    const standing = heads(read, key)
    const begin = beginning(context, request, standing)
    const { writes, open, isCutOff } = walkHistory({ log, key, open: begin.open, limit })
    const older = { open: open.map(({ id }) => id), isCutOff: begin.isCutOff || isCutOff }
    const stands = new Set(standing.map(({ id }) => idKey(id)))
    const [winner] = standing
    return create(kv.HistoryResponseSchema, {
      entries: writes.map((write) => entryOf(write, { stands, winner })),
      ...(open.length > 0 ? { nextPageToken: encodeHistoryToken(older) } : { cutOff: older.isCutOff }),
    })
  },
})

interface Beginning {
  readonly open: readonly KvHead[]
  readonly isCutOff: boolean
}

/** From the heads, the latest first where there are too many; or from where the page before ended. */
function beginning(
  { log }: QueryContext,
  { key, pageToken }: kv.HistoryRequest,
  standing: readonly KvHead[],
): Beginning {
  if (pageToken.length === 0)
    return { open: standing.slice(0, MAX_OPEN_WRITES), isCutOff: standing.length > MAX_OPEN_WRITES }
  const position = decodeHistoryToken(pageToken)
  if (position === undefined) throw foreignToken()
  const byId = new Map(standing.map((head) => [idKey(head.id), head]))
  const open = new Map<string, KvHead>()
  let { isCutOff } = position
  for (const id of position.open) {
    const logged = log.get(id)
    const state = logged && stateUnder(logged, key)
    const write = logged && state ? toHead(logged, state) : byId.get(idKey(id))
    if (write !== undefined) open.set(idKey(id), write)
    // What is here and is no write of the key was never on a page of it; what is not may have left since.
    else if (log.has(id)) throw foreignToken()
    else isCutOff = true
  }
  return { open: [...open.values()], isCutOff }
}

function foreignToken(): InvalidArgument {
  return new InvalidArgument(
    'the page token is not of the history of this key: repeat the request that gave it, with its token',
  )
}

function entryOf(
  { id, author, timestamp, state }: KvHead,
  { stands, winner }: { readonly stands: ReadonlySet<string>; readonly winner: KvHead | undefined },
): kv.HistoryEntry {
  const key = idKey(id)
  return create(kv.HistoryEntrySchema, {
    id,
    author,
    wall: BigInt(timestamp.wall),
    counter: timestamp.counter,
    ...(state.kind === 'value' && { value: state.value }),
    stands: stands.has(key),
    wins: winner !== undefined && idKey(winner.id) === key,
  })
}
