/**
 * Joining a store: the joiner shows a token's secret, the inviter redeems it.
 *
 * The peer's key is the one the transport proved. What the joiner says of itself is bounded here and believed nowhere.
 *
 * @module
 */
import { assert, type PublicKey, readPublicKey, readStoreId, type StoreId } from '@lattice/model'
import type { net } from '@lattice/proto'
import { readAddresses } from './digest-exchange.ts'
import { readCount } from './frame.ts'
import { JOIN_SECRET_BYTES, MAX_JOIN_PEERS, MAX_NAME_LENGTH } from './limits.ts'
import { refusalOf } from './refusal.ts'
import type { JoinGrant, JoinRefusalCode, PeerHint } from './session-call.ts'
import { type Effects, finish, refuse, send, type SessionMachine, unexpected, violation } from './session.ts'

/** What the joiner shows. */
export interface JoinRequest {
  readonly storeId: StoreId
  /** The token's secret, 32 bytes. */
  readonly secret: Uint8Array
  readonly name: string
  readonly addresses: readonly string[]
}

/** The joiner: finishes with the grant, or fails with the inviter's refusal. */
export function createJoiner({ storeId, secret, name, addresses }: JoinRequest): SessionMachine<JoinGrant> {
  assert(secret.length === JOIN_SECRET_BYTES, 'a token secret has 32 bytes')
  return {
    start: () => [
      send({
        case: 'joinRequest',
        value: { storeId, secret, name: name.slice(0, MAX_NAME_LENGTH), addresses: [...readAddresses(addresses)] },
      }),
    ],
    receive: (frame) => (frame.case === 'joinAccepted' ? accepted(frame.value) : [unexpected(frame)]),
    answered: () => [],
  }
}

/** The inviter: finishes with the peer's claims once a token is redeemed. */
export function createInviter(peer: PublicKey): SessionMachine<JoinRequest> {
  let request: JoinRequest | undefined
  function receive({ storeId: bytes, secret, name, addresses }: net.JoinRequest): Effects<JoinRequest> {
    if (request !== undefined) return [violation('join_repeated')]
    const storeId = readStoreId(bytes)
    if (storeId === undefined || secret.length !== JOIN_SECRET_BYTES) return [violation('join_malformed')]
    if (name.length > MAX_NAME_LENGTH) return [violation('join_name_too_long')]
    request = { storeId, secret, name, addresses: readAddresses(addresses) }
    return [{ kind: 'call', call: { kind: 'redeem', attempt: { ...request, peer } } }]
  }
  return {
    start: () => [],
    receive: (frame) => (frame.case === 'joinRequest' ? receive(frame.value) : [unexpected(frame)]),
    answered: (answer) => {
      assert(answer.kind === 'redeemed' && request !== undefined, 'an inviter redeems only')
      const { result } = answer
      if (result.kind === 'refused') return [refuse(refusalOf(result.code), REASONS[result.code])]
      const { storeType, witnessCount } = result
      const peers = result.peers
        .slice(0, MAX_JOIN_PEERS)
        .map((hint) => ({ peer: hint.peer, addresses: [...readAddresses(hint.addresses)] }))
      return [
        send({ case: 'joinAccepted', value: { storeType, witnessCount: BigInt(witnessCount), peers } }),
        finish(request),
      ]
    },
  }
}

/** What the joiner is told, for a person. */
const REASONS: Readonly<Record<JoinRefusalCode, string>> = {
  TOKEN_UNKNOWN: 'this invite is not known here: ask for a new one',
  TOKEN_EXPIRED: 'this invite has expired: ask for a new one',
  TOKEN_USED: 'this invite has been used up: ask for a new one',
  TOKEN_REVOKED: 'this invite was cancelled: ask for a new one',
  STORE_NOT_FOUND: 'no such store',
  STORE_NOT_READY: 'the store is not ready here: try again later',
  CLOCK_SKEW: 'the clock of the node that made this invite is wrong: set it right, then try again',
  REVOKED: 'this peer was removed from the store: ask an administrator',
}

function accepted({ storeType, witnessCount, peers }: net.JoinAccepted): Effects<JoinGrant> {
  const count = readCount(witnessCount)
  if (count === undefined || peers.length > MAX_JOIN_PEERS) return [violation('join_accepted_malformed')]
  const hints: PeerHint[] = []
  for (const { peer: bytes, addresses } of peers) {
    const peer = readPublicKey(bytes)
    if (peer === undefined) return [violation('join_accepted_malformed')]
    hints.push({ peer, addresses: readAddresses(addresses) })
  }
  return [finish({ kind: 'granted', storeType, witnessCount: count, peers: hints })]
}
