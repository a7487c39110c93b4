/**
 * The log state machine, `core:logstore`.
 *
 * @module
 */
import { assert, parseStoreType, type StoreType } from '@lattice/model'
import { log } from '@lattice/proto'
import { defineStateMachine, type StateMachine } from '@lattice/store-base'
import { applyPayload, type LogEvent } from './apply-payload.ts'
import { append, appendBatch } from './commands.ts'
import { follow } from './follow.ts'
import { count, get, read } from './queries.ts'
import { summarizePayload } from './summarize.ts'

/** A store of entries in order of time, to which everybody appends and from which nothing is taken. */
export const logStore: StateMachine<LogEvent, typeof log.LogStore> = defineStateMachine<
  StateMachine<LogEvent, typeof log.LogStore>
>({
  storeType: storeType('core:logstore'),
  schemaVersion: 1,
  tableVersion: 1,
  service: log.LogStore,
  commands: { Append: append, AppendBatch: appendBatch },
  queries: { Read: read, Get: get, Count: count },
  streams: { Follow: follow },
  apply: applyPayload,
  summarize: summarizePayload,
  fieldFormats: {
    'lattice.log.v1.LogPayload.contents': 'utf8',
    'lattice.log.v1.AppendRequest.content': 'utf8',
    'lattice.log.v1.AppendBatchRequest.contents': 'utf8',
    'lattice.log.v1.AppendResponse.id': 'hex',
    'lattice.log.v1.LogEntry.id': 'hex',
    'lattice.log.v1.LogEntry.author': 'hex',
    'lattice.log.v1.LogEntry.wall': 'timestamp',
    'lattice.log.v1.LogEntry.content': 'utf8',
    'lattice.log.v1.LogRange.from': 'timestamp',
    'lattice.log.v1.LogRange.to': 'timestamp',
    'lattice.log.v1.LogRange.author': 'hex',
    'lattice.log.v1.ReadRequest.page_token': 'hex',
    'lattice.log.v1.ReadResponse.next_page_token': 'hex',
    'lattice.log.v1.GetRequest.id': 'hex',
    'lattice.log.v1.FollowRequest.author': 'hex',
    'lattice.log.v1.FollowRequest.cursor': 'hex',
    'lattice.log.v1.FollowEvent.cursor': 'hex',
  },
  referencedBlobs: () => [],
})

function storeType(text: string): StoreType {
  const parsed = parseStoreType(text)
  assert(parsed.ok, 'the store type is well-formed')
  return parsed.value
}
