/**
 * The digest exchange: one round trip after which both sides know which of their common stores differ.
 *
 * Store ids travel blinded by a nonce of the connection, so only a holder recognises one and nobody can list or guess the
 * rest; and a store is named only to a peer that may use it. A thousand idle stores cost one message. Of more
 * stores than fit it, each side says that there are more, and which ones it has still to tell of comes out here.
 *
 * @module
 */
import {
  assert,
  type Crypto,
  equalBytes,
  HASH_BYTES,
  type IdKey,
  idKey,
  idKeyBytes,
  type IntentionId,
  readIntentionId,
  type StoreId,
} from '@lattice/model'
import type { net } from '@lattice/proto'
import { claimFields, type ComparedStore, comparedWith, claimTo } from './claimed-digest.ts'
import type { FrameInit } from './frame.ts'
import {
  BLINDED_ID_BYTES,
  DIGEST_NONCE_BYTES,
  DIGEST_STORES_TOLD,
  MAX_ADDRESS_LENGTH,
  MAX_ADDRESSES,
  MAX_DIGEST_STORES,
} from './limits.ts'
import { readClaim, sameSet } from './reconcile.ts'
import type { ClaimedDigest } from './session-call.ts'
import { type Effects, finish, send, type SessionMachine, unexpected, violation } from './session.ts'

/** A store this side may share with the peer. */
export interface SharedStore extends ComparedStore {
  readonly id: StoreId
}

export interface DigestOptions {
  readonly crypto: Crypto
  /** The stores the peer may use, asked once. */
  readonly stores: () => readonly SharedStore[]
  /** The stores that the peer was removed from: it is told that much. Asked once. */
  readonly revoked?: () => readonly StoreId[]
  /** Where this side can be reached. */
  readonly addresses: () => readonly string[]
  /** Stores that are named at most, {@link DIGEST_STORES_TOLD} by default. */
  readonly storesTold?: number
}

/** What the exchange told. */
export interface DigestOutcome {
  /** Common stores that differ, the most different first. */
  readonly differing: readonly StoreId[]
  readonly equal: readonly StoreId[]
  /** Common stores that the peer says this side was removed from. */
  readonly revoked: readonly StoreId[]
  /** What the peer says of each common store. */
  readonly claims: readonly { readonly storeId: StoreId; readonly digest: ClaimedDigest }[]
  /** Stores that this side shares, and the peer does not. */
  readonly unshared: readonly StoreId[]
  /** Stores that this side shares and had no room to name. */
  readonly untold: readonly StoreId[]
  /** Where the peer says it can be reached. */
  readonly addresses: readonly string[]
}

/** The side that asks. `nonce` is 16 random bytes. */
export function createDigestInitiator(
  options: DigestOptions & { readonly nonce: Uint8Array },
): SessionMachine<DigestOutcome> {
  assert(options.nonce.length === DIGEST_NONCE_BYTES, 'a digest nonce has 16 bytes')
  const mine = blind(options, options.nonce)
  return {
    start: () => [send(digestsFrame(mine, options))],
    receive: (frame) => {
      if (frame.case !== 'digests') return [unexpected(frame)]
      if (!equalBytes(frame.value.nonce, options.nonce)) return [violation('digests_another_nonce')]
      return compare(mine, frame.value, 'asking')
    },
    answered: () => [],
  }
}

/** The side that answers. */
export function createDigestResponder(options: DigestOptions): SessionMachine<DigestOutcome> {
  return {
    start: () => [],
    receive: (frame) => {
      if (frame.case !== 'digests') return [unexpected(frame)]
      if (frame.value.nonce.length !== DIGEST_NONCE_BYTES) return [violation('digests_bad_nonce')]
      const mine = blind(options, frame.value.nonce)
      const effects = compare(mine, frame.value, 'answering')
      const isBroken = effects.some(({ kind }) => kind === 'fail')
      return isBroken ? effects : [send(digestsFrame(mine, options, basesOf(frame.value))), ...effects]
    },
    answered: () => [],
  }
}

/** Addresses from a peer, as far as they are believed: bounded in number and length, no control characters. */
export function readAddresses(addresses: readonly string[]): readonly string[] {
  return addresses
    .filter((address) => address.length > 0 && address.length <= MAX_ADDRESS_LENGTH && !/\p{Cc}/u.test(address))
    .slice(0, MAX_ADDRESSES)
}

interface BlindedStores {
  readonly nonce: Uint8Array
  readonly stores: ReadonlyMap<IdKey, SharedStore>
  /** Those the peer was removed from, which it may say of this side, too. */
  readonly revoked: ReadonlyMap<IdKey, StoreId>
  /** What this side names of either. */
  readonly told: Pick<BlindedStores, 'stores' | 'revoked'>
}

