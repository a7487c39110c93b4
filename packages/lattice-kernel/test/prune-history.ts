/**
 * Histories of a few peers that write, fork, see each other's writes, and make and acknowledge epochs, as intentions by
 * hand: so that two kernels can be given the same in any order.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import {
  causesOf,
  compareBytes,
  equalBytes,
  genesisStoreId,
  type IdKey,
  idKey,
  type IntentionId,
  type KnownOp,
  type ParsedIntention,
  type Signer,
  type StoreId,
} from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { system, weaver } from '@lattice/proto'
import { at, genesisOf, signerOf, write } from './harness.ts'
import { modelChainEnds } from './model-chain-ends.ts'
import { admitOp } from './model-policy.ts'
import { appOp } from './tracking-projector.ts'

interface AddOptions {
  readonly isFork?: boolean
  readonly close?: boolean
  readonly from?: ParsedIntention | undefined
}

interface Peer {
  readonly signer: Signer
  /** Where its chain ends: several where it forked. */
  tips: ParsedIntention[]
  /** Ids it has seen. */
  readonly seen: Set<IdKey>
}

export interface PruneHistory {
  readonly storeId: StoreId
  readonly genesis: ParsedIntention
  readonly creator: Signer
  readonly peers: readonly Signer[]
  /** All so far, causes first. */
  readonly all: readonly ParsedIntention[]
  /** So many writes, by whoever: of what was seen of the others. `by`: by these alone. */
  readonly writes: (count: number, by?: readonly number[]) => readonly ParsedIntention[]
  /** An epoch on top of all that a peer has seen. */
  readonly epoch: (by: number, cause: weaver.EpochCause['cause'], acks: readonly Signer[]) => ParsedIntention
  readonly prune: (by: number, below?: ParsedIntention) => ParsedIntention
  /** Takes all from a peer. */
  readonly remove: (by: number, who: number) => ParsedIntention
  /** Numbers of the peers that were not removed. */
  readonly active: () => readonly number[]
  /** An acknowledgement, with a root; cites these as well. */
  readonly ack: (
    by: number,
    epoch: ParsedIntention,
    root: Uint8Array,
    also?: readonly ParsedIntention[],
  ) => ParsedIntention
  /** A write whose signature comes with the next of its author. */
  readonly part: (by: number) => ParsedIntention
  /** A write that cites these. `from`: a branch from there, the author goes on from where it was. */
  readonly write: (by: number, deps: readonly ParsedIntention[], from?: ParsedIntention) => ParsedIntention
  /** A write that takes the place of those it covers, and cites these. */
  readonly put: (by: number, deps: readonly ParsedIntention[]) => ParsedIntention
  readonly sees: (by: number, what: readonly ParsedIntention[]) => void
  readonly isBelow: (intention: ParsedIntention, epoch: ParsedIntention) => boolean
  readonly random: ReturnType<typeof createSeededRandom>
}

