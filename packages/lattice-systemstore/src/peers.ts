/**
 * The peers of a store, as its system table tells.
 *
 * @module
 */
import { idKey, type PublicKey, type ReadTable } from '@lattice/model'
import { strongestRole, strongestRoles } from './grants.ts'
import { keptOfPeer, keptReading } from './kept-readings.ts'
import { systemPrefix } from './keys.ts'
import { type Field, groupFields, readField, readFields } from './read-fields.ts'
import {
  decodePeer,
  decodePeerStatus,
  decodeRole,
  decodeText,
  decodeTime,
  type PeerStatus,
  type Role,
} from './values.ts'

export interface PeerEntry {
  readonly peer: PublicKey
  readonly status: PeerStatus
  /** What the peer may do: the strongest role that is left to it, `none` when revoked; for an invited peer what awaits it. */
  readonly role: Role
  readonly name: string | undefined
  readonly device: string | undefined
  /** Milliseconds since the Unix epoch, by the one who added it. */
  readonly addedAt: number | undefined
  readonly addedBy: PublicKey | undefined
  /** Concurrent changes of some part of it stand. */
  readonly conflicted: boolean
}

/** Every peer that was admitted or announced, in order of key. */
export function readPeers(read: ReadTable): readonly PeerEntry[] {
  return keptReading(read, 'peers', () => [...peersOf(read)])
}

function* peersOf(read: ReadTable): Generator<PeerEntry, void, undefined> {
  const fields = readFields(read, systemPrefix('peer'))
  const roles = strongestRoles(read)
  for (const group of groupFields(fields, (key) => (key.kind === 'peer' ? key.peer : undefined))) {
    const entry = peerOf(group, (peer) => roles.get(idKey(peer)))
    if (entry !== undefined) yield entry
  }
}

/** The peers and their status, in order of key: asked far more often than what else is known of them. */
export function readPeerStatuses(read: ReadTable): readonly Pick<PeerEntry, 'peer' | 'status'>[] {
  return keptReading(read, 'peer statuses', () => [...statusesOf(read)])
}

function* statusesOf(read: ReadTable): Generator<Pick<PeerEntry, 'peer' | 'status'>, void, undefined> {
  for (const { key, value } of readFields(read, systemPrefix('peer'))) {
    if (key.kind !== 'peer' || key.field !== 'status') continue
    const status = decodePeerStatus(value)
    if (status !== undefined) yield { peer: key.peer, status }
  }
}

export function readPeer(read: ReadTable, peer: PublicKey): PeerEntry | undefined {
  return peerOf([...readFields(read, systemPrefix('peer', peer))], () => strongestRole(read, peer))
}

/** The status of a peer alone, by one look-up: asked of whoever sends or is sent anything. */
export function readPeerStatus(read: ReadTable, peer: PublicKey): PeerStatus | undefined {
  return keptOfPeer(read, { name: 'status', peer }, () =>
    readField(read, { kind: 'peer', peer, field: 'status' }, decodePeerStatus),
  )
}

function peerOf(fields: readonly Field[], strongestOf: (peer: PublicKey) => Role | undefined): PeerEntry | undefined {
  const values = new Map<string, Uint8Array>()
  let peer: PublicKey | undefined
  for (const { key, value } of fields) {
    if (key.kind !== 'peer') continue
    peer = key.peer
    values.set(key.field, value)
  }
  const part = <T>(field: string, decode: (bytes: Uint8Array) => T | undefined): T | undefined => {
    const value = values.get(field)
    return value && decode(value)
  }
  const status = part('status', decodePeerStatus)
  // A peer that only named itself, in a store whose peers are another's.
  if (peer === undefined || status === undefined) return undefined
  const given = strongestOf(peer) ?? 'none'
  return {
    peer,
    status,
    role: status === 'invited' && given === 'none' ? (part('role', decodeRole) ?? 'none') : given,
    name: part('name', decodeText),
    device: part('device', decodeText),
    addedAt: part('added-at', decodeTime),
    addedBy: part('added-by', decodePeer),
    conflicted: fields.some((field) => field.conflicted),
  }
}
