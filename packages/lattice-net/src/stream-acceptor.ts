/**
 * What each protocol gets on a stream that a peer opened.
 *
 * @module
 */
import type { Crypto, PublicKey } from '@lattice/model'
import { net } from '@lattice/proto'
import { createDigestResponder, type DigestOptions, type DigestOutcome } from './digest-exchange.ts'
import type { Gossip } from './gossip.ts'
import { createInviter, type JoinRequest } from './join.ts'
import { MAX_GOSSIP_STREAMS, MAX_JOINS_PER_CONNECTION } from './limits.ts'
import type { Accepted, PeerLink } from './peer-link.ts'
import { performCall } from './perform-call.ts'
import { createPong } from './ping.ts'
import { createLogServer } from './serve-log.ts'
import { createRevocationServer } from './revocation.ts'
import type { AdmissionClaim, RevocationRunner } from './run-revocation.ts'
import { createSnapshotServer, type ServeSnapshotOptions } from './serve-snapshot.ts'
import type { JoinHandler, SessionAnswer, SessionCall } from './session-call.ts'
import { type Fail, refuse, type SessionMachine, tapFinish } from './session.ts'
import type { StoreRegistry } from './store-registry.ts'
import type { SyncRunner } from './sync-runner.ts'

export interface StreamAcceptorOptions {
  readonly crypto: Crypto
  readonly joinHandler: JoinHandler
  readonly gossip: Gossip
  readonly syncs: SyncRunner
  readonly stores: Pick<StoreRegistry, 'resolve' | 'refusal' | 'revoked' | 'removalOf'>
  /** The peer was shown what removed it. */
  readonly onAsked: RevocationRunner['shown']
  /** What a digest exchange with the peer shows. */
  readonly digests: (peer: PublicKey) => DigestOptions
  readonly onAddresses: (peer: PublicKey, addresses: readonly string[]) => void
  /** Told what the peer said in a digest exchange that it started. */
  readonly onDigests: (peer: PublicKey, outcome: DigestOutcome) => void
  readonly perform: (link: PeerLink, call: SessionCall) => Promise<SessionAnswer>
}

/** Makes the function that a connection asks for each stream. */
export function createStreamAcceptor(
  options: StreamAcceptorOptions,
): (link: PeerLink, protocol: net.Protocol, version: number) => Accepted | Fail {
  const { joinHandler, gossip, syncs, stores, digests, onAddresses, onDigests } = options
  const useBy = (peer: PublicKey): ServeSnapshotOptions => ({
    resolve: (storeId) => stores.resolve(peer, storeId),
    refusal: (storeId) => stores.refusal(peer, storeId),
  })
  const joins = new WeakMap<PeerLink, number>()
  const gossips = new WeakMap<PeerLink, number>()

  function join(link: PeerLink): Accepted | Fail {
    const tried = joins.get(link) ?? 0
    if (tried >= MAX_JOINS_PER_CONNECTION) {
      return refuse(net.RefusalCode.LIMIT_EXCEEDED, 'too many invites were tried in vain: ask for a good one')
    }
    joins.set(link, tried + 1)
    // A good token is no guess: one peer may join any number of stores.
    const onRedeemed = ({ addresses }: JoinRequest): void => {
      joins.set(link, (joins.get(link) ?? 1) - 1)
      onAddresses(link.peer, addresses)
    }
    return {
      machine: tapFinish(createInviter(link.peer), onRedeemed),
      perform: (call) => performCall(call, { joinHandler, onIngested: () => undefined }),
    }
  }

  function acceptGossip(link: PeerLink): Accepted | Fail {
    const running = gossips.get(link) ?? 0
    if (running >= MAX_GOSSIP_STREAMS) return refuse(net.RefusalCode.BUSY, 'a gossip stream is under way')
    gossips.set(link, running + 1)
    return {
      machine: gossip.accept(link.peer),
      perform: (call) => options.perform(link, call),
      onEnd: () => gossips.set(link, (gossips.get(link) ?? 1) - 1),
    }
  }

  return (link, protocol, version) => {
    const { peer } = link
    const perform = (call: SessionCall): Promise<SessionAnswer> => options.perform(link, call)
    switch (protocol) {
      case net.Protocol.DIGEST: {
        const machine = createDigestResponder(digests(peer))
        return { machine: tapFinish(machine, (outcome) => onDigests(peer, outcome)), perform }
      }
      case net.Protocol.PING:
        return { machine: createPong(), perform }
      case net.Protocol.RECONCILE:
        return syncs.accept(link, version)
      case net.Protocol.JOIN:
        return join(link)
      case net.Protocol.BOOTSTRAP:
        return { machine: createLogServer({ ...useBy(peer), pages: true }), perform }
      case net.Protocol.FETCH:
        return { machine: createLogServer({ ...useBy(peer), pages: false }), perform }
      case net.Protocol.SNAPSHOT:
        return { machine: createSnapshotServer(useBy(peer)), perform }
      case net.Protocol.REVOCATION:
        return { machine: acceptRevocation(peer, options), perform }
      case net.Protocol.GOSSIP:
        return acceptGossip(link)
      default:
        return refuse(net.RefusalCode.PROTOCOL_UNKNOWN, 'this protocol is not spoken here')
    }
  }
}

/** Tells of the question once it is answered. */
function acceptRevocation(
  peer: PublicKey,
  { stores, onAsked }: Pick<StreamAcceptorOptions, 'stores' | 'onAsked'>,
): SessionMachine<number> {
  let claim: AdmissionClaim | undefined
  const machine = createRevocationServer({
    resolve: (storeId, admittedBy) => {
      claim = { storeId, admittedBy }
      return stores.revoked(peer, storeId, admittedBy)
    },
    about: (storeId, whose) => stores.removalOf(peer, storeId, whose),
  })
  return tapFinish(machine, () => onAsked(peer, claim))
}
