/**
 * What an operation changed for readers of the system table.
 *
 * Events are the difference between what readers see before and after, not what
 * the operation asked for: one that loses against a concurrent other, or says
 * what is so already, makes none. Whoever takes every event has the state.
 *
 * @module
 */
import { type Hash, idKey, type PublicKey, type ReadTable, type StoreId } from '@lattice/model'
import { type ChildEntry, readChild } from './children.ts'
import { type InviteEntry, readInvite } from './invites.ts'
import type { StoreField, SystemKey } from './keys.ts'
import { type PeerEntry, readPeer } from './peers.ts'
import { type PrunePolicy, prunePolicyOf } from './prune-policy.ts'
import { readField } from './read-fields.ts'
import { isSameValue } from './same-value.ts'
import { readSchema } from './schema-activation.ts'
import {
  readAppId,
  readDestroyed,
  readName,
  readReplication,
  readStrategy,
  type ReplicationPolicy,
} from './store-info.ts'
import { decodeText, isMark, type Role, type Strategy } from './values.ts'

export type SystemEvent =
  /** Status, role or provenance of a peer, or whether some part of it is in conflict. */
  | { readonly kind: 'peer_changed'; readonly peer: PeerEntry }
  /** Shown as revoked now: what it writes beyond the epoch counts nowhere. `peer_changed` says the rest. */
  | { readonly kind: 'peer_revoked'; readonly peer: PublicKey }
  /** May do less now. `peer_changed` says the rest. */
  | { readonly kind: 'peer_demoted'; readonly peer: PublicKey; readonly role: Role }
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
  | { readonly kind: 'prune_policy_changed'; readonly policy: PrunePolicy }
  | { readonly kind: 'store_destroyed' }
  | { readonly kind: 'store_destroy_acknowledged'; readonly peer: PublicKey }

/** What can be seen of one thing: the event that would tell of it as it is now; undefined when there is nothing. */
type View = () => SystemEvent | undefined

export interface Observation {
  /** The events of what has changed since, in the order in which the keys were given. */
  readonly changes: () => readonly SystemEvent[]
}

/** Looks at everything that rows under `keys` are part of, before they are written. */
export function observe(read: ReadTable, keys: Iterable<SystemKey>): Observation {
  const views = new Map<string, View>()
  for (const key of keys) for (const [name, view] of viewsOf(read, key)) views.set(name, views.get(name) ?? view)
  const seen = [...views.values()].map((view) => ({ view, before: view() }))
  return {
    changes: () =>
      seen.flatMap(({ view, before }) => {
        const after = view()
        return after === undefined || isSameValue(told(before), told(after)) ? [] : [after]
      }),
  }
}

/** What counts as a change of the event's own: names have an event to themselves. */
function told(event: SystemEvent | undefined): unknown {
  if (event?.kind !== 'peer_changed') return event
  return { ...event.peer, name: undefined, device: undefined }
}

function viewsOf(read: ReadTable, key: SystemKey): readonly (readonly [string, View])[] {
  switch (key.kind) {
    case 'peer':
    case 'grant':
    case 'revocation':
      return [
        [`peer/${idKey(key.peer)}`, () => peerEvent(read, key.peer)],
        [`naming/${idKey(key.peer)}`, () => namingEvent(read, key.peer)],
      ]
    case 'child':
    case 'destroy_ack':
      return [[`child/${idKey(key.child)}`, () => childEvent(read, key)]]
    case 'invite':
    case 'claim':
      return [[`invite/${idKey(key.tokenHash)}`, () => inviteEvent(read, key)]]
    case 'replication':
      return [['replication', () => ({ kind: 'replication_changed', replication: readReplication(read) })]]
    case 'schema_activation':
      return [['schema', () => storeEvent(read, 'schema')]]
    case 'store_destroy_ack':
      return [[`destroy-ack/${idKey(key.peer)}`, () => destroyAckEvent(read, key)]]
    case 'store':
      return [[key.field, () => storeEvent(read, key.field)]]
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
    case 'prune-policy':
      return { kind: 'prune_policy_changed', policy: prunePolicyOf(read) }
    case 'destroyed':
      return readDestroyed(read) ? { kind: 'store_destroyed' } : undefined
    case 'creator':
    case 'epoch':
      // Set by the genesis and never again; and what an epoch changes has events of its own.
      return undefined
  }
}

function peerEvent(read: ReadTable, peer: PublicKey): SystemEvent | undefined {
  const entry = readPeer(read, peer)
  return entry && { kind: 'peer_changed', peer: entry }
}

function childEvent(read: ReadTable, { child }: { readonly child: StoreId }): SystemEvent | undefined {
  const entry = readChild(read, child)
  return entry && { kind: 'child_changed', child: entry }
}

function inviteEvent(read: ReadTable, { tokenHash }: { readonly tokenHash: Hash }): SystemEvent | undefined {
  const invite = readInvite(read, tokenHash)
  return invite && { kind: 'invite_changed', invite }
}

function destroyAckEvent(
  read: ReadTable,
  key: SystemKey & { readonly kind: 'store_destroy_ack' },
): SystemEvent | undefined {
  const isThere = readField(read, key, isMark)
  return isThere && { kind: 'store_destroy_acknowledged', peer: key.peer }
}

function namingEvent(read: ReadTable, peer: PublicKey): SystemEvent {
  const name = readField(read, { kind: 'peer', peer, field: 'name' }, decodeText)
  const device = readField(read, { kind: 'peer', peer, field: 'device' }, decodeText)
  return { kind: 'peer_name_changed', peer, name, device }
}
