/**
 * What an intention of this store carries, decoded into one write per key.
 *
 * A payload comes from any admitted peer, so every way it can be wrong has a
 * reason of its own, found before a row is touched. The verdict depends on the
 * bytes alone.
 *
 * @module
 */
import { fromBinary } from '@bufbuild/protobuf'
import { err, type IdKey, idKey, ok, type Result } from '@lattice/model'
import { kv } from '@lattice/proto'
import { isKvKey, type KvState } from '@lattice/kvtable'
import type { KeyWrite } from './key-write.ts'
import { decodeOperations, encodeOperations } from './payload-codec.ts'

/** Why a payload is a recorded no-op. */
export type PayloadRejection =
  | 'payload_malformed'
  | 'payload_empty'
  | 'key_out_of_bounds'
  | 'operation_unset'
  | 'purge_malformed'

const TOMBSTONE: KvState = { kind: 'tombstone' }

/** Reads a payload: at most one write per key, the last one. Total. */
export function decodePayload(bytes: Uint8Array): Result<readonly KeyWrite[], PayloadRejection> {
  const quick = decodeOperations(bytes)
  return quick !== undefined && quick.length > 0 && quick.every(({ key }) => isKvKey(key))
    ? ok(lastPerKey(quick))
    : decodeAny(bytes)
}

/** By the generated decoder. Exported for its test. */
export function decodeAny(bytes: Uint8Array): Result<readonly KeyWrite[], PayloadRejection> {
  const payload = readMessage(bytes)
  // A field this version does not know may change the meaning of those it does. Purges stand alone.
  if (payload === undefined || hasUnknown(payload) || payload.purges.length > 0) return err('payload_malformed')
  if (payload.operations.length === 0) return err('payload_empty')
  const writes: KeyWrite[] = []
  for (const { key, operation } of payload.operations) {
    if (!isKvKey(key)) return err('key_out_of_bounds')
    if (operation.case === undefined) return err('operation_unset')
    writes.push({ key, state: operation.case === 'put' ? { kind: 'value', value: operation.value } : TOMBSTONE })
  }
  return ok(lastPerKey(writes))
}

/** Encodes writes, in the order given. */
export const encodePayload: (writes: readonly KeyWrite[]) => Uint8Array = encodeOperations

/** One write per key, the last; keys in the order in which they first appear. */
export function lastPerKey(writes: readonly KeyWrite[]): readonly KeyWrite[] {
  if (writes.length <= 1) return writes
  const last = new Map<IdKey, KeyWrite>()
  for (const write of writes) last.set(idKey(write.key), write)
  return last.size === writes.length ? writes : [...last.values()]
}

function readMessage(bytes: Uint8Array): kv.KvPayload | undefined {
  try {
    return fromBinary(kv.KvPayloadSchema, bytes)
  } catch {
    return undefined
  }
}

function hasUnknown(payload: kv.KvPayload): boolean {
  if (payload.$unknown !== undefined) return true
  return payload.operations.some(
    ({ $unknown, operation }) =>
      $unknown !== undefined || (operation.case === 'delete' && operation.value.$unknown !== undefined),
  )
}
