/**
 * How a payload changes the table, and what readers see of it.
 *
 * Total: any payload is either applied whole or rejected with a reason before the first row is written. Nothing is
 * decided by whether a row is there: a bundle counts where its author had seen every part of it, a fact of the DAG, and
 * whether the parts are still here is found when it is read.
 *
 * @module
 */
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { applyPayload as applyKvPayload, decodePurgeList, type KvEvent } from '@lattice/kvstore'
import { applyPurge, applyWrite, type KvChange, type KvPurged, type KvState } from '@lattice/kvtable'
import { assert, idKey, toIntentionId, utf8Decode, utf8Encode, type WriteTable } from '@lattice/model'
import { type kv, root } from '@lattice/proto'
import type { AppliedOp, OpOutcome } from '@lattice/store-base'
import { dropParts, putPart } from './bundle-parts.ts'
import { decodeOperation, isKvPayload, type RootOperation } from './payload.ts'
import { type TablePart, writePart } from './table-layout.ts'

/** A key, an app or a bundle reads differently than before. */
export type RootEvent =
  | KvEvent
  | {
      readonly kind: 'app_changed'
      readonly subdomain: string
      readonly binding: root.AppBinding
      readonly conflicted: boolean
    }
  | { readonly kind: 'app_removed'; readonly subdomain: string }
  | {
      readonly kind: 'bundle_changed'
      readonly appId: string
      readonly record: root.BundleRecord
      readonly conflicted: boolean
    }
  | { readonly kind: 'bundle_removed'; readonly appId: string }

export function applyRootPayload(table: WriteTable, op: AppliedOp): OpOutcome<RootEvent> {
  if (isKvPayload(op.payload)) return applyKvPayload(writePart(table, 'kv'), op)
  const decoded = decodeOperation(op.payload, op.schema)
  if (!decoded.ok) return { kind: 'rejected', reason: decoded.error }
  return applyOperation(table, op, decoded.value)
}

function applyOperation(table: WriteTable, op: AppliedOp, operation: RootOperation): OpOutcome<RootEvent> {
  switch (operation.case) {
    case 'setApp': {
      const { subdomain, binding } = operation.value
      if (binding === undefined) return { kind: 'rejected', reason: 'app_id_malformed' }
      const value = toBinary(root.AppBindingSchema, binding)
      return applied(appEvent(write(table, op, { part: 'apps', name: subdomain, state: { kind: 'value', value } })))
    }
    case 'unsetApp': {
      const { subdomain } = operation.value
      return applied(appEvent(write(table, op, { part: 'apps', name: subdomain, state: { kind: 'tombstone' } })))
    }
    case 'putPart':
      putPart(table, op, operation.value)
      return applied(undefined)
    case 'putBundle':
      return applyBundle(table, op, operation.value)
    case 'unsetBundle': {
      const { appId, droppedParts } = operation.value
      const change = write(table, op, { part: 'bundles', name: appId, state: { kind: 'tombstone' } })
      dropParts(table, op, { appId, ids: droppedParts })
      return applied(bundleEvent(change))
    }
    case 'dropParts':
      dropParts(table, op, { appId: operation.value.appId, ids: operation.value.parts })
      return applied(undefined)
    case 'purgeNames':
      return applyPurges(table, op, operation.value)
  }
}

function applyPurges(
  table: WriteTable,
  { covers }: AppliedOp,
  { apps, bundles }: root.PurgeNames,
): OpOutcome<RootEvent> {
  const purgedIn = (part: TablePart, list: readonly kv.KvPurge[]): readonly KvPurged[] => {
    const purges = decodePurgeList(list)
    assert(purges.ok, 'a decoded operation has well-formed purges')
    return purges.value.flatMap((purge) => applyPurge(writePart(table, part), { ...purge, covers }) ?? [])
  }
  return {
    kind: 'applied',
    events: [...purgedIn('apps', apps).map(toAppEvent), ...purgedIn('bundles', bundles).map(toBundleEvent)],
  }
}

function applyBundle(table: WriteTable, op: AppliedOp, { record, droppedParts }: root.PutBundle): OpOutcome<RootEvent> {
  if (record?.manifest === undefined) return { kind: 'rejected', reason: 'record_malformed' }
  const { content, manifest } = record
  if (content.case === 'parts' && !content.value.ids.every(partsSeenBy(op)))
    return { kind: 'rejected', reason: 'part_not_in_past' }
  const value = toBinary(root.BundleRecordSchema, record)
  const change = write(table, op, { part: 'bundles', name: manifest.id, state: { kind: 'value', value } })
  dropParts(table, op, { appId: manifest.id, ids: droppedParts })
  return applied(bundleEvent(change))
}

/**
 * What its author had seen of parts. Those that lie below an epoch it had seen are out of its reach, unless it cites them: once
 * history is pruned nobody can tell such a part from one that never was.
 */
function partsSeenBy({ deps, follows, covers }: AppliedOp): (id: Uint8Array) => boolean {
  const cited = new Set(deps.map(idKey))
  return (bytes) => {
    const id = toIntentionId(bytes)
    return cited.has(idKey(id)) || (follows(id) && !covers(id))
  }
}

function write(
  table: WriteTable,
  { id, timestamp, author, deps, follows, covers }: AppliedOp,
  { part, name, state }: { readonly part: TablePart; readonly name: string; readonly state: KvState },
): KvChange {
  const about = { id, timestamp, author, deps, follows, covers }
  return applyWrite(writePart(table, part), { ...about, key: utf8Encode(name), state })
}

function applied(event: RootEvent | undefined): OpOutcome<RootEvent> {
  return { kind: 'applied', events: event === undefined ? [] : [event] }
}

function appEvent(change: KvChange): RootEvent | undefined {
  return change.changed ? toAppEvent(change) : undefined
}

function toAppEvent({ key, after }: Pick<KvChange, 'key' | 'after'>): RootEvent {
  const subdomain = utf8Decode(key) ?? ''
  if (after.value === undefined) return { kind: 'app_removed', subdomain }
  const binding = fromBinary(root.AppBindingSchema, after.value)
  return { kind: 'app_changed', subdomain, binding, conflicted: after.conflicted }
}

function bundleEvent(change: KvChange): RootEvent | undefined {
  return change.changed ? toBundleEvent(change) : undefined
}

function toBundleEvent({ key, after }: Pick<KvChange, 'key' | 'after'>): RootEvent {
  const appId = utf8Decode(key) ?? ''
  if (after.value === undefined) return { kind: 'bundle_removed', appId }
  const record = fromBinary(root.BundleRecordSchema, after.value)
  return { kind: 'bundle_changed', appId, record, conflicted: after.conflicted }
}
