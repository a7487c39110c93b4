/**
 * What an intention of the root store carries: writes of keys, as a key-value store has them, or one other operation.
 *
 * A payload that begins as writes of keys do is judged by the key-value store's own rules, so every payload of a
 * key-value store means the same here. Any other has to be in its one canonical encoding, which leaves no room for
 * fields that this version does not know, and each part of it within its bounds. The verdict depends on the bytes alone.
 *
 * Pure and total.
 *
 * @module
 */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { decodePurgeList, isPurgePayload, PURGE_SCHEMA } from '@lattice/kvstore'
import { err, HASH_BYTES, idKey, isAscending, ok, parseStoreType, type Result } from '@lattice/model'
import { root } from '@lattice/proto'
import { readCanonical } from '@lattice/store-base'
import { checkSubdomain, isAppId, type SubdomainProblem } from './app-names.ts'
import {
  MAX_BUNDLE_BYTES,
  MAX_DROPPED_PARTS,
  MAX_INLINE_BYTES,
  MAX_MANIFEST_FIELDS,
  MAX_MANIFEST_NAME_BYTES,
  MAX_MANIFEST_RECORD_BYTES,
  MAX_MANIFEST_VALUE_BYTES,
  MAX_PARTS,
  PART_BYTES,
} from './limits.ts'

/** An operation beside the writes of keys. */
export type RootOperation = Exclude<root.RootPayload['operation'], { readonly case: undefined }>

/** Why a payload is a recorded no-op, beside the reasons of the key-value store. */
export type RootRejection =
  | 'payload_malformed'
  | 'operation_unset'
  | 'app_id_malformed'
  | 'store_id_malformed'
  | SubdomainProblem
  | 'part_out_of_bounds'
  | 'record_malformed'
  | 'manifest_malformed'
  | 'part_list_malformed'
  | 'key_out_of_bounds'
  | 'purge_malformed'

const TAG_KV_OPERATION = 0x0a

/** True for what the key-value store judges: its writes and purges, and nothing at all. */
export function isKvPayload(payload: Uint8Array): boolean {
  return payload.length === 0 || payload[0] === TAG_KV_OPERATION || isPurgePayload(payload)
}

export function encodeOperation(
  operation: NonNullable<MessageInitShape<typeof root.RootPayloadSchema>['operation']>,
): Uint8Array {
  return toBinary(root.RootPayloadSchema, create(root.RootPayloadSchema, { operation }))
}

export function decodeOperation(bytes: Uint8Array, schema: number): Result<RootOperation, RootRejection> {
  const payload = readCanonical(root.RootPayloadSchema, bytes)
  // Writes of keys stand alone: whoever knows only a key-value store then understands all of them.
  if (payload === undefined || payload.operations.length > 0 || payload.purges.length > 0)
    return err('payload_malformed')
  const { operation } = payload
  // So who knows nothing of them says.
  if (operation.case === 'purgeNames' && schema < PURGE_SCHEMA) return err('payload_malformed')
  if (operation.case === undefined) return err('operation_unset')
  const problem = checkOperation(operation)
  return problem === undefined ? ok(operation) : err(problem)
}

function checkOperation(operation: RootOperation): RootRejection | undefined {
  switch (operation.case) {
    case 'setApp':
      return checkSubdomain(operation.value.subdomain) ?? checkBinding(operation.value.binding)
    case 'unsetApp':
      return checkSubdomain(operation.value.subdomain)
    case 'putPart': {
      const { appId, data } = operation.value
      if (!isAppId(appId)) return 'app_id_malformed'
      return data.length >= 1 && data.length <= PART_BYTES ? undefined : 'part_out_of_bounds'
    }
    case 'putBundle': {
      const { record, droppedParts } = operation.value
      return record === undefined ? 'record_malformed' : (checkRecord(record) ?? checkDropped(droppedParts))
    }
    case 'unsetBundle':
      return isAppId(operation.value.appId) ? checkDropped(operation.value.droppedParts) : 'app_id_malformed'
    case 'purgeNames':
      return checkPurges(operation.value)
    case 'dropParts': {
      const { appId, parts } = operation.value
      if (!isAppId(appId)) return 'app_id_malformed'
      return parts.length === 0 ? 'part_list_malformed' : checkDropped(parts)
    }
  }
}

function checkBinding(binding: root.AppBinding | undefined): RootRejection | undefined {
  if (binding === undefined || !isAppId(binding.appId)) return 'app_id_malformed'
  return binding.storeId.length === HASH_BYTES ? undefined : 'store_id_malformed'
}

function checkRecord({ manifest, size, hash, content }: root.BundleRecord): RootRejection | undefined {
  if (manifest === undefined || !isManifest(manifest)) return 'manifest_malformed'
  if (hash.length !== HASH_BYTES || size < 1n || size > BigInt(MAX_BUNDLE_BYTES)) return 'record_malformed'
  switch (content.case) {
    case 'inline':
      return content.value.length <= MAX_INLINE_BYTES && BigInt(content.value.length) === size
        ? undefined
        : 'record_malformed'
    case 'parts': {
      const { ids } = content.value
      const isWhole = ids.length <= MAX_PARTS && ids.length === Math.ceil(Number(size) / PART_BYTES)
      return isWhole && ids.every(isId) && new Set(ids.map(idKey)).size === ids.length
        ? undefined
        : 'part_list_malformed'
    }
    case undefined:
      return 'record_malformed'
  }
}

function isManifest(manifest: root.Manifest): boolean {
  return (
    isAppId(manifest.id) &&
    (manifest.storeType === '' || parseStoreType(manifest.storeType).ok) &&
    [manifest.name, manifest.version, manifest.description].every(({ length }) => length <= MAX_MANIFEST_VALUE_BYTES) &&
    manifest.fields.length <= MAX_MANIFEST_FIELDS &&
    manifest.fields.every(
      ({ table, key, value }) =>
        table.length <= MAX_MANIFEST_NAME_BYTES &&
        key.length <= MAX_MANIFEST_NAME_BYTES &&
        value.length <= MAX_MANIFEST_VALUE_BYTES,
    ) &&
    toBinary(root.ManifestSchema, manifest).length <= MAX_MANIFEST_RECORD_BYTES
  )
}

function checkPurges({ apps, bundles }: root.PurgeNames): RootRejection | undefined {
  if (apps.length + bundles.length === 0) return 'purge_malformed'
  for (const list of [apps, bundles]) {
    const decoded = decodePurgeList(list)
    if (!decoded.ok) return decoded.error
  }
  return undefined
}

/** In ascending order, each once: equal lists are equal bytes. */
function checkDropped(ids: readonly Uint8Array[]): RootRejection | undefined {
  const isList = ids.length <= MAX_DROPPED_PARTS && ids.every(isId) && isAscending(ids)
  return isList ? undefined : 'part_list_malformed'
}

function isId(bytes: Uint8Array): boolean {
  return bytes.length === HASH_BYTES
}
