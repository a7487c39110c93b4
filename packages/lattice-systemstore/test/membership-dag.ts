/**
 * What the tests of the policy of membership share: histories written by hand or drawn at random, whose causal order is
 * known from the sets of causes alone.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { compareBytes, idKey, type IdKey, type IntentionId, type PublicKey, toIntentionId } from '@lattice/model'
import { system, weaver } from '@lattice/proto'
import type { MembershipHistory, MembershipRecord, Remains } from '@lattice/store-base'
import { keyOf } from './open-test-store.ts'

export const LEVEL = { none: 0, reader: 1, writer: 2, admin: 3 } as const
export type Word = keyof typeof LEVEL

/** A record and all its causes. */
export interface DagRecord extends MembershipRecord {
  readonly past: ReadonlySet<IdKey>
}

export interface EpochInit {
  readonly seq: number
  readonly acks?: readonly PublicKey[]
  /** What is left of whom; without any it is a prune, or what `cause` says. */
  readonly removals?: readonly (readonly [PublicKey, Remains])[]
  readonly cause?: 'initial' | 'prune' | 'key' | 'joinOfEpochs'
  /** What a prune is to delete below. */
  readonly below?: Uint8Array
  /** What is to be set aside, in this order: then it is for that. */
  readonly aside?: readonly Uint8Array[]
}

export interface Dag {
  readonly records: readonly DagRecord[]
  readonly genesis: DagRecord
  /** On top of `deps` and of all in their pasts; by default of everything. */
  readonly add: (author: PublicKey, op: MembershipRecord['op'], deps?: readonly DagRecord[]) => DagRecord
  /** Of all records, or of some. */
  readonly history: (records?: readonly DagRecord[]) => MembershipHistory
}

export function createDag(creator: PublicKey = keyOf(1)): Dag {
  const records: DagRecord[] = []
  let count = 0
  function add(author: PublicKey, op: MembershipRecord['op'], deps: readonly DagRecord[] = records): DagRecord {
    count += 1
    // Scattered, so that order by id says nothing of the order of making.
    const id = toIntentionId(
      Uint8Array.from({ length: 32 }, (_, at) => (at < 4 ? (count * 2654435761) >>> (8 * at) : count)),
    )
    const past = new Set<IdKey>()
    for (const dep of deps) {
      past.add(idKey(dep.id))
      for (const cause of dep.past) past.add(cause)
    }
    const generation = deps.reduce((most, dep) => Math.max(most, dep.generation + 1), 0)
    const record = { id, author, op, past, generation, timestamp: { wall: 1000 + count, counter: 0 } }
    records.push(record)
    return record
  }
  const genesis = add(creator, { kind: 'genesis', schema: 0, value: create(weaver.GenesisOpSchema) })
  return { records, genesis, add, history: (chosen = records) => historyOf(chosen) }
}

export function historyOf(records: readonly DagRecord[]): MembershipHistory {
  const byId = new Map(records.map((record) => [idKey(record.id), record]))
  return {
    records: records.toSorted((a, b) => a.generation - b.generation || compareBytes(a.id, b.id)),
    follows: (id: IntentionId, ancestor: IntentionId) => byId.get(idKey(id))?.past.has(idKey(ancestor)) ?? false,
  }
}

type SystemInit = Parameters<typeof create<typeof system.SystemOpSchema>>[1]

export function systemOp(init: SystemInit): MembershipRecord['op'] {
  return { kind: 'system', schema: 0, value: create(system.SystemOpSchema, init) }
}

export const peerInit = (peer: PublicKey, op: object): object => ({ op: { case: 'peer', value: { peer, op } } })
export const admitInit = (peer: PublicKey, role: Word, status = 2): object =>
  peerInit(peer, { case: 'admit', value: { status, role: LEVEL[role], addedAt: 1n } })

export const admitOp = (peer: PublicKey, role: Word = 'writer'): MembershipRecord['op'] =>
  systemOp(admitInit(peer, role))
export const inviteOp = (peer: PublicKey, role: Word = 'writer'): MembershipRecord['op'] =>
  systemOp(admitInit(peer, role, 1))
export const roleOp = (peer: PublicKey, role: Word): MembershipRecord['op'] =>
  systemOp(peerInit(peer, { case: 'setRole', value: LEVEL[role] }))
export const statusOp = (peer: PublicKey, status: 'active' | 'dormant'): MembershipRecord['op'] =>
  systemOp(peerInit(peer, { case: 'setStatus', value: status === 'active' ? 2 : 3 }))
export const batchOp = (...ops: readonly object[]): MembershipRecord['op'] =>
  systemOp({ op: { case: 'batch', value: { ops } } } as SystemInit)

/** Sorts what is sorted in an honest epoch. */
export function epochOp({ seq, acks = [], removals, cause = 'prune', below }: EpochInit): MembershipRecord['op'] {
  const taken = (removals ?? []).toSorted(([a], [b]) => compareBytes(a, b))
  return rawEpochOp({
    seq,
    acks: acks.toSorted(compareBytes),
    cause,
    ...(removals && { removals: taken }),
    ...(below && { below }),
  })
}

export function rawEpochOp(init: EpochInit): MembershipRecord['op'] {
  const { seq, acks = [], removals, cause = 'prune', below, aside } = init
  const taken = removals?.map(([peer, remains]) => ({ peer, remains: LEVEL[remains] }))
  const untaken =
    aside === undefined
      ? { case: cause, value: { ...(below && { below }) } }
      : { case: 'setAside' as const, value: { epochs: [...aside] } }
  const value = taken === undefined ? untaken : { case: 'membership' as const, value: { removals: taken } }
  const message = { seq: BigInt(seq), requiredAcks: [...acks], cause: { cause: value } }
  return {
    kind: 'epoch',
    schema: 0,
    value: create(weaver.EpochOpSchema, message as Parameters<typeof create<typeof weaver.EpochOpSchema>>[1]),
  }
}
