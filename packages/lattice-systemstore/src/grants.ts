/**
 * The roles that peers were given, as records that are never replaced.
 *
 * A record is written by the operation that gives the role, under that
 * operation's id, and only if it counts. Whether another operation may rely on
 * it is then a question to the DAG alone: is the grant in its past? Every
 * causal order has applied the grants of an operation's past before it, and the
 * answer leaves out whatever else has arrived.
 *
 * @module
 */
import { scan } from '@lattice/kvtable'
import { type IdKey, idKey, type IntentionId, type PublicKey, type ReadTable } from '@lattice/model'
import { decodeSystemKey, systemPrefix } from './keys.ts'
import { decodeRole, isAtLeast, type Role } from './values.ts'

export interface Grant {
  readonly peer: PublicKey
  /** The intention that gave the role. */
  readonly id: IntentionId
  readonly role: Role
}

/** What a peer was given, in order of id. */
export function grantsOf(read: ReadTable, peer: PublicKey): Generator<Grant, void, undefined> {
  return grantsUnder(read, systemPrefix('grant', peer))
}

function* grantsUnder(read: ReadTable, prefix: Uint8Array): Generator<Grant, void, undefined> {
  for (const { key, value } of scan(read, { prefix })) {
    const decoded = decodeSystemKey(key)
    const role = value && decodeRole(value)
    if (decoded?.kind === 'grant' && role !== undefined) yield { peer: decoded.peer, id: decoded.grant, role }
  }
}

/** The first grant of at least `least`; in the past of an operation when its `follows` is given. */
export function findGrant(
  read: ReadTable,
  peer: PublicKey,
  { least, follows = () => true }: { readonly least: Role; readonly follows?: (id: IntentionId) => boolean },
): Grant | undefined {
  for (const grant of grantsOf(read, peer)) if (isAtLeast(grant.role, least) && follows(grant.id)) return grant
  return undefined
}

/** The strongest role a peer was given; undefined when it was never admitted nor announced. */
export function strongestRole(read: ReadTable, peer: PublicKey): Role | undefined {
  return strongestOf(grantsOf(read, peer)).get(idKey(peer))
}

/** The same of every peer, by one walk over all grants: a look-up for each costs many times as much. */
export function strongestRoles(read: ReadTable): ReadonlyMap<IdKey, Role> {
  return strongestOf(grantsUnder(read, systemPrefix('grant')))
}

function strongestOf(grants: Iterable<Grant>): ReadonlyMap<IdKey, Role> {
  const strongest = new Map<IdKey, Role>()
  for (const { peer, role } of grants) {
    const key = idKey(peer)
    const known = strongest.get(key)
    if (known === undefined || isAtLeast(role, known)) strongest.set(key, role)
  }
  return strongest
}
