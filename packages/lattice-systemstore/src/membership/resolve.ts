/**
 * What all records come to: the view that kernel and network go by.
 *
 * A function of the set of records and of their causal order, and of nothing else.
 *
 * @module
 */
import { compareBytes, idKey, type IdKey, type IntentionId, type PublicKey } from '@lattice/model'
import type { Cutoff, EpochFault, MembershipHistory, MembershipRecord, MembershipView } from '@lattice/store-base'
import {
  ADMIN_LEVEL,
  createGrantsGraph,
  type Cut,
  type EpochNode,
  type MembershipGraph,
  WRITER_LEVEL,
} from './grants-graph.ts'
import { createEpochJudge, type Verdicts } from './judge-epochs.ts'
import { type PeerStates, readPeerStates } from './peer-states.ts'
import { isMembershipRecord, readRecord, type RecordMeaning } from './records.ts'
import { decideStanding, type Standing } from './standing.ts'

/** What was worked out of records and holds for as long as they do. */
export interface Remembered {
  readonly meanings: WeakMap<MembershipRecord, RecordMeaning>
  readonly verdicts: Verdicts
}

/** A view with what it was made of. */
export interface Resolved {
  readonly graph: MembershipGraph
  readonly standing: Standing
  readonly states: PeerStates
  readonly view: MembershipView
}

export function resolveMembership(history: MembershipHistory, remembered: Remembered): Resolved {
  const records = inOrder(history.records)
  const graph = createGrantsGraph(
    { records, follows: history.follows },
    records.map((record) => meaningOf(record, remembered.meanings)),
  )
  const faults = new Map<IdKey, EpochFault>()
  const fail = (at: number, fault: EpochFault): void => {
    const record = graph.records[at]
    if (record !== undefined) faults.set(idKey(record.id), fault)
  }
  for (const [at, fault] of graph.hopeless) fail(at, fault)
  const judged = createEpochJudge(graph, remembered.verdicts)
  for (const epoch of graph.epochs) {
    const fault = judged.judge(epoch)
    if (fault !== undefined) fail(epoch.at, fault)
  }
  const standing = decideStanding({ graph, has: () => true, epochs: judged.valid, rankAll: true })
  const stands = new Set(standing.standing)
  for (const epoch of judged.valid) if (!stands.has(epoch)) fail(epoch.at, 'outranked')
  const states = readPeerStates(graph, () => true, standing)
  return { graph, standing, states, view: createView({ graph, standing, states, faults }) }
}

function meaningOf(record: MembershipRecord, meanings: Remembered['meanings']): RecordMeaning {
  const known = meanings.get(record)
  if (known !== undefined) return known
  const meaning = readRecord(record)
  meanings.set(record, meaning)
  return meaning
}

/** Ascending by (generation, id). */
function inOrder(records: readonly MembershipRecord[]): readonly MembershipRecord[] {
  return records.every((record, at) => at === 0 || byPlace(records[at - 1] ?? record, record) <= 0)
    ? records
    : records.toSorted(byPlace)
}

function byPlace(one: MembershipRecord, other: MembershipRecord): number {
  return one.generation - other.generation || compareBytes(one.id, other.id)
}

function createView({
  graph,
  standing,
  states,
  faults,
}: Omit<Resolved, 'view'> & { readonly faults: ReadonlyMap<IdKey, EpochFault> }): MembershipView {
  const stands = new Map<IdKey, EpochNode>()
  for (const epoch of standing.standing) {
    const record = graph.records[epoch.at]
    if (record !== undefined) stands.set(idKey(record.id), epoch)
  }
  const ofPeer = <T>(peer: PublicKey, read: (number: number) => T, none: T): T => {
    const number = graph.numberOf(peer)
    return number === undefined ? none : read(number)
  }
  const cutoffs = new Map<number, readonly Cutoff[]>()
  function cutoffsOf(peer: number): readonly Cutoff[] {
    const known = cutoffs.get(peer)
    if (known !== undefined) return known
    const made = standing.cutsOf(peer).flatMap((cut) => cutoffOf({ graph, standing }, cut))
    cutoffs.set(peer, made)
    return made
  }
  function isHeard(peer: number): boolean {
    const grants = graph.grantsOf(peer).filter(({ level }) => level >= WRITER_LEVEL)
    return grants.length === 0 || grants.some(({ at }) => standing.lives(at))
  }
  function leftBy(peer: number): readonly IntentionId[] | undefined {
    const level = states.levelOf(peer)
    if (level === undefined || level < WRITER_LEVEL) return takenBy(cutoffsOf(peer))
    const away = graph.records[states.awayBy(peer) ?? -1]
    return away && [away.id]
  }
  let limited: readonly PublicKey[] | undefined
  let active: readonly PublicKey[] | undefined
  return {
    faultOf: (epoch) => {
      const key = idKey(epoch)
      // What is no epoch of these records does not count either.
      return stands.has(key) ? undefined : (faults.get(key) ?? 'not_entitled')
    },
    removalsOf: (epoch) => stands.get(idKey(epoch))?.claim.removals ?? [],
    cutoffsOf: (author) => ofPeer(author, cutoffsOf, []),
    isHeard: (author) => ofPeer(author, isHeard, true),
    limited: () =>
      (limited ??= graph
        .peersInOrder()
        .filter((peer) => standing.cutsOf(peer).length > 0 || !isHeard(peer))
        .map(graph.peerOf)),
    active: () => (active ??= states.active()),
    leftBy: (peer) => ofPeer(peer, leftBy, undefined),
    isAdmin: (peer) => ofPeer(peer, (number) => (states.levelOf(number) ?? 0) >= ADMIN_LEVEL, false),
    isSenior: (a, b) => {
      const [one, other] = [a, b].map((peer) => ofPeer(peer, standing.rankOf, undefined) ?? Infinity)
      return (one ?? Infinity) < (other ?? Infinity)
    },
    mayOutrank: (peer, id) => {
      const epoch = stands.get(idKey(id))
      return epoch !== undefined && ofPeer(peer, (number) => standing.mayOutrank(number, epoch), false)
    },
    // Whoever lets a peer in again does it here.
    mayReturn: () => false,
    hasSay: (author, op) => {
      const number = graph.numberOf(author)
      if (number === undefined || !isMembershipRecord(op)) return false
      // Of an author that removed itself no other record counts, but epochs that were made at the same time do.
      const removedItself = standing.cutsOf(number).some(({ by }) => by === number)
      return standing.mayPrecedeRemoval(number) || (op.kind === 'epoch' && removedItself)
    },
  }
}

/** The epochs that took the right to write from a peer, where nothing gave it back. */
export function takenBy(cutoffs: readonly Cutoff[]): readonly IntentionId[] | undefined {
  const taking = cutoffs.filter(({ remains, readmissions }) => remains !== 'writer' && readmissions.length === 0)
  return taking.length === 0 ? undefined : taking.map(({ epoch }) => epoch)
}

function cutoffOf({ graph, standing }: Pick<Resolved, 'graph' | 'standing'>, cut: Cut): readonly Cutoff[] {
  const epoch = graph.records[cut.epoch]
  if (epoch === undefined) return []
  const least = cut.remains === 'writer' ? ADMIN_LEVEL : WRITER_LEVEL
  const readmissions: IntentionId[] = graph
    .grantsOf(cut.peer)
    .filter(({ at, level }) => level >= least && graph.pasts.follows(at, cut.epoch) && standing.lives(at))
    .flatMap(({ at }) => graph.records[at]?.id ?? [])
  return [{ epoch: epoch.id, remains: cut.remains, readmissions }]
}
