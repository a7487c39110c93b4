/**
 * A payload for people: `(root (set-app "notes" "com.example.notes" …))`; writes of keys as the key-value store shows
 * them.
 *
 * Content is shown as its size; a payload that is no payload is shown as its bytes.
 *
 * @module
 */
import { PURGE_SCHEMA, summarizePayload as summarizeKvPayload } from '@lattice/kvstore'
import { int, list, raw, type SExpr, str, sym } from '@lattice/model'
import type { root } from '@lattice/proto'
import { showBytes } from '@lattice/store-base'
import { decodeOperation, isKvPayload, type RootOperation } from './payload.ts'

export function summarizeRootPayload(bytes: Uint8Array): SExpr {
  if (isKvPayload(bytes)) return summarizeKvPayload(bytes)
  const decoded = decodeOperation(bytes, PURGE_SCHEMA)
  if (!decoded.ok) return list(sym('rejected'), sym(decoded.error), raw(bytes))
  return list(sym('root'), summarizeOperation(decoded.value))
}

function summarizeOperation(operation: RootOperation): SExpr {
  switch (operation.case) {
    case 'setApp': {
      const { subdomain, binding } = operation.value
      return list(sym('set-app'), str(subdomain), str(binding?.appId ?? ''), raw(binding?.storeId ?? new Uint8Array()))
    }
    case 'unsetApp':
      return list(sym('unset-app'), str(operation.value.subdomain))
    case 'putPart':
      return list(sym('put-part'), str(operation.value.appId), int(operation.value.data.length))
    case 'putBundle': {
      const { record, droppedParts } = operation.value
      return list(sym('put-bundle'), ...(record === undefined ? [] : summarizeRecord(record)), ...dropped(droppedParts))
    }
    case 'unsetBundle':
      return list(sym('unset-bundle'), str(operation.value.appId), ...dropped(operation.value.droppedParts))
    case 'dropParts':
      return list(sym('drop-parts'), str(operation.value.appId), ...operation.value.parts.map((id) => raw(id)))
    case 'purgeNames': {
      const { apps, bundles } = operation.value
      const names = (list: typeof apps): readonly SExpr[] => list.map(({ key }) => showBytes(key))
      return list(sym('purge'), list(sym('apps'), ...names(apps)), list(sym('bundles'), ...names(bundles)))
    }
  }
}

function summarizeRecord({ manifest, size, hash, content }: root.BundleRecord): readonly SExpr[] {
  return [
    str(manifest?.id ?? ''),
    str(manifest?.version ?? ''),
    list(sym('size'), int(size)),
    list(sym('hash'), raw(hash)),
    ...(content.case === 'parts' ? [list(sym('parts'), int(content.value.ids.length))] : []),
  ]
}

function dropped(ids: readonly Uint8Array[]): readonly SExpr[] {
  return ids.length === 0 ? [] : [list(sym('dropped'), int(ids.length))]
}
