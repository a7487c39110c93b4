/**
 * How single values are stored in the system table: one encoding each, of fixed
 * width where it is a number, so that equal values are equal bytes.
 *
 * Decoders answer `undefined` for what they do not know: a reader leaves such a
 * value out and goes on.
 *
 * @module
 */
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  assert,
  compareBytes,
  concatBytes,
  HASH_BYTES,
  type IntentionId,
  type PublicKey,
  readPublicKey,
  readStoreId,
  type StoreId,
  toIntentionId,
  utf8Decode,
  utf8Encode,
} from '@lattice/model'
import { system } from '@lattice/proto'

export type PeerStatus = 'invited' | 'active' | 'dormant' | 'revoked'
/** `none`: announced, without rights. */
export type Role = 'none' | 'reader' | 'writer' | 'admin'
export type InviteStatus = 'open' | 'claimed' | 'cancelled'
export type ChildStatus = 'active' | 'archived' | 'destroyed'

/** Where a store's peers come from. */
export type Strategy =
  /** `parent` declares the store as its child; undefined for a root. */
  | { readonly kind: 'independent'; readonly parent: StoreId | undefined }
  | { readonly kind: 'inherited'; readonly parent: StoreId }
  | { readonly kind: 'snapshot'; readonly parent: StoreId }

// The index of a word is its number in the schema and in the table.
const PEER_STATUSES = [undefined, 'invited', 'active', 'dormant', 'revoked'] as const
const ROLES = ['none', 'reader', 'writer', 'admin'] as const
const INVITE_STATUSES = [undefined, 'open', 'claimed', 'cancelled'] as const
const CHILD_STATUSES = [undefined, 'active', 'archived', 'destroyed'] as const

/** The word of a schema number; undefined when there is none. */
export const peerStatusOf = (number: number): PeerStatus | undefined => PEER_STATUSES[number]
export const roleOf = (number: number): Role | undefined => ROLES[number]
export const inviteStatusOf = (number: number): InviteStatus | undefined => INVITE_STATUSES[number]
export const childStatusOf = (number: number): ChildStatus | undefined => CHILD_STATUSES[number]

/** The schema numbers of the words. */
export const PEER_STATUS_NUMBER: Readonly<Record<PeerStatus, system.PeerStatus>> = {
  invited: system.PeerStatus.INVITED,
  active: system.PeerStatus.ACTIVE,
  dormant: system.PeerStatus.DORMANT,
  revoked: system.PeerStatus.REVOKED,
}
export const ROLE_NUMBER: Readonly<Record<Role, system.Role>> = {
  none: system.Role.UNSPECIFIED,
  reader: system.Role.READER,
  writer: system.Role.WRITER,
  admin: system.Role.ADMIN,
}
export const CHILD_STATUS_NUMBER: Readonly<Record<ChildStatus, system.ChildStatus>> = {
  active: system.ChildStatus.ACTIVE,
  archived: system.ChildStatus.ARCHIVED,
  destroyed: system.ChildStatus.DESTROYED,
}

/** True when `role` gives at least what `least` does. */
export function isAtLeast(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least)
}

export const encodePeerStatus = (word: PeerStatus): Uint8Array => oneByte(PEER_STATUSES.indexOf(word))
export const encodeRole = (word: Role): Uint8Array => oneByte(ROLES.indexOf(word))
/** A role, and the revocations of the peer that it was given after. */
export interface GrantValue {
  readonly role: Role
  readonly after: readonly IntentionId[]
}

/** The number of the role, then the ids, ascending. */
export function encodeGrant({ role, after }: GrantValue): Uint8Array {
  return concatBytes(encodeRole(role), ...after.toSorted(compareBytes))
}

export function decodeGrant(bytes: Uint8Array): GrantValue | undefined {
  const role = decodeRole(bytes.subarray(0, 1))
  const count = (bytes.length - 1) / HASH_BYTES
  if (role === undefined || !Number.isInteger(count)) return undefined
  const after = Array.from({ length: count }, (_, at) =>
    toIntentionId(bytes.slice(1 + at * HASH_BYTES, 1 + (at + 1) * HASH_BYTES)),
  )
  return { role, after }
}

export const encodeInviteStatus = (word: InviteStatus): Uint8Array => oneByte(INVITE_STATUSES.indexOf(word))
export const encodeChildStatus = (word: ChildStatus): Uint8Array => oneByte(CHILD_STATUSES.indexOf(word))

export const decodePeerStatus = (bytes: Uint8Array): PeerStatus | undefined => peerStatusOf(soleByte(bytes))
export const decodeRole = (bytes: Uint8Array): Role | undefined => roleOf(soleByte(bytes))
export const decodeInviteStatus = (bytes: Uint8Array): InviteStatus | undefined => inviteStatusOf(soleByte(bytes))
export const decodeChildStatus = (bytes: Uint8Array): ChildStatus | undefined => childStatusOf(soleByte(bytes))

/** What stands where only the presence of a key counts. */
export const MARK: Uint8Array = oneByte(1)

export function isMark(bytes: Uint8Array): true | undefined {
  return soleByte(bytes) === 1 ? true : undefined
}

export const encodeText: (text: string) => Uint8Array = utf8Encode
export const decodeText: (bytes: Uint8Array) => string | undefined = utf8Decode
export const decodePeer = (bytes: Uint8Array): PublicKey | undefined => readPublicKey(bytes)

/** Eight bytes, big endian. */
export function encodeTime(milliseconds: number): Uint8Array {
  assert(Number.isSafeInteger(milliseconds) && milliseconds >= 0, 'a time is a whole number of milliseconds')
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(milliseconds))
  return bytes
}

export function decodeTime(bytes: Uint8Array): number | undefined {
  if (bytes.length !== 8) return undefined
  const time = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0))
  return Number.isSafeInteger(time) ? time : undefined
}

/** Eight bytes, big endian. */
export function encodeSeq(seq: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, seq)
  return bytes
}

export function decodeSeq(bytes: Uint8Array): bigint | undefined {
  return bytes.length === 8 ? new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0) : undefined
}

/** Four bytes, big endian. */
export function encodeCount(count: number): Uint8Array {
  assert(Number.isInteger(count) && count >= 0 && count < 2 ** 32, 'a count is a u32')
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, count)
  return bytes
}

export function decodeCount(bytes: Uint8Array): number | undefined {
  return bytes.length === 4 ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) : undefined
}

/** The canonical encoding of a strategy message that {@link strategyOf} accepts. */
export function encodeStrategy(message: system.PeerStrategy): Uint8Array {
  return toBinary(system.PeerStrategySchema, message)
}

export function decodeStrategy(bytes: Uint8Array): Strategy | undefined {
  try {
    return strategyOf(fromBinary(system.PeerStrategySchema, bytes))
  } catch {
    return undefined
  }
}

/** What a strategy message says; undefined when it says nothing, or names a parent that is no store id. */
export function strategyOf({ strategy }: system.PeerStrategy): Strategy | undefined {
  if (strategy.case === undefined) return undefined
  if (strategy.case === 'independent' && strategy.value.parent.length === 0)
    return { kind: 'independent', parent: undefined }
  const parent = readStoreId(strategy.value.parent)
  return parent && { kind: strategy.case, parent }
}

function oneByte(value: number): Uint8Array {
  return Uint8Array.of(value)
}

/** A number that no table of words has, when there is not exactly one byte. */
function soleByte(bytes: Uint8Array): number {
  const [value = -1] = bytes
  return bytes.length === 1 ? value : -1
}
