/**
 * Every row of the system table, decoded for people: times as ISO 8601, ids as
 * hex, roles and states as words.
 *
 * A row that cannot be decoded is listed with its bytes: the listing is how one
 * finds out what is wrong, so nothing in the table can break it.
 *
 * @module
 */
import { get } from '@lattice/kvtable'
import { type ReadTable, toHex, utf8Decode } from '@lattice/model'
import { isoTime } from './iso-time.ts'
import { decodeSystemKey, type SystemKey } from './keys.ts'
import { decodePrunePolicy } from './prune-policy.ts'
import { standingValue } from './standing-value.ts'
import {
  decodeChildStatus,
  decodeCount,
  decodeGrant,
  decodeInviteStatus,
  decodePeer,
  decodePeerStatus,
  decodeRole,
  decodeSeq,
  decodeStrategy,
  decodeText,
  decodeTime,
  isMark,
} from './values.ts'

export interface SystemEntry {
  /** The key as text; as hex when it is none. */
  readonly key: string
  /** The value for people; undefined when it does not decode. */
  readonly text: string | undefined
  /** The bytes of the value that is meant; empty when the row is damaged. */
  readonly raw: Uint8Array
  readonly conflicted: boolean
}

/** All entries in order of key. */
export function* listSystem(read: ReadTable): Generator<SystemEntry, void, undefined> {
  for (const { key } of read.scan({})) yield entryOf(read, key)
}

function entryOf(read: ReadTable, key: Uint8Array): SystemEntry {
  const decoded = decodeSystemKey(key)
  const name = decoded === undefined ? `0x${toHex(key)}` : (utf8Decode(key) ?? '')
  const resolved = readRow(read, key, decoded)
  const raw = resolved?.value ?? new Uint8Array()
  const text = decoded === undefined || resolved?.value === undefined ? undefined : show(decoded, raw)
  return { key: name, text, raw, conflicted: resolved?.conflicted ?? false }
}

/** A damaged row is shown as such, and is the business of whoever checks the table. */
function readRow(read: ReadTable, key: Uint8Array, decoded: SystemKey | undefined): ReturnType<typeof get> {
  try {
    const found = get(read, key)
    if (found === undefined || decoded === undefined) return found
    return { ...found, value: standingValue(read, decoded, { key, ...found }) }
  } catch {
    return undefined
  }
}

function show(key: SystemKey, value: Uint8Array): string | undefined {
  switch (key.kind) {
    case 'store':
      return showStoreField(key.field, value)
    case 'schema_activation':
      return decodeCount(value)?.toString()
    case 'peer':
      if (key.field === 'status') return decodePeerStatus(value)
      return showCommonField(key.field, value)
    case 'grant':
      return decodeGrant(value)?.role
    case 'revocation':
      return decodeRole(value)
    case 'child':
      if (key.field === 'independent') return isMark(value) && 'yes'
      return key.field === 'status' ? decodeChildStatus(value) : decodeText(value)
    case 'invite':
      if (key.field === 'status') return decodeInviteStatus(value)
      return showCommonField(key.field, value)
    case 'destroy_ack':
    case 'store_destroy_ack':
    case 'claim':
      return isMark(value) && 'yes'
    case 'replication':
      return key.field === 'factor' ? decodeCount(value)?.toString() : `0x${toHex(value)}`
  }
}

function showStoreField(field: Extract<SystemKey, { kind: 'store' }>['field'], value: Uint8Array): string | undefined {
  switch (field) {
    case 'name':
    case 'app-id':
      return decodeText(value)
    case 'creator':
      return showPeer(value)
    case 'schema':
      return decodeCount(value)?.toString()
    case 'destroyed':
      return isMark(value) && 'yes'
    case 'epoch':
      return decodeSeq(value)?.toString()
    case 'prune-policy': {
      const policy = decodePrunePolicy(value)
      if (policy === undefined || policy.kind === 'manual') return policy?.kind
      return policy.kind === 'keep_days' ? `keep ${policy.days} days` : `keep ${policy.count} intentions`
    }
    case 'strategy': {
      const strategy = decodeStrategy(value)
      if (strategy === undefined || strategy.parent === undefined) return strategy?.kind
      return `${strategy.kind} ${toHex(strategy.parent)}`
    }
  }
}

function showCommonField(
  field: 'name' | 'device' | 'added-at' | 'added-by' | 'role' | 'invited-by' | 'expires-at' | 'uses',
  value: Uint8Array,
): string | undefined {
  switch (field) {
    case 'name':
    case 'device':
      return decodeText(value)
    case 'added-at':
    case 'expires-at': {
      const time = decodeTime(value)
      return time === undefined ? undefined : isoTime(time)
    }
    case 'added-by':
    case 'invited-by':
      return showPeer(value)
    case 'role':
      return decodeRole(value)
    case 'uses':
      return decodeCount(value)?.toString()
  }
}

function showPeer(value: Uint8Array): string | undefined {
  const peer = decodePeer(value)
  return peer && toHex(peer)
}
