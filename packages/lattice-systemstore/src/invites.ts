/**
 * The invites of a store. Of a token only the hash of its secret is known here.
 *
 * @module
 */
import { heads } from '@lattice/kvtable'
import type { Hash, IntentionId, PublicKey, ReadTable } from '@lattice/model'
import { encodeSystemKey, systemPrefix } from './keys.ts'
import { type Field, groupFields, readFields } from './read-fields.ts'
import {
  decodeCount,
  decodeInviteStatus,
  decodePeer,
  decodeRole,
  decodeTime,
  type InviteStatus,
  type Role,
} from './values.ts'

export interface InviteEntry {
  readonly tokenHash: Hash
  /** `open` also after its time: whether that is over is for who reads a clock to say. `cancelled` is for good. */
  readonly status: InviteStatus
  readonly invitedBy: PublicKey
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number
  readonly usesLeft: number
  readonly role: Role
  /** Peers that joined with it. */
  readonly claimedBy: readonly PublicKey[]
  readonly conflicted: boolean
}

/** Every invite, in order of token hash. */
export function* readInvites(read: ReadTable): Generator<InviteEntry, void, undefined> {
  for (const group of groupFields(readFields(read, systemPrefix('invite')), hashOf)) {
    const entry = entryOf(group)
    if (entry !== undefined) yield entry
  }
}

export function readInvite(read: ReadTable, tokenHash: Hash): InviteEntry | undefined {
  return entryOf([...readFields(read, systemPrefix('invite', tokenHash))])
}

/** The intention that made the invite: what says whose it is is written by no other. */
export function readInviteOrigin(read: ReadTable, tokenHash: Hash): IntentionId | undefined {
  const [origin] = heads(read, encodeSystemKey({ kind: 'invite', tokenHash, field: 'invited-by' }))
  return origin?.id
}

function hashOf(key: Field['key']): Hash | undefined {
  return key.kind === 'invite' || key.kind === 'claim' ? key.tokenHash : undefined
}

function entryOf(fields: readonly Field[]): InviteEntry | undefined {
  const values = new Map<string, Uint8Array>()
  const claimedBy: PublicKey[] = []
  let tokenHash: Hash | undefined
  for (const { key, value } of fields) {
    if (key.kind === 'claim') claimedBy.push(key.peer)
    if (key.kind !== 'invite') continue
    tokenHash = key.tokenHash
    values.set(key.field, value)
  }
  const part = <T>(field: string, decode: (bytes: Uint8Array) => T | undefined): T | undefined => {
    const value = values.get(field)
    return value && decode(value)
  }
  const status = part('status', decodeInviteStatus)
  const invitedBy = part('invited-by', decodePeer)
  const expiresAt = part('expires-at', decodeTime)
  const usesLeft = part('uses', decodeCount)
  const role = part('role', decodeRole)
  if (tokenHash === undefined || status === undefined || invitedBy === undefined) return undefined
  if (expiresAt === undefined || usesLeft === undefined || role === undefined) return undefined
  const conflicted = fields.some((field) => field.conflicted)
  return { tokenHash, status, invitedBy, expiresAt, usesLeft, role, claimedBy, conflicted }
}
