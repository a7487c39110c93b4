/**
 * Whether an epoch is valid: a matter of its own past, so it is decided once and for ever.
 *
 * @module
 */
import { equalBytes, type IdKey, idKey, type PublicKey } from '@lattice/model'
import type { EpochFault, MembershipRecord } from '@lattice/store-base'
import { ADMIN_LEVEL, type EpochNode, type Grant, type MembershipGraph, WRITER_LEVEL } from './grants-graph.ts'
import { type PeerStates, readPeerStates } from './peer-states.ts'
import { decideStanding, neededLevel, type Standing, type ValidEpoch, withChances } from './standing.ts'

/** What is wrong with an epoch, or which records gave its author the right to it: the same that others hold as well. */
type Verdict =
  | { readonly kind: 'fault'; readonly fault: EpochFault }
  | { readonly kind: 'valid'; readonly upheldBy: ReadonlySet<IdKey> }

/** Remembers verdicts for as long as the records are held. */
export type Verdicts = WeakMap<MembershipRecord, Verdict>

/** What is wrong with an epoch by itself; undefined for a valid one. Each is asked for once, in order of place. */
export function createEpochJudge(
  graph: MembershipGraph,
  verdicts: Verdicts,
): { readonly judge: (epoch: EpochNode) => EpochFault | undefined; readonly valid: readonly ValidEpoch[] } {
  const valid: ValidEpoch[] = []

  function workOut(epoch: EpochNode): Verdict {
    const within = graph.pasts.within(epoch.at)
    const has = (at: number): boolean => within[at] === 1
    const before = valid.filter(({ at }) => has(at))
    const needed = neededLevel(epoch)
    if (!epoch.supports.some(({ level }) => level >= needed)) return failed('not_entitled')
    const standing = decideStanding({ graph, has, epochs: before, rankAll: false })
    const states = readPeerStates(graph, has, standing)
    if (!isEntitled(graph, epoch, { standing, states })) return failed('not_entitled')
    if (epoch.claim.seq !== nextSeq(before)) return failed('seq_wrong')
    if (!hasBelow(graph, epoch, before)) return failed('below_wrong')
    const required = requiredAcks(graph, { author: epoch.author, cuts: epoch.cuts, states })
    if (!isSameKeys(epoch.claim.requiredAcks, required)) return failed('required_acks_wrong')
    const upholding = epoch.supports.filter((grant) => standing.lives(grant.at) && standing.levelLeft(grant) >= needed)
    return { kind: 'valid', upheldBy: new Set(upholding.flatMap((grant) => keyOf(grant) ?? [])) }
  }
  function keyOf({ at }: Grant): IdKey | undefined {
    const record = graph.records[at]
    return record && idKey(record.id)
  }
  return {
    valid,
    judge: (epoch) => {
      const record = graph.records[epoch.at]
      const verdict = (record && verdicts.get(record)) ?? workOut(epoch)
      if (record !== undefined) verdicts.set(record, verdict)
      if (verdict.kind === 'fault') return verdict.fault
      const { upheldBy } = verdict
      const upholding = epoch.supports.filter((grant) => {
        const key = keyOf(grant)
        return key !== undefined && upheldBy.has(key)
      })
      valid.push(withChances(graph, epoch, { upholding, before: valid }))
      return undefined
    },
  }
}

function failed(fault: EpochFault): Verdict {
  return { kind: 'fault', fault }
}

function isEntitled(
  graph: MembershipGraph,
  { author, claim, cuts }: EpochNode,
  { standing, states }: { readonly standing: Standing; readonly states: PeerStates },
): boolean {
  const level = states.levelOf(author) ?? 0
  switch (claim.cause) {
    case 'membership':
      if (cuts.every(({ peer }) => peer === author)) return level >= WRITER_LEVEL
      return level >= ADMIN_LEVEL && states.isActive(author)
    case 'initial':
    case 'prune':
    case 'key':
      return level >= ADMIN_LEVEL && states.isActive(author)
    case 'joinOfEpochs':
      return states.isActive(author) && hasSeveralHeads(graph, standing.standing)
    case 'parent':
    case 'setAside':
      // Peers are the store's own: there is no parent to follow.
      return false
  }
}

/** True when of the epochs that stand two at least are in the past of none. */
export function hasSeveralHeads(graph: MembershipGraph, standing: readonly EpochNode[]): boolean {
  const [last, ...rest] = standing.toSorted((one, other) => other.at - one.at)
  // What comes last is in no other's past, and what it does not follow is, or is below, another head.
  return last !== undefined && rest.some(({ at }) => !graph.pasts.follows(last.at, at))
}

/** What a prune is to delete lies below an epoch in its past, if not below itself. */
function hasBelow(
  { records }: MembershipGraph,
  { claim: { below } }: EpochNode,
  before: readonly EpochNode[],
): boolean {
  if (below === undefined) return true
  return before.some(({ at }) => {
    const record = records[at]
    return record !== undefined && equalBytes(record.id, below)
  })
}

function nextSeq(before: readonly EpochNode[]): bigint {
  return before.reduce((next, { claim }) => (claim.seq >= next ? claim.seq + 1n : next), 0n)
}

/** Who has to acknowledge an epoch: all that are active after what it takes away, but its author. Ascending by key. */
export function requiredAcks(
  graph: MembershipGraph,
  {
    author,
    cuts,
    states,
  }: {
    readonly author: number | undefined
    readonly cuts: readonly { readonly peer: number; readonly level: number }[]
    readonly states: Pick<PeerStates, 'active'>
  },
): readonly PublicKey[] {
  const out = new Set(cuts.filter(({ level }) => level < WRITER_LEVEL).map(({ peer }) => peer))
  if (author !== undefined) out.add(author)
  return states.active().filter((peer) => !out.has(graph.numberOf(peer) ?? -1))
}

function isSameKeys(one: readonly Uint8Array[], other: readonly Uint8Array[]): boolean {
  return one.length === other.length && one.every((key, place) => equalBytes(key, other[place] ?? new Uint8Array()))
}