export function createPruneHistory(
  seed: number,
  options: { readonly peers?: number; readonly isLastReader?: boolean } = {},
): PruneHistory {
  const random = createSeededRandom(seed)
  const creator = signerOf(1)
  const signers = [creator, ...Array.from({ length: options.peers ?? 3 }, (_, n) => signerOf(n + 2))]
  const genesis = genesisOf(creator)
  const all: ParsedIntention[] = [genesis]
  const byKey = new Map<IdKey, ParsedIntention>([[idKey(genesis.id), genesis]])
  const pasts = new Map<IdKey, ReadonlySet<IdKey>>([[idKey(genesis.id), new Set()]])
  const peers: Peer[] = signers.map((signer) => ({ signer, tips: [], seen: new Set([idKey(genesis.id)]) }))
  const epochs: ParsedIntention[] = []
  let time = 1

  const pick = <T>(list: readonly T[]): T => {
    const item = list[random.below(list.length)]
    if (item === undefined) throw new Error('nothing to pick from')
    return item
  }
  const peerAt = (number: number): Peer => {
    const peer = peers[number]
    if (peer === undefined) throw new Error('there is no such peer')
    return peer
  }
  const pastOf = (id: IntentionId): ReadonlySet<IdKey> => pasts.get(idKey(id)) ?? new Set()
  const isBelow: PruneHistory['isBelow'] = (intention, epoch) => pastOf(epoch.id).has(idKey(intention.id))

  function see(peer: Peer, intention: ParsedIntention): void {
    peer.seen.add(idKey(intention.id))
    for (const key of pastOf(intention.id)) peer.seen.add(key)
  }
  function frontierOf({ seen }: Peer): ParsedIntention[] {
    const items = [...seen].flatMap((key) => byKey.get(key) ?? [])
    const covered = new Set(items.flatMap(({ id }) => [...pastOf(id)]))
    return items.filter(({ id }) => !covered.has(idKey(id)))
  }
  function add(
    peer: Peer,
    op: KnownOp,
    deps: readonly IntentionId[],
    { isFork = false, close = true, from }: AddOptions = {},
  ): ParsedIntention {
    const own = all.filter(
      ({ intention }) => equalBytes(intention.author, peer.signer.publicKey) && intention !== genesis.intention,
    )
    const last = peer.tips.at(-1) ?? genesis
    const prev = from ?? (isFork && own.length > 1 ? pick(own) : last)
    const made = write(peer.signer, { prev: prev.id, deps, at: at(time), op, close })
    time += 1
    const past = new Set<IdKey>()
    for (const cause of causesOf(made.intention)) {
      past.add(idKey(cause))
      for (const key of pastOf(cause)) past.add(key)
    }
    pasts.set(idKey(made.id), past)
    byKey.set(idKey(made.id), made)
    all.push(made)
    const tips = peer.tips.filter(({ id }) => !past.has(idKey(id)))
    peer.tips = from === undefined ? [...tips, made] : [made, ...tips]
    peer.seen.add(idKey(made.id))
    for (const key of past) peer.seen.add(key)
    return made
  }
  /** What may be cited after the epochs that are among the causes: nothing that lies below one. */
  function citable(prev: ParsedIntention, wanted: readonly ParsedIntention[]): readonly IntentionId[] {
    const known = epochs.filter((epoch) =>
      [prev, ...wanted].some((cause) => equalBytes(cause.id, epoch.id) || pastOf(cause.id).has(idKey(epoch.id))),
    )
    const allowed = wanted.filter(
      (dep) => epochs.includes(dep) || dep === genesis || !known.some((epoch) => isBelow(dep, epoch)),
    )
    const ids = allowed.map(({ id }) => id)
    return ids.length > 0 ? ids : [known.at(-1)?.id ?? genesis.id]
  }

  const ack: PruneHistory['ack'] = (by, epoch, root, also = []) => {
    const peer = peerAt(by)
    for (const each of [epoch, ...also]) see(peer, each)
    const chainEnds = root.length > 0 ? modelChainEnds(all, epoch) : root
    const value = create(weaver.EpochAckOpSchema, { epoch: epoch.id, stateRoot: root, chainEnds })
    return add(
      peer,
      { kind: 'epochAck', schema: 0, value },
      [epoch, ...also].map(({ id }) => id),
    )
  }
  const epoch: PruneHistory['epoch'] = (by, cause, acks) => {
    const peer = peerAt(by)
    const before = epochs.filter(({ id }) => peer.seen.has(idKey(id)))
    const value = create(weaver.EpochOpSchema, {
      seq: BigInt(before.length),
      requiredAcks: acks.map(({ publicKey }) => publicKey).toSorted(compareBytes),
      cause: { cause },
    })
    const deps = [genesis, ...before.slice(-1), ...frontierOf(peer)].map(({ id }) => id)
    const unique = [...new Map(deps.map((id) => [idKey(id), id])).values()]
    const made = add(peer, { kind: 'epoch', schema: 0, value }, unique)
    epochs.push(made)
    return made
  }

  /** A reader is never waited for. */
  const removed = new Set<number>(options.isLastReader === true ? [signers.length - 1] : [])
  const active = (): readonly number[] => peers.flatMap((_, n) => (removed.has(n) ? [] : [n]))
  const activeSigners = (by: number): readonly Signer[] => active().flatMap((n) => (n === by ? [] : [peerAt(n).signer]))

  const creatorPeer = peerAt(0)
  for (const [n, { signer }] of peers.entries()) {
    const role = removed.has(n) ? system.Role.READER : system.Role.ADMIN
    if (n > 0) add(creatorPeer, admitOp(signer.publicKey, role), [genesis.id])
  }
  epoch(0, { case: 'initial', value: create(weaver.InitialCauseSchema) }, activeSigners(0))
  const start = [...all]
  for (const peer of peers) for (const intention of start) see(peer, intention)

  return {
    storeId: genesisStoreId(genesis),
    genesis,
    creator,
    peers: signers,
    all,
    random,
    isBelow,
    epoch,
    ack,
    prune: (by, below) =>
      epoch(
        by,
        { case: 'prune', value: create(weaver.PruneCauseSchema, below === undefined ? {} : { below: below.id }) },
        activeSigners(by),
      ),
    remove: (by, who) => {
      removed.add(who)
      const peer = peerAt(who).signer.publicKey
      const removals = [create(weaver.RemovalSchema, { peer })]
      return epoch(
        by,
        { case: 'membership', value: create(weaver.MembershipCauseSchema, { removals }) },
        activeSigners(by),
      )
    },
    active,
    part: (by) =>
      add(peerAt(by), appOp(`set part v${time}`), [(peerAt(by).tips.at(-1) ?? genesis).id], { close: false }),
    write: (by, deps, from) =>
      add(
        peerAt(by),
        appOp(`set one v${time}`),
        deps.map(({ id }) => id),
        { from },
      ),
    put: (by, deps) =>
      add(
        peerAt(by),
        appOp(`put one v${time}`),
        deps.map(({ id }) => id),
      ),
    sees: (by, what) => {
      for (const intention of what) see(peerAt(by), intention)
    },
    writes: (count, by = peers.map((_, n) => n)) => {
      const made: ParsedIntention[] = []
      for (let n = 0; n < count; n += 1) {
        const peer = peerAt(pick(by))
        // It hears of some of what others wrote.
        if (random.below(3) === 0) see(peer, pick(all.filter(({ op }) => op.kind !== 'epoch')))
        const prev = peer.tips.at(-1) ?? genesis
        const wanted = random.below(2) === 0 ? frontierOf(peer).slice(0, 8) : [pick(frontierOf(peer))]
        const key = random.below(6)
        const word = random.below(2) === 0 ? 'put' : 'set'
        const isFork = random.below(12) === 0 && peer.tips.length < 3
        const op = random.below(9) === 0 ? ackOp() : appOp(`${word} k${key} v${time}`)
        made.push(add(peer, op, citable(prev, wanted), { isFork: isFork && isSafeToFork(peer) }))
      }
      return made
    },
  }

  function ackOp(): KnownOp {
    return { kind: 'ack', schema: 0, value: create(weaver.AckOpSchema) }
  }
  /** Who has seen a later epoch does not go back behind it. */
  function isSafeToFork({ seen }: Peer): boolean {
    return epochs.slice(1).every(({ id }) => !seen.has(idKey(id)))
  }
}

/** In an order in which causes come first, and drawn anew each time. */
export function shuffled(
  { random }: Pick<PruneHistory, 'random'>,
  intentions: readonly ParsedIntention[],
): readonly ParsedIntention[] {
  const left = [...intentions]
  const here = new Set<string>()
  const ours = new Set(left.map(({ id }) => idKey(id)))
  const order: ParsedIntention[] = []
  while (left.length > 0) {
    const ready = left.filter(({ intention }) =>
      causesOf(intention).every((cause) => !ours.has(idKey(cause)) || here.has(idKey(cause))),
    )
    const one = ready[random.below(ready.length)]
    if (one === undefined) throw new Error('a cycle')
    left.splice(left.indexOf(one), 1)
    here.add(idKey(one.id))
    order.push(one)
  }
  return order
}

/** What a log with this base holds. */
export function expectedSet(
  { all, isBelow }: Pick<PruneHistory, 'all' | 'isBelow'>,
  base: ParsedIntention,
): readonly ParsedIntention[] {
  return all.filter((one) => !isBelow(one, base) || ['genesis', 'system', 'epoch'].includes(one.op.kind))
}
