/**
 * The roles that peers were given, and what epochs took of them, as records that are never replaced.
 *
 * A grant is written by the operation that gives the role, under that operation's id, and only if it counts; a revocation
 * under the id of its epoch. Whether another operation may rely on a grant is then a question to the DAG alone: is the grant
 * in its past, and is there a revocation in its past that the grant does not follow? Every causal order has applied the
 * records of an operation's past before it, and the answer leaves out whatever else has arrived.
 *
 * @module
 */
import { scan } from '@lattice/kvtable'
import { equalBytes, type IdKey, idKey, type IntentionId, type PublicKey, type ReadTable } from '@lattice/model'
import { keptOfPeer } from './kept-readings.ts'
import { decodeSystemKey, systemPrefix } from './keys.ts'
import { decodeGrant, decodeRole, type GrantValue, isAtLeast, type Role } from './values.ts'

export interface Grant extends GrantValue {
  readonly peer: PublicKey
  /** The intention that gave the role. */
  readonly id: IntentionId
}

export interface Revocation {
  readonly peer: PublicKey
  /** The epoch. */
  readonly id: IntentionId
  /** The role that is left. */
  readonly remains: Role
}

type Follows = (id: IntentionId) => boolean

/** What a peer was given, in order of id. */
export function grantsOf(read: ReadTable, peer: PublicKey): readonly Grant[] {
  return keptOfPeer(read, { name: 'grants', peer }, () => [...grantsUnder(read, systemPrefix('grant', peer))])
}

function* grantsUnder(read: ReadTable, prefix: Uint8Array): Generator<Grant, void, undefined> {
  for (const { key, value } of scan(read, { prefix })) {
    const decoded = decodeSystemKey(key)
    const grant = value && decodeGrant(value)
    if (decoded?.kind === 'grant' && grant !== undefined) yield { peer: decoded.peer, id: decoded.grant, ...grant }
  }
}

/** What was taken from a peer, in order of id. */
export function revocationsOf(read: ReadTable, peer: PublicKey): readonly Revocation[] {
  return keptOfPeer(read, { name: 'revocations', peer }, () => [
    ...revocationsUnder(read, systemPrefix('revocation', peer)),
  ])
}

function* revocationsUnder(read: ReadTable, prefix: Uint8Array): Generator<Revocation, void, undefined> {
  for (const { key, value } of scan(read, { prefix })) {
    const decoded = decodeSystemKey(key)
    const remains = value && decodeRole(value)
    if (decoded?.kind === 'revocation' && remains !== undefined)
      yield { peer: decoded.peer, id: decoded.revocation, remains }
  }
}

/** The first grant that still gives `least`; by what is in the past of an operation when its `follows` is given. */
export function findGrant(
  read: ReadTable,
  peer: PublicKey,
  { least, follows = () => true }: { readonly least: Role; readonly follows?: Follows },
): Grant | undefined {
  let revocations: readonly Revocation[] | undefined
  for (const grant of grantsOf(read, peer)) {
    if (!isAtLeast(grant.role, least) || !follows(grant.id)) continue
    revocations ??= revocationsOf(read, peer).filter(({ id }) => follows(id))
    if (isAtLeast(roleLeft(grant, revocations), least)) return grant
  }
  return undefined
}

/** What a grant gives after the revocations that it does not follow. */
function roleLeft({ role, after }: Grant, revocations: readonly Revocation[]): Role {
  let left = role
  for (const { id, remains } of revocations)
    if (!isAtLeast(remains, left) && !after.some((each) => equalBytes(each, id))) left = remains
  return left
}

/** The strongest role that is left to a peer; undefined when it was never admitted nor announced. */
export function strongestRole(read: ReadTable, peer: PublicKey): Role | undefined {
  const grants = grantsOf(read, peer)
  return grants.length === 0 ? undefined : strongestOf(grants, revocationsOf(read, peer)).get(idKey(peer))
}

/** The same of every peer, by one walk over all records: a look-up for each costs many times as much. */
export function strongestRoles(read: ReadTable): ReadonlyMap<IdKey, Role> {
  return strongestOf(grantsUnder(read, systemPrefix('grant')), revocationsUnder(read, systemPrefix('revocation')))
}

function strongestOf(grants: Iterable<Grant>, revocations: Iterable<Revocation>): ReadonlyMap<IdKey, Role> {
  const taken = new Map<IdKey, Revocation[]>()
  for (const revocation of revocations) {
    const key = idKey(revocation.peer)
    taken.set(key, [...(taken.get(key) ?? []), revocation])
  }
  const strongest = new Map<IdKey, Role>()
  for (const grant of grants) {
    const key = idKey(grant.peer)
    const role = roleLeft(grant, taken.get(key) ?? [])
    const known = strongest.get(key)
    if (known === undefined || isAtLeast(role, known)) strongest.set(key, role)
  }
  return strongest
}
