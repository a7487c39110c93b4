import { create } from '@bufbuild/protobuf'
import {
  compareBytes,
  equalBytes,
  idKey,
  type IntentionId,
  type PublicKey,
  type StoreId,
  toIntentionId,
  toStoreId,
} from '@lattice/model'
import { weaver } from '@lattice/proto'
import { type EpochFault, MAX_SET_ASIDE, type MembershipPolicy, type Removal } from '@lattice/store-base'
import { describe, expect, test } from 'vitest'
import { createInheritedMembershipPolicy, type ParentPeers } from '../src/index.ts'
import { createDag, type Dag, type DagRecord, epochOp, historyOf, rawEpochOp } from './membership-dag.ts'
import { keyOf } from './open-test-store.ts'

const [creator, anna, bert, cleo] = [1, 2, 3, 4].map(keyOf) as [PublicKey, PublicKey, PublicKey, PublicKey]
const parentId = toStoreId(new Uint8Array(32).fill(50))
const epochOf = (fill: number): IntentionId => toIntentionId(new Uint8Array(32).fill(fill))
const gone = (peer: PublicKey, remains: Removal['remains'] = 'none'): Removal => ({ peer, remains })

interface Options {
  readonly active?: readonly PublicKey[]
  readonly within?: ParentPeers['within']
}

/** The parent has removed, by each of its epochs; creator, anna and bert are its admins, in that order. */
function policyOf(
  removed: ReadonlyMap<string, readonly Removal[] | EpochFault>,
  { active = [creator, anna, bert, cleo], within }: Options = {},
): MembershipPolicy {
  const order = [creator, anna, bert]
  const rank = (peer: PublicKey): number => {
    const at = order.findIndex((each) => equalBytes(each, peer))
    return at === -1 ? Infinity : at
  }
  const peers: ParentPeers = {
    id: parentId,
    epoch: (epoch) => {
      const found = removed.get(idKey(epoch)) ?? 'parent_unknown'
      return typeof found === 'string' ? { fault: found } : { fault: undefined, removals: found }
    },
    within: (epochs) => within?.(epochs) ?? peers,
    active: () => active.toReversed(),
    wasAdmin: (peer) => rank(peer) < Infinity,
    // Its epochs have numbers, in the order in which they follow each other.
    isBefore: (epoch, other) => compareBytes(epoch, other) < 0,
    isAdmin: (peer) => rank(peer) < Infinity && active.some((each) => equalBytes(each, peer)),
    isSenior: (a, b) => rank(a) < rank(b),
    wasRemoved: (peer) =>
      [...removed.values()].some(
        (found) => typeof found !== 'string' && found.some((removal) => equalBytes(removal.peer, peer)),
      ),
  }
  return createInheritedMembershipPolicy(peers)
}

function follow(
  dag: Dag,
  author: PublicKey,
  {
    parent,
    seq,
    deps = dag.records,
    store = parentId,
  }: { parent: number; seq: number; deps?: readonly DagRecord[]; store?: StoreId },
): DagRecord {
  const cause = {
    case: 'parent' as const,
    value: create(weaver.ParentCauseSchema, { store, epoch: epochOf(parent) }),
  }
  const value = create(weaver.EpochOpSchema, { seq: BigInt(seq), cause: create(weaver.EpochCauseSchema, { cause }) })
  return dag.add(author, { kind: 'epoch', schema: 0, value }, deps)
}

const first = idKey(epochOf(1))
const second = idKey(epochOf(2))

