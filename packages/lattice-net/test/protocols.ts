/**
 * Every protocol as a pair of machines at work on two stores, for rules that hold for all of them.
 *
 * @module
 */
import { equalBytes } from '@lattice/model'
import { net } from '@lattice/proto'
import { createBootstrap } from '../src/bootstrap.ts'
import { createDigestInitiator, createDigestResponder } from '../src/digest-exchange.ts'
import { createInviter, createJoiner } from '../src/join.ts'
import { acceptOpening, withOpening } from '../src/opening.ts'
import { createPushReceiver } from '../src/push-receiver.ts'
import { createPushSender } from '../src/push-sender.ts'
import { createReconcileInitiator } from '../src/reconcile-initiator.ts'
import { createReconcileResponder } from '../src/reconcile-responder.ts'
import { createLogServer } from '../src/serve-log.ts'
import type { JoinHandler, SessionStore } from '../src/session-call.ts'
import { finish, type SessionMachine } from '../src/session.ts'
import { viewFor } from '../src/store-registry.ts'
import { LOST } from './drive.ts'
import { createPair, type Pair, type Peer } from './pair.ts'

/** A protocol at work. */
export interface Protocol {
  readonly joinHandler: JoinHandler
  /** New machines over the same stores, the opening included: the next session. */
  readonly session: () => { readonly a: SessionMachine<unknown>; readonly b: SessionMachine<unknown> }
  /** True once what the protocol is for has been reached. */
  readonly isDone: () => boolean
  /** What both stores hold by now; it never shrinks. */
  readonly held: () => number
}

interface Sides {
  readonly protocol: net.Protocol
  readonly a: () => SessionMachine<unknown>
  readonly b: () => SessionMachine<unknown>
  readonly isDone?: () => boolean
  readonly joinHandler?: JoinHandler
}

const refuse: JoinHandler = { redeem: async () => ({ kind: 'refused', code: 'TOKEN_UNKNOWN' }) }

function protocolOf({ a, b }: Pick<Pair, 'a' | 'b'>, sides: Sides): Protocol {
  const { protocol } = sides
  const isSame = (): boolean => equalBytes(a.store.digest().fingerprint, b.store.digest().fingerprint)
  return {
    joinHandler: sides.joinHandler ?? refuse,
    session: () => ({
      a: withOpening(sides.a(), { protocol, wallMs: 5, onPeerWall: () => undefined }),
      b: acceptOpening({ wallMs: 7, onPeerWall: () => undefined, select: () => sides.b() }),
    }),
    isDone: sides.isDone ?? isSame,
    held: () => a.store.digest().witnessCount + b.store.digest().witnessCount,
  }
}

const view = (store: Peer['store'], peer: Peer): SessionStore => viewFor(store, peer.signer.publicKey, () => true)

function reconcileOf(pair: Pick<Pair, 'a' | 'b'>, change: Partial<SessionStore> = {}): Protocol {
  const { a, b } = pair
  return protocolOf(pair, {
    protocol: net.Protocol.RECONCILE,
    a: () => createReconcileInitiator({ ...view(a.store, b), ...change }),
    b: () => createReconcileResponder({ resolve: () => view(b.store, a) }),
  })
}

function write({ a, b }: Pick<Pair, 'a' | 'b'>): void {
  for (let run = 0; run < 3; run += 1) a.store.write(12)
  // Of another size, so that one author on both sides forks.
  for (let run = 0; run < 2; run += 1) b.store.write(12, 33)
}

/** Makes each protocol anew, with something to do. */
export const PROTOCOLS: Readonly<Record<string, () => Promise<Protocol>>> = {
  digest: async () => {
    const pair = await createPair()
    const { a, b, crypto } = pair
    const sideOf = ({ store }: Peer) => ({
      crypto,
      stores: () => [{ id: store.id, digest: store.digest() }],
      addresses: () => ['sim:1'],
    })
    return protocolOf(pair, {
      protocol: net.Protocol.DIGEST,
      a: () => createDigestInitiator({ ...sideOf(a), nonce: new Uint8Array(16) }),
      b: () => createDigestResponder(sideOf(b)),
      // It changes nothing: that it ends well is all.
      isDone: () => true,
    })
  },
  'reconcile by maps': async () => {
    const pair = await createPair()
    write(pair)
    return reconcileOf(pair)
  },
  'reconcile by ranges': async () => {
    const pair = await createPair()
    write(pair)
    return reconcileOf(pair, { chainTips: () => undefined })
  },
  'reconcile by maps, then by ranges': async () => {
    const pair = await createPair()
    const forked = { a: pair.a, b: pair.peer(0) }
    write(forked)
    return reconcileOf(forked)
  },
  join: async () => {
    const pair = await createPair()
    let redeemed = 0
    const joinHandler: JoinHandler = {
      // A peer that lost the answer asks again.
      redeem: async () => {
        redeemed += 1
        return { kind: 'granted', storeType: 'test:model', witnessCount: 1, peers: [] }
      },
    }
    return protocolOf(pair, {
      protocol: net.Protocol.JOIN,
      a: () => createJoiner({ storeId: pair.a.store.id, secret: new Uint8Array(32), name: 'a', addresses: [] }),
      b: () => createInviter(pair.a.signer.publicKey),
      joinHandler,
      isDone: () => redeemed > 0,
    })
  },
  bootstrap: async () => {
    const made = await createPair()
    const pair = { a: made.peer(7, { holdsGenesis: false }), b: made.b }
    for (let run = 0; run < 3; run += 1) pair.b.store.write(40)
    return protocolOf(pair, {
      protocol: net.Protocol.BOOTSTRAP,
      a: () =>
        createBootstrap({
          crypto: made.crypto,
          store: view(pair.a.store, pair.b),
          witness: pair.b.signer.publicKey,
          position: undefined,
        }),
      b: () => createLogServer({ resolve: () => view(pair.b.store, pair.a), pages: true }),
    })
  },
  push: async () => {
    const pair = await createPair()
    const { a, b } = pair
    const batches = [a.store.write(4), a.store.write(5), a.store.write(6)]
    const offerAll = (): SessionMachine<unknown> => {
      const sender = createPushSender({ onUnshared: () => undefined, onDigest: () => undefined })
      for (const intentions of batches) sender.offer({ storeId: a.store.id, intentions, digest: a.store.digest() })
      // It lasts as long as its connection; here its end is a good one when nothing is owed.
      return { ...sender, ended: () => [sender.unsettled().length === 0 ? finish(undefined) : LOST] }
    }
    return protocolOf(pair, {
      protocol: net.Protocol.PUSH,
      a: offerAll,
      b: () => {
        const resolve = (storeId: Uint8Array): SessionStore | undefined =>
          equalBytes(storeId, b.store.id) ? view(b.store, a) : undefined
        return createPushReceiver({ resolve })
      },
    })
  },
}
