/**
 * Who may have been given what by whom: the grants of a history and what each of them rests on.
 *
 * A grant rests on those that made its author an ADMIN, and so on down to the genesis. What does not come down to it counts
 * in no view, so junk ends here, at one look for each. What does is possible: it counts in the views in which nothing cuts it.
 *
 * @module
 */
import { assert, compareBytes, equalBytes, type IdKey, idKey, type PublicKey } from '@lattice/model'
import type { MembershipHistory, MembershipRecord, Remains } from '@lattice/store-base'
import type { PeerStatus } from '../values.ts'
import { createPasts, type Pasts } from './pasts.ts'
import { type EpochClaim, levelOf, type PeerChange, type RecordMeaning, type RoleCondition } from './records.ts'

export const READER_LEVEL: number = levelOf('reader')
export const WRITER_LEVEL: number = levelOf('writer')
export const ADMIN_LEVEL: number = levelOf('admin')

/** A role that one record gives to one peer. Records are named by their place, peers by their number. */
export interface Grant {
  readonly at: number
  readonly peer: number
  readonly level: number
  /** Who gave it. */
  readonly by: number
  /** True when it needs no role that the peer has already: an admission. */
  readonly isFirst: boolean
}

/** A role that is looked for, among the grants to the peer that are in the past of who looks. */
export interface Sought {
  readonly least: number
  readonly from: readonly Grant[]
}

/** A record that gives roles, and what it rests on. */
export interface ChangeNode {
  readonly at: number
  readonly author: number
  /** What made its author an ADMIN; of the genesis nothing. */
  readonly supports: readonly Grant[]
  readonly needs: readonly Sought[]
  readonly bars: readonly Sought[]
  /** Places of all that it has to do with, each below its own. */
  readonly restsOn: readonly number[]
}

/** What an epoch takes from one peer. */
export interface Cut {
  readonly epoch: number
  /** The author of the epoch. */
  readonly by: number
  readonly peer: number
  readonly remains: Remains
  /** The level that is left. */
  readonly level: number
}

export interface EpochNode {
  readonly at: number
  readonly author: number
  readonly claim: EpochClaim
  /** What made its author a WRITER or an ADMIN. */
  readonly supports: readonly Grant[]
  readonly cuts: readonly Cut[]
}

/** A value of a peer's status. */
export interface StatusWrite {
  readonly at: number
  readonly status: PeerStatus
}

export interface MembershipGraph {
  readonly records: readonly MembershipRecord[]
  readonly pasts: Pasts
  /** The number of a peer; undefined for one that no record is about. */
  readonly numberOf: (peer: PublicKey) => number | undefined
  readonly peerOf: (peer: number) => PublicKey
  /** The numbers of all peers, ascending by key. */
  readonly peersInOrder: () => readonly number[]
  readonly change: (at: number) => ChangeNode | undefined
  /** All in order of place. */
  readonly grants: readonly Grant[]
  readonly grantsOf: (peer: number) => readonly Grant[]
  readonly statusesOf: (peer: number) => readonly StatusWrite[]
  /** Those whose author may have been a WRITER, in order of place. */
  readonly epochs: readonly EpochNode[]
  /** Places of those that are malformed, or by nobody who could be heard. */
  readonly hopeless: ReadonlyMap<number, 'removals_malformed' | 'not_entitled'>
}

/** `records` in order, `meanings` of each. */
export function createGrantsGraph(history: MembershipHistory, meanings: readonly RecordMeaning[]): MembershipGraph {
  const { records } = history
  const pasts = createPasts(history)
  const { intern, ...numbering } = createNumbering()
  const book = createGrantBook(pasts)
  const changes = new Map<number, ChangeNode>()
  const statuses = new Map<number, StatusWrite[]>()
  const epochs: EpochNode[] = []
  const hopeless = new Map<number, 'removals_malformed' | 'not_entitled'>()

  function seek(at: number, { peer, least }: RoleCondition): Sought {
    const number = numbering.numberOf(peer)
    return { least: levelOf(least), from: number === undefined ? [] : book.held(at, number, 0) }
  }
  /** What is needed of a peer is that it is admitted or announced; and where a change of its role counts, an admission does. */
  function need(at: number, condition: RoleCondition): Sought {
    const { least, from } = seek(at, condition)
    return { least, from: from.filter(({ isFirst }) => isFirst) }
  }
  function addGenesis(at: number, author: number): void {
    changes.set(at, { at, author, supports: [], needs: [], bars: [], restsOn: [] })
    pasts.add(at, author)
    book.keep({ at, peer: author, level: ADMIN_LEVEL, by: author, isFirst: true })
    listOf(statuses, author).push({ at, status: 'active' })
  }
  function addChange(at: number, author: number, change: PeerChange): void {
    const supports = book.held(at, author, ADMIN_LEVEL)
    if (supports.length === 0) return
    const needs = change.needs.map((condition) => need(at, condition))
    const bars = change.bars.map((condition) => seek(at, condition))
    const sought = [...needs, ...bars].flatMap(({ from }) => from)
    const restsOn = [...new Set([...supports, ...sought].map((grant) => grant.at))]
    const node = { at, author, supports, needs, bars, restsOn }
    changes.set(at, node)
    pasts.add(at, author)
    for (const { peer, role } of change.grants) {
      const isFirst = !change.needs.some((condition) => equalBytes(condition.peer, peer))
      const grant = { at, peer: intern(peer), level: levelOf(role), by: author, isFirst }
      // In a batch it rests on what is said of others, too.
      if (change.grants.length > 1 && grant.peer !== author) book.keep(grant)
      else book.add(grant, node)
    }
    for (const { peer, status } of change.statuses) listOf(statuses, intern(peer)).push({ at, status })
  }
  function addEpoch(at: number, author: number, claim: EpochClaim): void {
    const supports = book.held(at, author, WRITER_LEVEL)
    if (supports.length === 0) return void hopeless.set(at, 'not_entitled')
    const cuts = claim.removals.map(({ peer, remains }): Cut => {
      return { epoch: at, by: author, peer: intern(peer), remains, level: levelOf(remains) }
    })
    epochs.push({ at, author, claim, supports, cuts })
    pasts.add(at, author)
    for (const { peer } of cuts) book.addCut(peer, at)
  }

  for (const [at, { author }] of records.entries()) {
    const meaning = meanings[at]
    if (meaning?.kind === 'genesis' && at === 0) addGenesis(at, intern(author))
    if (meaning?.kind === 'change') addChange(at, intern(author), meaning)
    if (meaning?.kind === 'epoch') addEpoch(at, intern(author), meaning)
    if (meaning?.kind === 'malformed_epoch') hopeless.set(at, 'removals_malformed')
  }
  return {
    records,
    pasts,
    ...numbering,
    change: (at) => changes.get(at),
    grants: book.grants,
    grantsOf: book.of,
    statusesOf: (peer) => statuses.get(peer) ?? [],
    epochs,
    hopeless,
  }
}

