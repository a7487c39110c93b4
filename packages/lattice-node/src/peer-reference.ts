/**
 * How people name peers: by public key, by the beginning of one, or by name.
 *
 * Peers choose their names, so a name may be somebody else's, and may even look like the beginning of a key. A whole key is
 * taken for nothing else; anything shorter means exactly one peer in both readings, or is refused with whom it could mean.
 *
 * @module
 */
import { equalBytes, parsePublicKey, type PublicKey, toHex } from '@lattice/model'
import { peerAmbiguous, peerNotFound, shortId } from './errors.ts'

/** Fewest digits that are taken for the beginning of a key: below, everything would be ambiguous. */
export const MIN_KEY_DIGITS = 4
/** Longest reference that is looked at: a name is at most as long, a key shorter. */
const MAX_REFERENCE_CHARS = 256
/** Candidates listed for an ambiguous reference. */
const CANDIDATES_SHOWN = 8

/** What a reference is compared with. */
export interface NamedPeer {
  readonly publicKey: PublicKey
  /** Empty for none. */
  readonly name: string
}

/** A peer as a sentence names it. */
export function nameOfPeer({ name, publicKey }: NamedPeer): string {
  return name === '' ? `the peer ${shortId(publicKey)}` : `\`${name}\``
}

/** Finds the one peer that `reference` means. Throws `PEER_NOT_FOUND`, or `INVALID_ARGUMENT` with `detail.candidates`. */
export function resolvePeer<Peer extends NamedPeer>(reference: string, peers: readonly Peer[]): Peer {
  const shown = reference.slice(0, MAX_REFERENCE_CHARS)
  const key = parsePublicKey(shown.trim().toLowerCase())
  const found = peers.filter((peer) => (key === undefined ? fits(peer, shown) : equalBytes(peer.publicKey, key)))
  const [only] = found
  if (only === undefined) throw peerNotFound(shown)
  if (found.length === 1) return only
  const candidates = found.slice(0, CANDIDATES_SHOWN).map(describeCandidate)
  throw peerAmbiguous(shown, { count: found.length, candidates })
}

function fits({ publicKey, name }: NamedPeer, reference: string): boolean {
  const wanted = reference.trim()
  const digits = wanted.toLowerCase()
  if (wanted === '') return false
  return (
    name === wanted || name === reference || (digits.length >= MIN_KEY_DIGITS && toHex(publicKey).startsWith(digits))
  )
}

function describeCandidate({ publicKey, name }: NamedPeer): string {
  return name === '' ? shortId(publicKey) : `${name} ${shortId(publicKey)}`
}
