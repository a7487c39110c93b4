/**
 * Every protocol as a pair of machines at work on two stores, for rules that hold for all of them.
 *
 * @module
 */
import { equalBytes, idKey, type IntentionId, intentionId } from '@lattice/model'
import type { RemovalProof } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { claimTo, comparedWith } from '../src/claimed-digest.ts'
import { createDigestInitiator, createDigestResponder } from '../src/digest-exchange.ts'
import { createGossipReceiver } from '../src/gossip/gossip-receiver.ts'
import { splitRuns } from '../src/gossip/gossip-run.ts'
import { createGossipSender, type OfferedRun } from '../src/gossip/gossip-sender.ts'
import { gossipTopic } from '../src/gossip/gossip-topic.ts'
import { gossipPayload } from '../src/gossip/tree-frames.ts'
import { createInviter, createJoiner } from '../src/join.ts'
import { createLogClient } from '../src/log-client.ts'
import { acceptOpening, withOpening } from '../src/opening.ts'
import { createPing, createPong } from '../src/ping.ts'
import { createReconcileInitiator } from '../src/reconcile-initiator.ts'
import { createRevocationAsker, createRevocationServer } from '../src/revocation.ts'
import { createReconcileResponder } from '../src/reconcile-responder.ts'
import { createLogServer } from '../src/serve-log.ts'
import { createSnapshotServer } from '../src/serve-snapshot.ts'
import type { JoinHandler, SessionStore } from '../src/session-call.ts'
import { finish, type SessionMachine, tapFinish } from '../src/session.ts'
import { createSnapshotClient } from '../src/snapshot-client.ts'
import { viewFor } from '../src/store-registry.ts'
import { LOST } from './drive.ts'
import type { ModelStore } from './model-store.ts'
import { createPair, type Pair, type Peer } from './pair.ts'
import { rowsOf } from './snapshot-mesh.ts'

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

/** Two that held the same, of whom `b` has cut its history. */
async function cutPair(): Promise<Pick<Pair, 'a' | 'b' | 'crypto'> & { readonly base: IntentionId }> {
  const pair = await createPair()
  const { a, b } = pair
  a.store.write(4)
  const [epoch] = a.store.write(1)
  if (epoch === undefined) throw new Error('something was written')
  const { intentions } = a.store.read(a.store.ids(), Number.MAX_SAFE_INTEGER)
  await b.store.ingest(intentions, a.signer.publicKey)
  for (const { store } of [a, b]) store.declare(new Map([[idKey(epoch.id), 0n]]))
  b.store.prune(epoch.id)
  return { a, b, crypto: pair.crypto, base: epoch.id }
}

/** `a` was removed by an epoch whose past `b` has deleted and `a` has not seen. */
export async function removedPair(): Promise<Pick<Pair, 'a' | 'b'> & { readonly epoch: IntentionId }> {
  const { base: _, ...pair } = await cutPair()
  const { a, b } = pair
  for (let run = 0; run < 4; run += 1) b.store.write(20)
  const [epoch] = b.store.write(1)
  if (epoch === undefined) throw new Error('something was written')
  b.store.setEpochs([epoch], true)
  b.store.declare(new Map([[idKey(epoch.id), 1n]]))
  b.store.prune(epoch.id)
  return { a, b, epoch: epoch.id }
}

/** Takes exactly what a store serves for a foundation that shows it. */
export function modelProof(served: ModelStore, epoch: IntentionId): RemovalProof {
  const items: Uint8Array[] = []
  return {
    add: async (more) => {
      items.push(...more)
      return undefined
    },
    end: async () => {
      const right = served.readFoundation(epoch, 0, Number.MAX_SAFE_INTEGER)?.items ?? []
      const isRight = right.length === items.length && right.every((item, at) => equalBytes(item, items[at] ?? item))
      return isRight && items.length > 0 ? true : { code: 'not_removed' }
    },
    close: () => undefined,
  }
}

