/**
 * What operations rely on: facts of the store, each established by an operation that counted and never undone.
 *
 * Whether an operation counts may depend on its past alone, for what else has arrived differs from node to node. So a fact
 * is looked up by the operations that established it, and one of those has to be in the past. That works because the rows
 * that are looked at keep them for ever: a role is a record under the id of its operation, and of the others each stands
 * until a write that follows it replaces it, which is exactly what the rules refuse.
 *
 * @module
 */
import { heads } from '@lattice/kvtable'
import { type Hash, idKey, type IntentionId, type PublicKey, type ReadTable, type StoreId } from '@lattice/model'
import { findGrant } from './grants.ts'
import { encodeSystemKey, type SystemKey } from './keys.ts'
import { decodeChildStatus, decodeInviteStatus, isAtLeast, type Role } from './values.ts'

export type Fact =
  /** The peer was given this role or a stronger one, and it was not taken since; `none` for one that is announced. */
  | { readonly kind: 'role'; readonly peer: PublicKey; readonly least: Role }
  | { readonly kind: 'child_added'; readonly child: StoreId }
  | { readonly kind: 'child_destroyed'; readonly child: StoreId }
  | { readonly kind: 'invite_made'; readonly tokenHash: Hash }
  | { readonly kind: 'invite_cancelled'; readonly tokenHash: Hash }
  | { readonly kind: 'strategy_set' }
  | { readonly kind: 'store_destroyed' }

/** Whether an operation is among those that count. */
export type Follows = (id: IntentionId) => boolean

/** An operation that established the fact, of those that `follows` knows. */
export function findFact(read: ReadTable, fact: Fact, follows: Follows): IntentionId | undefined {
  switch (fact.kind) {
    case 'role':
      return findGrant(read, fact.peer, { least: fact.least, follows })?.id
    // Only an addition writes the type, only a creation the inviter.
    case 'child_added':
      return findHead(read, { kind: 'child', child: fact.child, field: 'type' }, { follows })
    case 'invite_made':
      return findHead(read, { kind: 'invite', tokenHash: fact.tokenHash, field: 'invited-by' }, { follows })
    case 'child_destroyed': {
      const matches = (value: Uint8Array): boolean => decodeChildStatus(value) === 'destroyed'
      return findHead(read, { kind: 'child', child: fact.child, field: 'status' }, { follows, matches })
    }
    case 'invite_cancelled': {
      const matches = (value: Uint8Array): boolean => decodeInviteStatus(value) === 'cancelled'
      return findHead(read, { kind: 'invite', tokenHash: fact.tokenHash, field: 'status' }, { follows, matches })
    }
    case 'strategy_set':
      return findHead(read, { kind: 'store', field: 'strategy' }, { follows })
    case 'store_destroyed':
      return findHead(read, { kind: 'store', field: 'destroyed' }, { follows })
  }
}

/** Facts that the operations of a batch establish for those after them. */
export interface MadeFacts {
  readonly add: (fact: Fact) => void
  readonly has: (fact: Fact) => boolean
}

export function createMadeFacts(): MadeFacts {
  const made = new Map<string, Fact>()
  return {
    // As for rows, the last counts: a role may be given twice.
    add: (fact) => void made.set(nameOf(fact), fact),
    has: (fact) => {
      const found = made.get(nameOf(fact))
      if (found === undefined) return false
      return found.kind !== 'role' || fact.kind !== 'role' || isAtLeast(found.least, fact.least)
    },
  }
}

function nameOf(fact: Fact): string {
  switch (fact.kind) {
    case 'role':
      return `${fact.kind}/${idKey(fact.peer)}`
    case 'child_added':
    case 'child_destroyed':
      return `${fact.kind}/${idKey(fact.child)}`
    case 'invite_made':
    case 'invite_cancelled':
      return `${fact.kind}/${idKey(fact.tokenHash)}`
    case 'strategy_set':
    case 'store_destroyed':
      return fact.kind
  }
}

function findHead(
  read: ReadTable,
  key: SystemKey,
  { follows, matches = () => true }: { readonly follows: Follows; readonly matches?: (value: Uint8Array) => boolean },
): IntentionId | undefined {
  return heads(read, encodeSystemKey(key)).find(
    ({ id, state }) => state.kind === 'value' && matches(state.value) && follows(id),
  )?.id
}
