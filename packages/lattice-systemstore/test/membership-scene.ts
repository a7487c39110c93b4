/**
 * A store with admins, whose peers make epochs as honest ones do.
 *
 * @module
 */
import { compareBytes, idKey, type PublicKey } from '@lattice/model'
import type { EpochFault, MembershipView, Remains } from '@lattice/store-base'
import { createMembershipPolicy } from '../src/index.ts'
import { admitOp, createDag, type Dag, type DagRecord, epochOp, historyOf } from './membership-dag.ts'
import { keyOf } from './open-test-store.ts'

export const creator: PublicKey = keyOf(1)
export const anna: PublicKey = keyOf(2)
export const bert: PublicKey = keyOf(3)
export const cleo: PublicKey = keyOf(4)
export const dora: PublicKey = keyOf(5)

export interface Scene extends Dag {
  /** An epoch as its author makes it on top of `deps`: with the seq and the acks that are right there. */
  readonly revoke: (
    author: PublicKey,
    peer: PublicKey,
    options?: { deps?: readonly DagRecord[]; remains?: Remains },
  ) => DagRecord
  readonly epoch: (
    author: PublicKey,
    cause: 'prune' | 'initial' | 'joinOfEpochs',
    deps?: readonly DagRecord[],
  ) => DagRecord
  readonly view: () => MembershipView
  readonly fault: (epoch: DagRecord) => EpochFault | undefined
}

/** The creator, and after it admins in this order. */
export function sceneOf(...admins: readonly PublicKey[]): Scene {
  const dag = createDag(creator)
  const policy = createMembershipPolicy()
  for (const peer of admins) dag.add(creator, admitOp(peer, 'admin'))
  const seen = (deps: readonly DagRecord[]): readonly DagRecord[] => {
    const past = new Set(deps.flatMap((dep) => [idKey(dep.id), ...dep.past]))
    return dag.records.filter(({ id }) => past.has(idKey(id)))
  }
  const view = (): MembershipView => createMembershipPolicy().resolve(dag.history())
  const make = (
    author: PublicKey,
    deps: readonly DagRecord[],
    removals?: readonly (readonly [PublicKey, Remains])[],
  ) => {
    const past = seen(deps)
    const here = policy.resolve(historyOf(past))
    const seqs = past.flatMap(({ id, op }) =>
      op.kind === 'epoch' && [undefined, 'outranked'].includes(here.faultOf(id)) ? [Number(op.value.seq)] : [],
    )
    const out = removals?.filter(([, remains]) => remains !== 'writer').map(([peer]) => idKey(peer)) ?? []
    const acks = here.active().filter((peer) => idKey(peer) !== idKey(author) && !out.includes(idKey(peer)))
    return { seq: Math.max(-1, ...seqs) + 1, acks }
  }
  return {
    ...dag,
    revoke: (author, peer, { deps = dag.records, remains = 'none' } = {}) => {
      const removals = [[peer, remains]] as const
      return dag.add(author, epochOp({ ...make(author, deps, removals), removals }), deps)
    },
    epoch: (author, cause, deps = dag.records) => dag.add(author, epochOp({ ...make(author, deps), cause }), deps),
    view,
    fault: (epoch) => view().faultOf(epoch.id),
  }
}

export const sorted = (...peers: readonly PublicKey[]): readonly PublicKey[] => peers.toSorted(compareBytes)