/** Makes each protocol anew, with something to do. */
export const PROTOCOLS: Readonly<Record<string, () => Promise<Protocol>>> = {
  digest: async () => {
    const pair = await createPair()
    const { a, b, crypto } = pair
    const sideOf = ({ store }: Peer) => ({
      crypto,
      stores: () => [store],
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
  'witness pages': async () => {
    const pair = await createPair()
    for (let run = 0; run < 3; run += 1) pair.b.store.write(40)
    let records = 0
    const { witnessCount } = pair.b.store.digest()
    return protocolOf(pair, {
      protocol: net.Protocol.BOOTSTRAP,
      a: () =>
        createLogClient({
          storeId: pair.a.store.id,
          requests: [{ kind: 'page', fromSeq: 1, limit: witnessCount }],
          onAnswer: (answer) => {
            if (answer.kind === 'page') records = answer.page.records.length
            return []
          },
        }),
      b: () => createLogServer({ resolve: () => view(pair.b.store, pair.a), pages: true }),
      isDone: () => records === witnessCount,
    })
  },
  fetch: async () => {
    const pair = await createPair()
    const { a, b } = pair
    const lacking = [b.store.write(40), b.store.write(40)].flat().map(({ bytes }) => intentionId(pair.crypto, bytes))
    const tip = lacking.at(-1)
    if (tip === undefined) throw new Error('something was written')
    const store = view(a.store, b)
    return protocolOf(pair, {
      protocol: net.Protocol.FETCH,
      a: () =>
        createLogClient({
          storeId: store.id,
          requests: [
            { kind: 'ids', ids: lacking.slice(0, 40) },
            { kind: 'chain', target: tip, since: undefined, limit: 100 },
          ],
          onAnswer: (answer) =>
            answer.kind === 'intentions' && answer.intentions.length > 0
              ? [{ kind: 'call', call: { kind: 'ingest', store, intentions: answer.intentions } }]
              : [],
        }),
      b: () => createLogServer({ resolve: () => view(b.store, a), pages: false }),
    })
  },
  revocation: async () => {
    const pair = await createPair()
    const { a, b } = pair
    for (let run = 0; run < 3; run += 1) b.store.write(30)
    const [epoch] = b.store.write(1)
    if (epoch === undefined) throw new Error('something was written')
    // After what removed the peer.
    b.store.write(5)
    b.store.setEpochs([epoch], true)
    b.store.setAccess(() => 'revoked')
    return protocolOf(pair, {
      protocol: net.Protocol.REVOCATION,
      a: () => createRevocationAsker(view(a.store, b), { known: a.store.tipIds(100) }),
      b: () =>
        createRevocationServer({
          about: () => undefined,
          resolve: (storeId) =>
            equalBytes(storeId, b.store.id)
              ? { ...b.store, epochs: [epoch.id], foundation: undefined, allowed: () => true }
              : undefined,
        }),
      isDone: () => a.store.missing([epoch.id]).length === 0 && a.store.digest().witnessCount === 92,
    })
  },
  'revocation whose past was cut': async () => {
    const { a, b, epoch } = await removedPair()
    let isShown = false
    return protocolOf(
      { a, b },
      {
        protocol: net.Protocol.REVOCATION,
        a: () => {
          const openProof = (): RemovalProof => modelProof(b.store, epoch)
          const machine = createRevocationAsker(view(a.store, b), { known: a.store.tipIds(100), openProof })
          return tapFinish(machine, (outcome) => {
            isShown = outcome.isShown === true
          })
        },
        b: () =>
          createRevocationServer({
            about: () => undefined,
            resolve: (storeId) =>
              equalBytes(storeId, b.store.id)
                ? { ...b.store, epochs: [epoch], foundation: epoch, allowed: () => true }
                : undefined,
          }),
        isDone: () => isShown,
      },
    )
  },
  'reconcile over a base': async () => {
    const peers = await cutPair()
    write(peers)
    return {
      ...reconcileOf(peers),
      isDone: () => {
        const claim = claimTo(peers.b.store, undefined)
        const ours = comparedWith(peers.a.store, claim)
        return ours !== undefined && equalBytes(ours.fingerprint, claim.fingerprint)
      },
    }
  },
  snapshot: async () => {
    const { base, ...peers } = await cutPair()
    const large = { table: 'app', key: Uint8Array.of(255), value: new Uint8Array(600_000) } as const
    const rows = [...rowsOf(60, 600), large]
    peers.b.store.setSnapshot({ epoch: base, rows })
    const target = peers.b.store.snapshot()
    if (target === undefined) throw new Error('a state is served')
    const came = { rows: 0, items: 0, isLast: false }
    return protocolOf(peers, {
      protocol: net.Protocol.SNAPSHOT,
      a: () => {
        Object.assign(came, { rows: 0, items: 0, isLast: false })
        const rowsIn = (after: number, through: number) => {
          const [from, to] = [rows[after], rows[through]]
          return { kind: 'rows', target, after: from, through: to } as const
        }
        return createSnapshotClient({
          storeId: peers.a.store.id,
          requests: [
            { kind: 'base' },
            { kind: 'items', base, after: 0 },
            { kind: 'outline', target, after: undefined },
            rowsIn(-1, 29),
            rowsIn(29, 59),
            rowsIn(59, 99),
          ],
          onAnswer: (answer) => {
            if (answer.kind === 'items') came.items = answer.items.length
            if (answer.kind === 'rows') came.rows += answer.rows.length
            if (answer.kind === 'rows') came.isLast = answer.isLast
            return []
          },
        })
      },
      b: () => createSnapshotServer({ resolve: () => view(peers.b.store, peers.a) }),
      isDone: () => came.isLast && came.rows === rows.length && came.items > 2,
    })
  },
  ping: async () => {
    let pings = 0
    return protocolOf(await createPair(), {
      protocol: net.Protocol.PING,
      a: () =>
        tapFinish(createPing(), () => {
          pings += 1
        }),
      b: createPong,
      isDone: () => pings > 0,
    })
  },
  gossip: async () => {
    const pair = await createPair()
    const { a, b, crypto } = pair
    const topic = gossipTopic(crypto, a.store.id, [])
    const offered = [4, 5, 6].map((count): OfferedRun => {
      const [run] = splitRuns(a.store.write(count)).runs
      if (run === undefined) throw new Error('a write is a run')
      const payload = gossipPayload(run.author, run.intentions)
      const message = { kind: 'gossip', store: a.store.id, id: run.id, round: 1, payload } as const
      return { topic, message, digest: a.store.digest() }
    })
    const ignore = (): void => undefined
    const offerAll = (): SessionMachine<unknown> => {
      const sender = createGossipSender({ onUnshared: ignore, onDigest: ignore, onStranger: ignore })
      for (const run of offered) sender.offer(run)
      // It lasts as long as its connection; here its end is a good one when nothing is owed.
      return { ...sender, ended: () => [sender.unsettled().length === 0 ? finish(undefined) : LOST] }
    }
    return protocolOf(pair, {
      protocol: net.Protocol.GOSSIP,
      a: offerAll,
      b: () => {
        const resolve = (storeId: Uint8Array): SessionStore | undefined =>
          equalBytes(storeId, b.store.id) ? view(b.store, a) : undefined
        return createGossipReceiver({ crypto, resolve, isNew: () => true, onTold: ignore, note: () => 'noted' })
      },
    })
  },
}
