/**
 * The key space of the system table: the one place that spells its keys.
 *
 * ```
 * name · strategy · app-id · creator · destroyed · epoch · prune-policy
 * schema · schema/<intention>
 * peer/<key>/{status,name,added-at,added-by,role,device}
 * grant/<key>/<intention> · revocation/<key>/<intention>
 * child/<id>/{alias,status,type} · child/<id>/destroy-ack/<key>
 * invite/<token hash>/{status,invited-by,expires-at,uses,role} · invite/<token hash>/claimed-by/<key>
 * replication/{factor,crush}
 * ```
 *
 * Ids are lower-case hex. Keys that end in the id of an intention or of the
 * peer concerned are records: written once, never replaced. Whatever decides
 * whether an operation counts reads records alone, because a plain key says who
 * wrote last, and that depends on what has arrived.
 *
 * A revocation records, under the id of the epoch that took a right away, the
 * role that is left: none, or a weaker one. A grant says beside the role which
 * revocations of the peer it follows: those take nothing from it.
 *
 * @module
 */
import {
  fromHex,
  type Hash,
  type IntentionId,
  type PublicKey,
  readHash,
  readIntentionId,
  readPublicKey,
  readStoreId,
  type StoreId,
  toHex,
  utf8Decode,
  utf8Encode,
} from '@lattice/model'

const STORE_FIELDS = ['name', 'strategy', 'app-id', 'creator', 'destroyed', 'schema', 'epoch', 'prune-policy'] as const
const PEER_FIELDS = ['status', 'name', 'added-at', 'added-by', 'role', 'device'] as const
const CHILD_FIELDS = ['alias', 'status', 'type', 'independent'] as const
const INVITE_FIELDS = ['status', 'invited-by', 'expires-at', 'uses', 'role'] as const
const REPLICATION_FIELDS = ['factor', 'crush'] as const

export type StoreField = (typeof STORE_FIELDS)[number]
export type PeerField = (typeof PEER_FIELDS)[number]
export type ChildField = (typeof CHILD_FIELDS)[number]
export type InviteField = (typeof INVITE_FIELDS)[number]
export type ReplicationField = (typeof REPLICATION_FIELDS)[number]

export type SystemKey =
  | { readonly kind: 'store'; readonly field: StoreField }
  | { readonly kind: 'schema_activation'; readonly activation: IntentionId }
  | { readonly kind: 'store_destroy_ack'; readonly peer: PublicKey }
  | { readonly kind: 'peer'; readonly peer: PublicKey; readonly field: PeerField }
  | { readonly kind: 'grant'; readonly peer: PublicKey; readonly grant: IntentionId }
  | { readonly kind: 'revocation'; readonly peer: PublicKey; readonly revocation: IntentionId }
  | { readonly kind: 'child'; readonly child: StoreId; readonly field: ChildField }
  | { readonly kind: 'destroy_ack'; readonly child: StoreId; readonly peer: PublicKey }
  | { readonly kind: 'invite'; readonly tokenHash: Hash; readonly field: InviteField }
  | { readonly kind: 'claim'; readonly tokenHash: Hash; readonly peer: PublicKey }
  | { readonly kind: 'replication'; readonly field: ReplicationField }

export function encodeSystemKey(key: SystemKey): Uint8Array {
  return utf8Encode(segmentsOf(key).join('/'))
}

/** The prefix of all keys below the given segments: `peer/`, or `grant/<key>/`. */
export function systemPrefix(
  kind: 'peer' | 'grant' | 'revocation' | 'child' | 'invite' | 'schema' | 'destroy-ack',
  id?: Uint8Array,
): Uint8Array {
  return utf8Encode(id === undefined ? `${kind}/` : `${kind}/${toHex(id)}/`)
}