interface Numbering extends Pick<MembershipGraph, 'numberOf' | 'peerOf' | 'peersInOrder'> {
  readonly intern: (peer: PublicKey) => number
}

function createNumbering(): Numbering {
  const numbers = new Map<IdKey, number>()
  const peers: PublicKey[] = []
  let inOrder: readonly number[] | undefined
  return {
    intern: (peer) => {
      const key = idKey(peer)
      const number = numbers.get(key) ?? peers.push(peer) - 1
      numbers.set(key, number)
      return number
    },
    numberOf: (peer) => numbers.get(idKey(peer)),
    peerOf: (number) => {
      const peer = peers[number]
      assert(peer !== undefined, 'a number is that of a peer')
      return peer
    },
    peersInOrder: () => (inOrder ??= [...peers.entries()].toSorted(byKey).map(([number]) => number)),
  }
}

interface GrantBook {
  readonly grants: readonly Grant[]
  readonly of: (peer: number) => readonly Grant[]
  /** Of a peer, of a level at least, in the past of `at`. */
  readonly held: (at: number, peer: number, least: number) => readonly Grant[]
  readonly keep: (grant: Grant) => void
  /** Keeps what may give something that is not given already. */
  readonly add: (grant: Grant, node: ChangeNode) => void
  /** Says that an epoch may cut a peer. */
  readonly addCut: (peer: number, epoch: number) => void
}

function createGrantBook({ follows }: Pasts): GrantBook {
  const grants: Grant[] = []
  const byPeer = new Map<number, Grant[]>()
  const latest = new Map<string, { readonly grant: Grant; readonly node: ChangeNode }>()
  const cutters = new Map<number, number[]>()

  function keep(grant: Grant): void {
    grants.push(grant)
    listOf(byPeer, grant.peer).push(grant)
  }
  /** True when an epoch between two records may have cut one of the two peers. */
  function isCutBetween(at: number, before: number, parties: readonly number[]): boolean {
    return parties.some((peer) =>
      (cutters.get(peer) ?? []).some((epoch) => follows(at, epoch) && !follows(before, epoch)),
    )
  }
  /** Saying again what was said gives nothing, as long as all that it rests on is the same. */
  function add(grant: Grant, node: ChangeNode): void {
    // A grant to oneself rests on what one has.
    if (grant.peer === node.author) return
    const parties = [grant.peer, node.author]
    const name = `${grant.peer}/${node.author}/${grant.level}/${grant.isFirst}`
    const last = latest.get(name)
    // What the peer itself made of its author gives nothing to the peer: it rests on what the peer had.
    const isNews = (support: Grant): boolean => support.by !== grant.peer || isCutBetween(grant.at, support.at, parties)
    const repeats =
      last !== undefined &&
      follows(grant.at, last.grant.at) &&
      restOnSame(last.node, node, isNews) &&
      !isCutBetween(grant.at, last.grant.at, parties)
    if (repeats) return
    latest.set(name, { grant, node })
    keep(grant)
  }
  return {
    grants,
    of: (peer) => byPeer.get(peer) ?? [],
    held: (at, peer, least) =>
      (byPeer.get(peer) ?? []).filter((grant) => grant.level >= least && follows(at, grant.at)),
    keep,
    add,
    addCut: (peer, epoch) => void listOf(cutters, peer).push(epoch),
  }
}

/**
 * True when the later of two equal grants of one author counts only where the earlier does, or what is stronger. What bars
 * the earlier bars the later, and the later may need the earlier itself.
 */
function restOnSame(earlier: ChangeNode, later: ChangeNode, isNews: (support: Grant) => boolean): boolean {
  const hasSameNeeds =
    earlier.needs.length === later.needs.length &&
    earlier.needs.every(({ from }, place) => {
      const others = later.needs[place]?.from.filter(({ at }) => at !== earlier.at)
      return isSameList(from, others ?? [])
    })
  return hasSameNeeds && later.supports.every((support) => earlier.supports.includes(support) || !isNews(support))
}

function byKey([, one]: readonly [number, PublicKey], [, other]: readonly [number, PublicKey]): number {
  return compareBytes(one, other)
}

function isSameList(one: readonly Grant[], other: readonly Grant[]): boolean {
  return one.length === other.length && one.every((grant, place) => grant === other[place])
}

/** What is listed under a key, to be added to. */
export function listOf<Key, Item>(lists: Map<Key, Item[]>, key: Key): Item[] {
  const found = lists.get(key)
  if (found !== undefined) return found
  const list: Item[] = []
  lists.set(key, list)
  return list
}
