/**
 * The payload that takes tombstones out of the table, see `purge.ts` of the table.
 *
 * Whoever prunes a store writes it; by the rules it may come from any peer that may write, for it can drop no value. The
 * verdict depends on the bytes and the schema version alone.
 *
 * @module
 */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { findPurges, isKvKey, type KvPurge } from '@lattice/kvtable'
import {
  err,
  idKey,
  type IntentionId,
  isAscending,
  ok,
  readIntentionId,
  type ReadTable,
  type Result,
} from '@lattice/model'
import { kv } from '@lattice/proto'
import { readCanonical } from '@lattice/store-base'
import type { PayloadRejection } from './payload.ts'

/** The schema version that knows purges. */
export const PURGE_SCHEMA = 2

/** `KvPayload.purges`. */
const TAG_PURGE = 0x42

/** True for what {@link decodePurges} judges. */
export function isPurgePayload(payload: Uint8Array): boolean {
  return payload[0] === TAG_PURGE
}

/** What tombstones a payload purges: in its one canonical encoding, each key once. Total. */
export function decodePurges(bytes: Uint8Array, schema: number): Result<readonly KvPurge[], PayloadRejection> {
  const payload = schema < PURGE_SCHEMA ? undefined : readCanonical(kv.KvPayloadSchema, bytes)
  return payload === undefined || payload.operations.length > 0
    ? err('payload_malformed')
    : decodePurgeList(payload.purges)
}

/** Checks a list of purges, wherever it stands. */
export function decodePurgeList(
  purges: readonly kv.KvPurge[],
): Result<readonly KvPurge[], 'key_out_of_bounds' | 'purge_malformed'> {
  const decoded: KvPurge[] = []
  for (const { key, tombstones } of purges) {
    if (!isKvKey(key)) return err('key_out_of_bounds')
    const ids = tombstones.flatMap((id) => readIntentionId(id) ?? [])
    if (ids.length === 0 || ids.length < tombstones.length || !isAscending(ids)) return err('purge_malformed')
    decoded.push({ key, tombstones: ids })
  }
  return new Set(decoded.map(({ key }) => idKey(key))).size === decoded.length ? ok(decoded) : err('purge_malformed')
}

/** As a message has them. */
export function purgesOf(purges: readonly KvPurge[]): MessageInitShape<typeof kv.KvPurgeSchema>[] {
  return purges.map(({ key, tombstones }) => ({ key, tombstones: [...tombstones] }))
}

/** Payloads that purge what nobody needs to find any more; undefined after each slice of looking. */
export function* planPurges(
  read: ReadTable,
  isSeen: (id: IntentionId) => boolean,
): Generator<Uint8Array | undefined, void, undefined> {
  for (const found of findPurges(read, isSeen)) {
    yield found && toBinary(kv.KvPayloadSchema, create(kv.KvPayloadSchema, { purges: purgesOf(found) }))
  }
}