/** Undefined for anything that {@link encodeSystemKey} does not make. */
export function decodeSystemKey(bytes: Uint8Array): SystemKey | undefined {
  const text = utf8Decode(bytes)
  // Hex is read in either case and written in one: only the written form is a key.
  if (text === undefined || text !== text.toLowerCase()) return undefined
  const [kind = '', first, second, third, ...rest] = text.split('/')
  if (rest.length > 0) return undefined
  if (first === undefined) return isOneOf(STORE_FIELDS, kind) ? { kind: 'store', field: kind } : undefined
  if (second === undefined) return decodePair(kind, first)
  return third === undefined ? decodeTriple(kind, first, second) : decodeDeep(kind, { first, second, third })
}

function segmentsOf(key: SystemKey): readonly string[] {
  switch (key.kind) {
    case 'store':
      return [key.field]
    case 'schema_activation':
      return ['schema', toHex(key.activation)]
    case 'store_destroy_ack':
      return ['destroy-ack', toHex(key.peer)]
    case 'peer':
      return ['peer', toHex(key.peer), key.field]
    case 'grant':
      return ['grant', toHex(key.peer), toHex(key.grant)]
    case 'revocation':
      return ['revocation', toHex(key.peer), toHex(key.revocation)]
    case 'child':
      return ['child', toHex(key.child), key.field]
    case 'destroy_ack':
      return ['child', toHex(key.child), 'destroy-ack', toHex(key.peer)]
    case 'invite':
      return ['invite', toHex(key.tokenHash), key.field]
    case 'claim':
      return ['invite', toHex(key.tokenHash), 'claimed-by', toHex(key.peer)]
    case 'replication':
      return ['replication', key.field]
  }
}

function decodePair(kind: string, first: string): SystemKey | undefined {
  if (kind === 'replication') return isOneOf(REPLICATION_FIELDS, first) ? { kind, field: first } : undefined
  if (kind === 'destroy-ack') {
    const peer = readHex(first, readPublicKey)
    return peer && { kind: 'store_destroy_ack', peer }
  }
  const activation = kind === 'schema' ? readHex(first, readIntentionId) : undefined
  return activation && { kind: 'schema_activation', activation }
}

function decodeTriple(kind: string, first: string, second: string): SystemKey | undefined {
  if (kind === 'peer') {
    const peer = readHex(first, readPublicKey)
    return peer && isOneOf(PEER_FIELDS, second) ? { kind, peer, field: second } : undefined
  }
  if (kind === 'grant') {
    const peer = readHex(first, readPublicKey)
    const grant = readHex(second, readIntentionId)
    return peer && grant && { kind, peer, grant }
  }
  if (kind === 'revocation') {
    const peer = readHex(first, readPublicKey)
    const revocation = readHex(second, readIntentionId)
    return peer && revocation && { kind, peer, revocation }
  }
  if (kind === 'child') {
    const child = readHex(first, readStoreId)
    return child && isOneOf(CHILD_FIELDS, second) ? { kind, child, field: second } : undefined
  }
  if (kind !== 'invite') return undefined
  const tokenHash = readHex(first, readHash)
  return tokenHash && isOneOf(INVITE_FIELDS, second) ? { kind, tokenHash, field: second } : undefined
}

function decodeDeep(
  kind: string,
  { first, second, third }: { readonly first: string; readonly second: string; readonly third: string },
): SystemKey | undefined {
  const peer = readHex(third, readPublicKey)
  if (kind === 'child' && second === 'destroy-ack') {
    const child = readHex(first, readStoreId)
    return child && peer && { kind: 'destroy_ack', child, peer }
  }
  if (kind === 'invite' && second === 'claimed-by') {
    const tokenHash = readHex(first, readHash)
    return tokenHash && peer && { kind: 'claim', tokenHash, peer }
  }
  return undefined
}

function readHex<T>(text: string, read: (bytes: Uint8Array) => T | undefined): T | undefined {
  const bytes = fromHex(text)
  return bytes && read(bytes)
}

function isOneOf<const Words extends readonly string[]>(words: Words, word: string): word is Words[number] {
  return words.includes(word)
}
