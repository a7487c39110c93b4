/**
 * Bundles as they are shown: without their content, and with how much of it is here.
 *
 * @module
 */
import { create, fromBinary } from '@bufbuild/protobuf'
import type { KvHead } from '@lattice/kvtable'
import type { ReadTable } from '@lattice/model'
import { root } from '@lattice/proto'
import { missingParts } from './bundle-parts.ts'

export interface StoredBundle {
  readonly appId: string
  readonly record: root.BundleRecord
  readonly conflicted: boolean
}

export function bundleInfo(read: ReadTable, { appId, record, conflicted }: StoredBundle): root.BundleInfo {
  const { manifest, size, hash, content } = record
  return create(root.BundleInfoSchema, {
    appId,
    ...(manifest && { manifest }),
    size,
    hash,
    parts: content.case === 'parts' ? content.value.ids.length : 0,
    missingParts: missingParts(read, appId, record),
    conflicted,
  })
}

/** From what the table holds. */
export function readRecord(value: Uint8Array): root.BundleRecord {
  return fromBinary(root.BundleRecordSchema, value)
}

export function bundleHead({ id, author, timestamp, state }: KvHead): root.BundleHead {
  const record = state.kind === 'value' ? readRecord(state.value) : undefined
  return create(root.BundleHeadSchema, {
    id,
    author,
    wall: BigInt(timestamp.wall),
    counter: timestamp.counter,
    ...(record && { version: record.manifest?.version ?? '', size: record.size, hash: record.hash }),
  })
}