/** Removals are named first: nothing else tells of them. */
function blind(options: DigestOptions, nonce: Uint8Array): BlindedStores {
  const { crypto, stores, revoked = () => [], storesTold = DIGEST_STORES_TOLD } = options
  const keyOf = (id: StoreId): IdKey => idKey(crypto.blake3(id, nonce).subarray(0, BLINDED_ID_BYTES))
  const shared = stores().map((store) => [keyOf(store.id), store] as const)
  const removed = revoked().map((id) => [keyOf(id), id] as const)
  const told = {
    revoked: new Map(removed.slice(0, storesTold)),
    stores: new Map(shared.slice(0, Math.max(0, storesTold - removed.length))),
  }
  return { nonce, stores: new Map(shared), revoked: new Map(removed), told }
}

/** `bases`: over which the peer spoke of stores, by blinded id. */
function digestsFrame(
  { nonce, stores, revoked, told }: BlindedStores,
  { crypto, addresses }: DigestOptions,
  bases: ReadonlyMap<IdKey, IntentionId> = new Map(),
): FrameInit {
  const digests = [...told.stores].map(([key, store]) => {
    const digest = claimTo(store, bases.get(key))
    return { blindedId: idKeyBytes(key), ...claimFields(digest), epochDigest: epochDigest(crypto, digest.epochHeads) }
  })
  const removals = [...told.revoked.keys()].map((key) => ({
    blindedId: idKeyBytes(key),
    fingerprint: new Uint8Array(HASH_BYTES),
    revoked: true,
  }))
  const named = [...digests, ...removals]
  const more = named.length < stores.size + revoked.size
  return { case: 'digests', value: { nonce, stores: named, addresses: [...readAddresses(addresses())], more } }
}

function epochDigest(crypto: Crypto, heads: readonly IntentionId[]): Uint8Array {
  return heads.length === 0 ? new Uint8Array(0) : crypto.blake3(...heads)
}

/** The bases that entries name, as far as they are ids. */
function basesOf({ stores }: net.Digests): ReadonlyMap<IdKey, IntentionId> {
  return new Map(
    stores.flatMap(({ blindedId, base }) => {
      const epoch = readIntentionId(base)
      return epoch === undefined ? [] : [[idKey(blindedId), epoch] as const]
    }),
  )
}

/** How far two sets are apart, in intentions; undefined for the same. */
function distanceTo(store: ComparedStore, claim: ClaimedDigest, side: 'asking' | 'answering'): number | undefined {
  const ours = comparedWith(store, claim)
  if (ours !== undefined) return sameSet(claim, ours) ? undefined : Math.abs(claim.witnessCount - ours.witnessCount)
  // Over another base than this side can take: the asking side has had an answer over its own, if there was one.
  return side === 'asking' ? 0 : undefined
}

function compare(mine: BlindedStores, theirs: net.Digests, side: 'asking' | 'answering'): Effects<DigestOutcome> {
  if (theirs.stores.length > MAX_DIGEST_STORES) return [violation('digests_too_many')]
  const equal: StoreId[] = []
  const revoked: StoreId[] = []
  const claims: DigestOutcome['claims'][number][] = []
  const differing: { readonly id: StoreId; readonly distance: number }[] = []
  const seen = new Set<IdKey>()
  for (const entry of theirs.stores) {
    const claim = readClaim(entry)
    const { blindedId, epochDigest: epochs } = entry
    if (blindedId.length !== BLINDED_ID_BYTES || claim === undefined) return [violation('digests_malformed')]
    if (epochs.length !== 0 && epochs.length !== HASH_BYTES) return [violation('digests_malformed')]
    const key = idKey(blindedId)
    if (seen.has(key)) return [violation('digests_repeated')]
    seen.add(key)
    const store = mine.stores.get(key)
    if (entry.revoked) {
      const id = store?.id ?? mine.revoked.get(key)
      if (id !== undefined) revoked.push(id)
      continue
    }
    if (store === undefined) continue
    claims.push({ storeId: store.id, digest: claim })
    const distance = distanceTo(store, claim, side)
    if (distance !== undefined) differing.push({ id: store.id, distance })
    else if (comparedWith(store, claim) !== undefined) equal.push(store.id)
  }
  differing.sort((a, b) => b.distance - a.distance)
  const addresses = readAddresses(theirs.addresses)
  const unshared = theirs.more ? [] : idsBut(mine.stores, seen)
  const untold = idsBut(mine.stores, mine.told.stores)
  return [finish({ differing: differing.map(({ id }) => id), equal, revoked, claims, unshared, untold, addresses })]
}

/** The stores whose keys are not among these. */
function idsBut(
  stores: ReadonlyMap<IdKey, SharedStore>,
  keys: { readonly has: (key: IdKey) => boolean },
): readonly StoreId[] {
  return [...stores].flatMap(([key, { id }]) => (keys.has(key) ? [] : [id]))
}