describe('a store with inherited peers', () => {
  test('takes over what stands removed in the parent, once that is known', () => {
    const dag = createDag(creator)
    const epoch = follow(dag, anna, { parent: 1, seq: 0 })
    const before = policyOf(new Map()).resolve(dag.history())
    expect([before.faultOf(epoch.id), before.cutoffsOf(bert), before.limited()]).toEqual(['parent_unknown', [], []])
    const after = policyOf(new Map([[first, [gone(bert)]]])).resolve(dag.history())
    expect(after.faultOf(epoch.id)).toBeUndefined()
    expect(after.removalsOf(epoch.id)).toEqual([gone(bert)])
    expect(after.cutoffsOf(bert)).toEqual([{ epoch: epoch.id, remains: 'none', readmissions: [] }])
    expect(after.limited()).toEqual([bert])
    expect([after.isHeard(bert), after.isAdmin(anna), after.isSenior(anna, bert)]).toEqual([true, true, true])
    expect([creator, anna, bert].map((peer) => after.mayOutrank(peer, epoch.id))).toEqual([true, false, false])
    expect(after.active()).toEqual([creator, anna, bert, cleo])
  })

  test('is not held up by an epoch that names another store, what is no epoch, or one without effect', () => {
    const dag = createDag(creator)
    const start = [...dag.records]
    const foreign = toStoreId(new Uint8Array(32).fill(51))
    const epochs = [
      follow(dag, anna, { parent: 1, seq: 0, deps: start, store: foreign }),
      follow(dag, bert, { parent: 2, seq: 0, deps: start }),
      follow(dag, cleo, { parent: 3, seq: 0, deps: start }),
    ]
    const [, , last] = epochs
    // What has one without effect in its past counts all the same.
    const next = follow(dag, anna, { parent: 1, seq: 1, deps: [last ?? dag.genesis] })
    const view = policyOf(
      new Map<string, readonly Removal[] | EpochFault>([
        [first, [gone(bert)]],
        [second, 'seq_wrong'],
        [idKey(epochOf(3)), 'outranked'],
      ]),
    ).resolve(dag.history())
    expect([...epochs, next].map(({ id }) => view.faultOf(id))).toEqual([
      'not_entitled',
      'parent_void',
      'parent_void',
      undefined,
    ])
    expect(view.limited()).toEqual([bert])
  })

  test('of a past goes by what that names in the parent, whatever else is known there', () => {
    const dag = createDag(creator)
    const cut = follow(dag, anna, { parent: 1, seq: 0 })
    const back = follow(dag, anna, { parent: 2, seq: 1 })
    const asked: unknown[] = []
    const policy = policyOf(
      new Map<string, readonly Removal[] | EpochFault>([
        [first, 'outranked'],
        [second, []],
      ]),
      {
        within: (epochs) => {
          asked.push(epochs.map(idKey))
          return {
            id: parentId,
            epoch: () => ({ fault: undefined, removals: [gone(bert)] }),
            within: () => expect.fail('it is asked once'),
            active: () => [],
            wasAdmin: () => true,
            isAdmin: () => false,
            isBefore: () => true,
            isSenior: () => false,
            wasRemoved: () => false,
          }
        },
      },
    )
    expect(policy.resolve(dag.history()).faultOf(cut.id)).toBe('parent_void')
    const past = policy.resolvePast?.(historyOf([dag.genesis, cut]))
    expect([past?.faultOf(cut.id), past?.limited()]).toEqual([undefined, [bert]])
    policy.resolvePast?.(historyOf([dag.genesis, cut, back]))
    expect(asked).toEqual([[first], [first, second]])
  })

  test('lets who is back above follow that itself, and nothing but that', () => {
    const dag = createDag(creator)
    const cut = follow(dag, anna, { parent: 2, seq: 0 })
    const early = follow(dag, bert, { parent: 1, seq: 1 })
    const upon = dag.add(bert, epochOp({ seq: 2 }), [early])
    const own = follow(dag, bert, { parent: 3, seq: 1, deps: [cut] })
    const late = dag.add(bert, epochOp({ seq: 2 }), [own])
    const removed = new Map<string, readonly Removal[]>([
      [first, []],
      [second, [gone(bert)]],
      [idKey(epochOf(3)), []],
    ])
    const view = policyOf(removed).resolve(dag.history())
    // Before it was removed nothing was taken from it above either: naming that ends nothing.
    const faults = [early, upon, own, late].map(({ id }) => view.faultOf(id))
    expect(faults).toEqual(['outranked', 'outranked', undefined, undefined])
    expect(view.cutoffsOf(bert)).toEqual([{ epoch: cut.id, remains: 'none', readmissions: [own.id] }])
    expect([bert, anna, cleo].map(view.mayReturn)).toEqual([true, false, false])
    expect([early, own, late].map(({ op }) => view.hasSay(bert, op))).toEqual([false, true, false])
    expect(view.hasSay(anna, own.op)).toBe(false)
    const away = policyOf(removed, { active: [creator, anna] }).resolve(dag.history())
    // Who is away is no matter of what others hold.
    expect([away.mayReturn(bert), away.hasSay(bert, own.op)]).toEqual([false, true])
  })

  test('has nobody let back in by who names what was before it was removed', () => {
    const dag = createDag(creator)
    const cut = follow(dag, anna, { parent: 2, seq: 0 })
    const old = follow(dag, cleo, { parent: 1, seq: 1 })
    const removed = new Map([
      [first, []],
      [second, [gone(bert)]],
    ])
    const view = policyOf(removed).resolve(dag.history())
    expect(view.faultOf(old.id)).toBeUndefined()
    expect(view.cutoffsOf(bert)).toEqual([{ epoch: cut.id, remains: 'none', readmissions: [] }])
  })

  test('hears a peer again after an epoch that follows a parent where it is back', () => {
    const dag = createDag(creator)
    const cut = follow(dag, anna, { parent: 1, seq: 0 })
    const back = follow(dag, anna, { parent: 2, seq: 1 })
    const late = dag.add(bert, epochOp({ seq: 2 }))
    const removed = new Map([
      [first, [gone(bert)]],
      [second, []],
    ])
    const view = policyOf(removed).resolve(dag.history())
    expect(view.cutoffsOf(bert)).toEqual([{ epoch: cut.id, remains: 'none', readmissions: [back.id] }])
    expect(view.faultOf(late.id)).toBeUndefined()
    const without = historyOf(dag.records.filter((record) => record !== back && record !== late))
    expect(policyOf(removed).resolve(without).cutoffsOf(bert)).toMatchObject([{ readmissions: [] }])
  })

  test('leaves what the parent leaves to who was removed, admitted again, and demoted', () => {
    const dag = createDag(creator)
    const cut = follow(dag, anna, { parent: 1, seq: 0 })
    const demoted = follow(dag, anna, { parent: 2, seq: 1 })
    const policy = policyOf(
      new Map([
        [first, [gone(bert)]],
        [second, [gone(bert, 'reader')]],
      ]),
    )
    expect(policy.resolve(dag.history()).cutoffsOf(bert)).toEqual([
      { epoch: cut.id, remains: 'none', readmissions: [demoted.id] },
      { epoch: demoted.id, remains: 'reader', readmissions: [] },
    ])
    // It has nothing to say for all that.
    const his = follow(dag, bert, { parent: 2, seq: 2 })
    expect(policy.resolve(dag.history()).faultOf(his.id)).toBe('outranked')
  })

  test('lets no epoch count of who is cut, at the same time or after', () => {
    const dag = createDag(creator)
    const start = [...dag.records]
    const cut = follow(dag, anna, { parent: 1, seq: 0, deps: start })
    const late = [dag.add(bert, epochOp({ seq: 0 }), start), dag.add(bert, epochOp({ seq: 1 }), [cut])]
    const view = policyOf(new Map([[first, [gone(bert)]]])).resolve(dag.history())
    expect([cut, ...late].map(({ id }) => view.faultOf(id))).toEqual([undefined, 'outranked', 'outranked'])
  })

  test('lets no epoch count of a removed admin, whoever followed the parent for it', () => {
    const dag = createDag(creator)
    const start = [...dag.records]
    const cut = follow(dag, cleo, { parent: 1, seq: 0, deps: start })
    const late = [
      dag.add(anna, epochOp({ seq: 0 }), start),
      dag.add(anna, epochOp({ seq: 1 }), [cut]),
      follow(dag, anna, { parent: 2, seq: 0, deps: start }),
    ]
    const removed = new Map([
      [first, [gone(anna)]],
      [second, [gone(bert)]],
    ])
    const view = policyOf(removed).resolve(dag.history())
    expect([cut, ...late].map(({ id }) => view.faultOf(id))).toEqual([undefined, 'outranked', 'outranked', 'outranked'])
    expect(view.limited()).toEqual([anna])
    // Of two that remove each other the senior's counts, and only one does.
    const other = createDag(creator)
    const annas = follow(other, anna, { parent: 2, seq: 0, deps: [other.genesis] })
    const berts = follow(other, bert, { parent: 1, seq: 0, deps: [other.genesis] })
    const mutual = policyOf(removed).resolve(other.history())
    expect([annas, berts].map(({ id }) => mutual.faultOf(id))).toEqual([undefined, 'outranked'])
  })

  test('removes nobody itself, and takes no epoch that is malformed or by who may not', () => {
    const dag = createDag(creator)
    const start = [...dag.records]
    const add = (author: PublicKey, init: Parameters<typeof epochOp>[0]): DagRecord =>
      dag.add(author, epochOp(init), start)
    const epochs = [
      add(creator, { seq: 0, removals: [[bert, 'none']] }),
      add(cleo, { seq: 0 }),
      add(cleo, { seq: 0, cause: 'joinOfEpochs' }),
      add(creator, { seq: 3 }),
      add(creator, { seq: 0, acks: [creator] }),
      add(creator, { seq: 0, acks: [anna, anna] }),
      add(creator, { seq: 0, removals: [] }),
      add(creator, { seq: 0, acks: [anna] }),
      add(creator, { seq: 0, below: dag.genesis.id }),
    ]
    const on = dag.records.at(-2) ?? dag.genesis
    epochs.push(dag.add(creator, epochOp({ seq: 1, below: on.id }), [on]))
    const view = policyOf(new Map()).resolve(dag.history())
    expect(epochs.map(({ id }) => view.faultOf(id))).toEqual([
      'not_entitled',
      // Cleo may turn out to have been an admin of the parent.
      'admin_unknown',
      'not_entitled',
      'seq_wrong',
      'required_acks_wrong',
      'required_acks_wrong',
      'removals_malformed',
      undefined,
      'below_wrong',
      undefined,
    ])
  })

  test('has an admin set aside what names an epoch that never comes, and never comes to depend on that', () => {
    const dag = createDag(creator)
    const lost = follow(dag, cleo, { parent: 9, seq: 0 })
    const aside = dag.add(anna, rawEpochOp({ seq: 1, aside: [lost.id] }))
    const again = follow(dag, creator, { parent: 1, seq: 2 })
    const ninth = idKey(epochOf(9))
    for (const named of [undefined, 'outranked' as const, [gone(bert)]]) {
      const removed = new Map<string, readonly Removal[] | EpochFault>([[first, [gone(bert)]]])
      if (named !== undefined) removed.set(ninth, named)
      const view = policyOf(removed).resolve(dag.history())
      expect([lost, aside, again].map(({ id }) => view.faultOf(id))).toEqual(['set_aside', undefined, undefined])
      expect(view.removalsOf(lost.id)).toEqual([])
      expect(view.cutoffsOf(bert)).toMatchObject([{ epoch: again.id }])
    }
    const before = policyOf(new Map()).resolve(historyOf(dag.records.filter((record) => record !== aside)))
    expect(before.faultOf(lost.id)).toBe('parent_unknown')
  })

  test('has nobody set aside what removes it, whatever somebody else set aside', () => {
    const dag = createDag(creator)
    const removed = new Map([[first, [gone(anna)]]])
    const cut = follow(dag, cleo, { parent: 1, seq: 0 })
    const lost = follow(dag, cleo, { parent: 9, seq: 1 })
    const own = dag.add(anna, rawEpochOp({ seq: 2, aside: [cut.id, lost.id].toSorted(compareBytes) }), [cut, lost])
    const view = policyOf(removed).resolve(dag.history())
    expect([cut, lost, own].map(({ id }) => view.faultOf(id))).toEqual([undefined, 'parent_unknown', 'outranked'])
    // While nothing is known of that removal it has: who knows no more than this cannot tell.
    const unaware = policyOf(new Map()).resolve(dag.history())
    expect([cut, lost, own].map(({ id }) => unaware.faultOf(id))).toEqual(['set_aside', 'set_aside', undefined])
    const others = dag.add(creator, rawEpochOp({ seq: 2, aside: [cut.id] }), [cut, lost])
    const after = policyOf(removed).resolve(dag.history())
    expect([cut, lost, others].map(({ id }) => after.faultOf(id))).toEqual(['set_aside', 'parent_unknown', undefined])
  })

  test('takes no epoch for one that sets aside by who may not, or what does not follow the parent', () => {
    const dag = createDag(creator)
    const lost = follow(dag, cleo, { parent: 9, seq: 0 })
    const prune = dag.add(creator, epochOp({ seq: 1 }), [lost])
    const beside = follow(dag, cleo, { parent: 8, seq: 0, deps: [dag.genesis] })
    const made = (author: PublicKey, aside: readonly Uint8Array[]): DagRecord =>
      dag.add(author, rawEpochOp({ seq: 2, aside }), [prune])
    const [low, high] = [lost.id, beside.id].toSorted(compareBytes)
    const many = Array.from({ length: MAX_SET_ASIDE + 1 }, (_, at) =>
      Uint8Array.from({ length: 32 }, (__, byte) => (byte === 0 ? at : 1)),
    )
    const epochs = [
      made(cleo, [lost.id]),
      made(creator, [prune.id]),
      made(creator, [beside.id]),
      made(creator, [dag.genesis.id]),
      made(creator, []),
      made(creator, [lost.id, lost.id]),
      made(creator, [high ?? lost.id, low ?? lost.id]),
      made(creator, [lost.id.subarray(1)]),
      made(creator, many),
    ]
    const view = policyOf(new Map()).resolve(dag.history())
    expect(epochs.map(({ id }) => view.faultOf(id))).toEqual([
      'admin_unknown',
      'aside_wrong',
      'aside_wrong',
      'aside_wrong',
      ...Array.from({ length: 5 }, () => 'removals_malformed'),
    ])
    expect(view.faultOf(lost.id)).toBe('parent_unknown')
  })

  test('permits by what the parent says', () => {
    const dag = createDag(creator)
    const policy = policyOf(new Map([[first, [gone(bert)]]]))
    const ask = (author: PublicKey, wish: Parameters<MembershipPolicy['permit']>[2]): unknown => {
      const answer = policy.permit(dag.history(), author, wish)
      return answer.kind === 'allowed' ? answer.requiredAcks : answer.code
    }
    const parent = (fill: number) => ({ kind: 'parent', store: parentId, epoch: epochOf(fill) }) as const
    expect(ask(cleo, parent(1))).toEqual([creator, anna])
    expect(ask(cleo, parent(3))).toBe('peer_unknown')
    expect(ask(keyOf(9), parent(1))).toBe('not_a_peer')
    expect(ask(anna, { kind: 'prune' })).toEqual([creator, bert, cleo])
    expect(ask(cleo, { kind: 'prune' })).toBe('not_admin')
    expect(ask(anna, { kind: 'prune', below: dag.genesis.id })).toBe('below_unknown')
    expect(ask(creator, { kind: 'membership', removals: [gone(bert)] })).toBe('not_admin')
    expect(ask(cleo, { kind: 'join_of_epochs' })).toBe('nothing_to_join')
    const start = [...dag.records]
    expect(ask(anna, { kind: 'set_aside', epochs: [dag.genesis.id] })).toBe('aside_unknown')
    const lost = follow(dag, anna, { parent: 9, seq: 0, deps: start })
    expect(ask(anna, { kind: 'set_aside', epochs: [lost.id] })).toEqual([creator, bert, cleo])
    expect(ask(anna, { kind: 'set_aside', epochs: [] })).toBe('aside_unknown')
    expect(ask(cleo, { kind: 'set_aside', epochs: [lost.id] })).toBe('not_admin')
    follow(dag, anna, { parent: 1, seq: 0, deps: start })
    follow(dag, creator, { parent: 1, seq: 0, deps: start })
    expect(ask(cleo, { kind: 'join_of_epochs' })).toEqual([creator, anna, bert])
  })
})
