/**
 * Everything a machine of keys and values is made of, for machines that are that and more.
 *
 * Whoever takes all of it up, over a table of its own, serves `openKv` unchanged.
 *
 * @module
 */
import type { CommandDefinition, FieldFormat, QueryDefinition, StreamDefinition } from '@lattice/store-base'
import type { KvEvent } from './apply-payload.ts'
import { batch, put, remove, resolve } from './commands.ts'
import { history } from './history.ts'
import { count, get, inspect, list } from './queries.ts'
import { watch } from './watch.ts'

export const kvCommands: Readonly<Record<string, CommandDefinition>> = {
  Put: put,
  Delete: remove,
  Batch: batch,
  Resolve: resolve,
}

export const kvQueries: Readonly<Record<string, QueryDefinition>> = {
  Get: get,
  List: list,
  Inspect: inspect,
  History: history,
  Count: count,
}

export const kvStreams: Readonly<Record<string, StreamDefinition<KvEvent>>> = { Watch: watch }

export const kvFieldFormats: Readonly<Record<string, FieldFormat>> = {
  'lattice.kv.v1.KvOperation.key': 'utf8',
  'lattice.kv.v1.KvOperation.put': 'utf8',
  'lattice.kv.v1.PutRequest.key': 'utf8',
  'lattice.kv.v1.PutRequest.value': 'utf8',
  'lattice.kv.v1.DeleteRequest.key': 'utf8',
  'lattice.kv.v1.ResolveRequest.key': 'utf8',
  'lattice.kv.v1.ResolveRequest.value': 'utf8',
  'lattice.kv.v1.WriteResponse.id': 'hex',
  'lattice.kv.v1.GetRequest.key': 'utf8',
  'lattice.kv.v1.GetResponse.value': 'utf8',
  'lattice.kv.v1.ListRequest.prefix': 'utf8',
  'lattice.kv.v1.ListRequest.start': 'utf8',
  'lattice.kv.v1.ListRequest.end': 'utf8',
  'lattice.kv.v1.ListRequest.page_token': 'hex',
  'lattice.kv.v1.ListResponse.next_page_token': 'hex',
  'lattice.kv.v1.KeyValue.key': 'utf8',
  'lattice.kv.v1.KeyValue.value': 'utf8',
  'lattice.kv.v1.InspectRequest.key': 'utf8',
  'lattice.kv.v1.InspectResponse.key': 'utf8',
  'lattice.kv.v1.HeadInfo.id': 'hex',
  'lattice.kv.v1.HeadInfo.author': 'hex',
  'lattice.kv.v1.HeadInfo.wall': 'timestamp',
  'lattice.kv.v1.HeadInfo.value': 'utf8',
  'lattice.kv.v1.HistoryRequest.key': 'utf8',
  'lattice.kv.v1.HistoryRequest.page_token': 'hex',
  'lattice.kv.v1.HistoryResponse.next_page_token': 'hex',
  'lattice.kv.v1.HistoryEntry.id': 'hex',
  'lattice.kv.v1.HistoryEntry.author': 'hex',
  'lattice.kv.v1.HistoryEntry.wall': 'timestamp',
  'lattice.kv.v1.HistoryEntry.value': 'utf8',
  'lattice.kv.v1.CountRequest.prefix': 'utf8',
  'lattice.kv.v1.CountRequest.start': 'utf8',
  'lattice.kv.v1.CountRequest.end': 'utf8',
  'lattice.kv.v1.WatchRequest.prefix': 'utf8',
  'lattice.kv.v1.WatchRequest.cursor': 'hex',
  'lattice.kv.v1.WatchEvent.cursor': 'hex',
  'lattice.kv.v1.KeyDeleted.key': 'utf8',
}
