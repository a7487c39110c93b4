/**
 * What an operation changed for readers of the system table.
 *
 * Events are made of the state after the operation, not of what it asked for:
 * one that loses against a concurrent other, or says what is so already, makes
 * none. Each peer, child and invite has one event per operation at most.
 *
 * @module
 */
import type { KvChange } from '@lattice/kvtable'
import { type IdKey, idKey, type PublicKey, type ReadTable } from '@lattice/model'
import { type ChildEntry, readChild } from './children.ts'
import { type InviteEntry, readInvite } from './invites.ts'
import type { StoreField, SystemKey } from './keys.ts'
import { type PeerEntry, readPeer } from './peers.ts'
import { readField } from './read-fields.ts'
import {
  readAppId,
  readDestroyed,
  readName,
  readReplication,
  readSchema,
  readStrategy,
  type ReplicationPolicy,
} from './store-info.ts'
import { decodeText, type Strategy } from './values.ts'

export type SystemEvent =
  /** Status, role or provenance of a peer. */
  | { readonly kind: 'peer_changed'; readonly peer: PeerEntry }
  /** What a peer calls itself; also where the store's peers are another's. */
  | {
      readonly kind: 'peer_name_changed'
      readonly peer: PublicKey
      readonly name: string | undefined
      readonly device: string | undefined
    }
  | { readonly kind: 'child_changed'; readonly child: ChildEntry }
  | { readonly kind: 'invite_changed'; readonly invite: InviteEntry }
  | { readonly kind: 'name_changed'; readonly name: string | undefined }
  | { readonly kind: 'strategy_changed'; readonly strategy: Strategy | undefined }
  | { readonly kind: 'app_id_changed'; readonly appId: string | undefined }
  | { readonly kind: 'schema_changed'; readonly version: number }
  | { readonly kind: 'replication_changed'; readonly replication: ReplicationPolicy | undefined }
  | { readonly kind: 'store_destroyed' }
  | { readonly kind: 'store_destroy_acknowledged'; readonly peer: PublicKey }

export interface SystemChange extends KvChange {
  readonly systemKey: SystemKey
}

/** The events of one operation's changes, in the order in which it first touched each thing. */
export function eventsOf(read: ReadTable, changes: readonly SystemChange[]): readonly SystemEvent[] {
  const events = new Map<IdKey | string, SystemEvent>()
  for (const { systemKey, changed } of changes) {
    if (!changed) continue
    const name = nameOf(systemKey)
    const event = events.has(name) ? undefined : eventOf(read, systemKey)
    if (event !== undefined) events.set(name, event)
  }
  return [...events.values()]
}

/** What tells one event of an operation from another. */
function nameOf(key: SystemKey): string {
  switch (key.kind) {
    case 'peer':
      return `${isNaming(key.field) ? 'naming' : 'peer'}/${idKey(key.peer)}`
    case 'grant':
      return `peer/${idKey(key.peer)}`
    case 'child':
    case 'destroy_ack':
      return `child/${idKey(key.child)}`
    case 'invite':
    case 'claim':
      return `invite/${idKey(key.tokenHash)}`
    case 'replication':
      return 'replication'
    case 'schema_activation':
      return 'schema'
    case 'store_destroy_ack':
      return `destroy-ack/${idKey(key.peer)}`
    case 'store':
      return key.field
  }
}

function eventOf(read: ReadTable, key: SystemKey): SystemEvent | undefined {
  switch (key.kind) {
    case 'peer':
      return isNaming(key.field) ? namingEvent(read, key.peer) : peerEvent(read, key.peer)
    case 'grant':
      return peerEvent(read, key.peer)
    case 'child':
    case 'destroy_ack': {
      const child = readChild(read, key.child)
      return child && { kind: 'child_changed', child }
    }
    case 'invite':
    case 'claim': {
      const invite = readInvite(read, key.tokenHash)
      return invite && { kind: 'invite_changed', invite }
    }
    case 'replication':
      return { kind: 'replication_changed', replication: readReplication(read) }
    case 'schema_activation':
      return { kind: 'schema_changed', version: readSchema(read) }
    case 'store_destroy_ack':
      return { kind: 'store_destroy_acknowledged', peer: key.peer }
    case 'store':
      return storeEvent(read, key.field)
  }
}

function storeEvent(read: ReadTable, field: StoreField): SystemEvent | undefined {
  switch (field) {
    case 'name':
      return { kind: 'name_changed', name: readName(read) }
    case 'strategy':
      return { kind: 'strategy_changed', strategy: readStrategy(read) }
    case 'app-id':
      return { kind: 'app_id_changed', appId: readAppId(read) }
    case 'schema':
      return { kind: 'schema_changed', version: readSchema(read) }
    case 'destroyed':
      return readDestroyed(read) ? { kind: 'store_destroyed' } : undefined
    case 'creator':
      // Set by the genesis and never again.
      return undefined
  }
}

function peerEvent(read: ReadTable, peer: PublicKey): SystemEvent | undefined {
  const entry = readPeer(read, peer)
  return entry && { kind: 'peer_changed', peer: entry }
}

function namingEvent(read: ReadTable, peer: PublicKey): SystemEvent {
  const name = readField(read, { kind: 'peer', peer, field: 'name' }, decodeText)
  const device = readField(read, { kind: 'peer', peer, field: 'device' }, decodeText)
  return { kind: 'peer_name_changed', peer, name, device }
}

function isNaming(field: string): boolean {
  return field === 'name' || field === 'device'
}
