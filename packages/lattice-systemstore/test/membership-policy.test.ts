import { type IntentionId, type PublicKey, toPublicKey } from '@lattice/model'
import type { MembershipPolicy, Remains } from '@lattice/store-base'
import { describe, expect, expectTypeOf, test } from 'vitest'
import {
  admitInit,
  admitOp,
  batchOp,
  createDag,
  type DagRecord,
  epochOp,
  historyOf,
  inviteOp,
  rawEpochOp,
  roleOp,
  statusOp,
  systemOp,
} from './membership-dag.ts'
import { createMembershipPolicy } from '../src/index.ts'
import { anna, bert, cleo, creator, dora, sceneOf, sorted } from './membership-scene.ts'
import { keyOf } from './open-test-store.ts'

describe('a record of membership', () => {
  test('is told by its bytes, well-formed or not', () => {
    const { isRecord } = createMembershipPolicy()
    const { genesis } = createDag()
    const name = (peer: PublicKey): object => ({
      op: { case: 'peer', value: { peer, op: { case: 'setName', value: 'a' } } },
    })
    expect(
      [genesis.op, admitOp(anna), roleOp(anna, 'admin'), statusOp(anna, 'dormant'), inviteOp(anna)].every(isRecord),
    ).toBe(true)
    expect(
      [
        batchOp(name(anna), admitInit(anna, 'writer')),
        epochOp({ seq: 0 }),
        admitOp(toPublicKey(new Uint8Array(32))),
      ].every(isRecord),
    ).toBe(true)
    expect(
      [systemOp(name(anna)), batchOp(name(anna)), batchOp(), systemOp({}), { kind: 'unknown' } as const].some(isRecord),
    ).toBe(false)
  })
})

describe('an epoch', () => {
  test('counts when its seq, its acks and its author are right, and counts in view of its past alone', () => {
    const scene = sceneOf(anna)
    const first = scene.epoch(creator, 'initial')
    scene.add(creator, admitOp(bert))
    const second = scene.revoke(anna, bert)
    expect([first, second].map(scene.fault)).toEqual([undefined, undefined])
    expect(scene.view().removalsOf(second.id)).toEqual([{ peer: bert, remains: 'none' }])
    expect(scene.view().removalsOf(first.id)).toEqual([])
    expect(scene.view().active()).toEqual(sorted(creator, anna))
  })

  test('with a wrong seq has no effect, and is not counted by those that follow', () => {
    const scene = sceneOf(anna, bert)
    const forged = [1, 7].map((seq) =>
      scene.add(creator, epochOp({ seq, acks: [anna], removals: [[bert, 'none']] }), scene.records.slice(0, 3)),
    )
    const after = scene.epoch(creator, 'prune')
    expect(forged.map(scene.fault)).toEqual(['seq_wrong', 'seq_wrong'])
    expect(scene.fault(after)).toBeUndefined()
    expect(scene.view().active()).toEqual(sorted(creator, anna, bert))
    expect(scene.view().cutoffsOf(bert)).toEqual([])
  })

  test.each([
    ['missing', [bert]],
    ['unsorted', [bert, anna]],
    ['said twice', [anna, anna, bert]],
    ['its author’s own', [creator, anna, bert]],
    ['of nobody', [anna, bert, keyOf(9)]],
    ['of the one that goes', [anna, bert, cleo]],
    ['short', [anna, bert.slice(1) as PublicKey]],
  ])('whose acks are wrong has no effect: %s', (_name, acks) => {
    const scene = sceneOf(anna, bert, cleo)
    const removals = [[cleo, 'none']] as const
    const deps = [...scene.records]
    const wrong = scene.add(creator, rawEpochOp({ seq: 0, acks, removals }), deps)
    const right = scene.add(creator, rawEpochOp({ seq: 0, acks: [anna, bert], removals }), deps)
    expect([wrong, right].map(scene.fault)).toEqual(['required_acks_wrong', undefined])
  })

  test('prunes below an epoch of its past, or below itself, and otherwise has no effect', () => {
    const scene = sceneOf(anna)
    const first = scene.epoch(creator, 'initial')
    const start = [...scene.records]
    const none = scene.add(anna, epochOp({ seq: 5, acks: [creator] }), start)
    const beside = scene.add(anna, epochOp({ seq: 1, acks: [creator] }), start)
    const add = (below: Uint8Array, deps = [...start, none]): DagRecord =>
      scene.add(creator, epochOp({ seq: 1, acks: [anna], below }), deps)
    const good = [add(first.id), scene.add(creator, epochOp({ seq: 1, acks: [anna] }), start)]
    const bad = [add(beside.id), add(none.id), add(scene.genesis.id), add(new Uint8Array(32)), add(new Uint8Array(5))]
    expect(good.map(scene.fault)).toEqual([undefined, undefined])
    const wrong = Array.from({ length: 4 }, () => 'below_wrong')
    expect(bad.map(scene.fault)).toEqual([...wrong, 'removals_malformed'])
    const policy = createMembershipPolicy()
    const ask = (below: IntentionId) => policy.permit(scene.history(), creator, { kind: 'prune', below }).kind
    expect([ask(first.id), ask(none.id), ask(scene.genesis.id)]).toEqual(['allowed', 'refused', 'refused'])
  })

  test('asks no ack of who is away or reads only, and again of who is back', () => {
    const scene = sceneOf(anna)
    scene.add(creator, admitOp(bert, 'writer'))
    scene.add(creator, admitOp(cleo, 'reader'))
    scene.add(creator, inviteOp(dora, 'writer'))
    scene.add(anna, statusOp(bert, 'dormant'))
    const policy = createMembershipPolicy()
    const ask = () => policy.permit(scene.history(), creator, { kind: 'prune' })
    expect(ask()).toEqual({ kind: 'allowed', requiredAcks: [anna] })
    expect(scene.fault(scene.add(creator, epochOp({ seq: 0, acks: [anna, bert] })))).toBe('required_acks_wrong')
    expect(scene.fault(scene.add(creator, epochOp({ seq: 0, acks: [anna] })))).toBeUndefined()
    scene.add(anna, statusOp(bert, 'active'))
    expect(ask()).toEqual({ kind: 'allowed', requiredAcks: [anna, bert] })
  })

  test('who is not active is known to have gone by what says so, unless that is no record of its own', () => {
    const scene = sceneOf(anna)
    for (const peer of [bert, cleo, dora]) scene.add(creator, admitOp(peer, 'writer'))
    scene.add(creator, statusOp(bert, 'dormant'))
    scene.add(creator, statusOp(bert, 'active'))
    const away = scene.add(anna, statusOp(bert, 'dormant'))
    const out = scene.revoke(creator, cleo)
    const by = (peer: PublicKey) => scene.view().leftBy(peer)
    expect([by(bert), by(cleo), by(dora)]).toEqual([[away.id], [out.id], undefined])
    scene.add(creator, admitOp(cleo, 'writer'))
    const secondly = scene.revoke(creator, cleo)
    expect(by(cleo)).toEqual([secondly.id])
  })

  test('by who is no admin, or was, or is away, has no effect', () => {
    const scene = sceneOf(anna, bert)
    scene.add(creator, admitOp(cleo, 'writer'))
    const byWriter = [scene.revoke(cleo, creator), scene.epoch(cleo, 'prune'), scene.revoke(dora, creator)]
    scene.revoke(creator, anna)
    const byFormer = scene.revoke(anna, bert)
    scene.add(creator, statusOp(bert, 'dormant'))
    const byAbsent = scene.epoch(bert, 'prune')
    expect([...byWriter, byFormer, byAbsent].map(scene.fault)).toEqual(Array.from({ length: 5 }, () => 'not_entitled'))
    expect(scene.view().active()).toEqual(sorted(creator, cleo))
  })

  test.each<[string, readonly (readonly [PublicKey, Remains])[]]>([
    ['no removal', []],
    [
      'unsorted removals',
      [
        [bert, 'none'],
        [anna, 'none'],
      ],
    ],
    [
      'one peer twice',
      [
        [bert, 'none'],
        [bert, 'reader'],
      ],
    ],
    ['a short key', [[bert.slice(1) as PublicKey, 'none']]],
  ])('with malformed removals has no effect: %s', (_name, removals) => {
    const scene = sceneOf(anna, bert)
    expect(scene.fault(scene.add(creator, rawEpochOp({ seq: 0, removals })))).toBe('removals_malformed')
    expect(scene.view().limited()).toEqual([])
  })

  test('that is none of the records does not count', () => {
    const { view, genesis } = sceneOf()
    expect(view().faultOf(genesis.id)).toBe('not_entitled')
    expect(view().removalsOf(genesis.id)).toEqual([])
  })
})

describe('revocations at the same time', () => {
  test('of each other: that of the senior stands, whichever is known first', () => {
    const scene = sceneOf(anna, bert)
    const deps = [...scene.records]
    const [byAnna, byBert] = [scene.revoke(anna, bert, { deps }), scene.revoke(bert, anna, { deps })]
    expect([byAnna, byBert].map(scene.fault)).toEqual([undefined, 'outranked'])
    for (const order of [
      [byAnna, byBert],
      [byBert, byAnna],
    ]) {
      const policy = createMembershipPolicy()
      const here = [...deps]
      const last = order.map((epoch) => {
        here.push(epoch)
        return policy.resolve(historyOf(here))
      })
      expect(last.at(-1)?.active()).toEqual(sorted(creator, anna))
    }
    const alone = createMembershipPolicy().resolve(historyOf([...deps, byBert]))
    expect(alone.active()).toEqual(sorted(creator, bert))
    expect(scene.view().removalsOf(byBert.id)).toEqual([])
  })

  test('of three in a circle: the most senior stands, its victim’s is void, and the third stands', () => {
    const scene = sceneOf(anna, bert, cleo)
    const deps = [...scene.records]
    const epochs = [
      scene.revoke(anna, bert, { deps }),
      scene.revoke(bert, cleo, { deps }),
      scene.revoke(cleo, anna, { deps }),
    ]
    expect(epochs.map(scene.fault)).toEqual([undefined, 'outranked', undefined])
    expect(scene.view().active()).toEqual(sorted(creator, cleo))
  })

  test('of each other: who was removed in between and admitted again ranks by that', () => {
    const scene = sceneOf(anna, bert)
    scene.revoke(bert, anna)
    scene.add(creator, admitOp(cleo, 'admin'))
    scene.add(creator, admitOp(anna, 'admin'))
    scene.add(creator, admitOp(dora, 'admin'))
    const deps = [...scene.records]
    const [byAnna, byCleo] = [scene.revoke(anna, cleo, { deps }), scene.revoke(cleo, anna, { deps })]
    expect([byAnna, byCleo].map(scene.fault)).toEqual(['outranked', undefined])
    const { isSenior, mayOutrank } = scene.view()
    expect([isSenior(anna, cleo), mayOutrank(anna, byCleo.id), mayOutrank(dora, byCleo.id)]).toEqual([
      true,
      true,
      false,
    ])
    // Who knows of one alone looks for the other.
    const known = createMembershipPolicy().resolve(historyOf([...deps, byAnna]))
    expect([creator, cleo, anna, dora].map((peer) => known.mayOutrank(peer, byAnna.id))).toEqual([
      true,
      true,
      false,
      false,
    ])
    expect(known.mayOutrank(creator, byCleo.id)).toBe(false)
    // What it made before it was removed has its old rank.
    const early = scene.revoke(anna, bert, { deps: scene.records.slice(0, 3) })
    expect(scene.fault(early)).toBeUndefined()
    expect(scene.view().active()).toEqual(sorted(creator, cleo, dora))
  })

  test('of others all stand', () => {
    const scene = sceneOf(anna, bert, cleo, dora)
    const deps = [...scene.records]
    const epochs = [scene.revoke(anna, cleo, { deps }), scene.revoke(bert, dora, { deps })]
    expect(epochs.map(scene.fault)).toEqual([undefined, undefined])
    expect(scene.view().active()).toEqual(sorted(creator, anna, bert))
    const join = scene.epoch(creator, 'joinOfEpochs')
    expect(scene.fault(join)).toBeUndefined()
    expect(scene.fault(scene.epoch(creator, 'joinOfEpochs'))).toBe('not_entitled')
  })

  test('and a cut of the log: both stand, and are joined by any that writes', () => {
    const scene = sceneOf(anna)
    scene.add(creator, admitOp(bert))
    const deps = [...scene.records]
    const epochs = [scene.epoch(creator, 'prune', deps), scene.revoke(anna, bert, { deps })]
    const join = scene.epoch(anna, 'joinOfEpochs')
    expect([...epochs, join].map(scene.fault)).toEqual([undefined, undefined, undefined])
    expect(join.op).toMatchObject({ value: { seq: 1n, requiredAcks: [creator] } })
  })

  test('of a junior admin, which back-dates epochs: they are void', () => {
    const scene = sceneOf(anna, bert, cleo)
    const before = [...scene.records]
    const cut = scene.revoke(anna, cleo)
    const backDated = [scene.revoke(cleo, bert, { deps: before }), scene.epoch(cleo, 'prune', before)]
    expect([cut, ...backDated].map(scene.fault)).toEqual([undefined, 'outranked', 'outranked'])
    expect(scene.view().active()).toEqual(sorted(creator, anna, bert))
  })

  test('a junior’s that nobody senior cut stands also against who was cut by it', () => {
    const scene = sceneOf(anna, bert, cleo)
    const before = [...scene.records]
    scene.revoke(bert, anna)
    const senior = scene.revoke(anna, cleo, { deps: before })
    expect(scene.fault(senior)).toBeUndefined()
    expect(scene.view().active()).toEqual(sorted(creator, bert))
  })
})

describe('a thief', () => {
  test('that back-dates a grant to a confederate gets nothing from the confederate’s epochs', () => {
    const scene = sceneOf(anna, bert)
    const before = [...scene.records]
    const cut = scene.revoke(anna, bert)
    const grant = scene.add(bert, admitOp(dora, 'admin'), before)
    const forged = [scene.revoke(dora, anna, { deps: [grant] }), scene.revoke(dora, creator, { deps: [grant] })]
    expect([cut, ...forged].map(scene.fault)).toEqual([undefined, 'outranked', 'outranked'])
    const view = scene.view()
    expect(view.isHeard(dora)).toBe(false)
    expect(view.limited()).toEqual(sorted(bert, dora))
    expect([view.isAdmin(dora), view.active()]).toEqual([false, sorted(creator, anna)])
  })

  test.each([
    ['the creator', creator],
    ['who took it', anna],
  ])('that gives a confederate back what was taken from it gets no epoch against %s', (_, victim) => {
    const scene = sceneOf(anna, bert, dora)
    const taken = scene.revoke(anna, dora, { remains: 'reader' })
    const before = [...scene.records]
    const cut = scene.revoke(anna, bert)
    const grant = scene.add(bert, roleOp(dora, 'admin'), before)
    const forged = scene.revoke(dora, victim, { deps: [grant] })
    expect([taken, cut, forged].map(scene.fault)).toEqual([undefined, undefined, 'outranked'])
    expect(scene.view().active()).toEqual(sorted(creator, anna))
  })

  test.each([
    ['who took it', bert],
    ['the creator', creator],
  ])('that has back what it had lost, by a grant that does not count, gets no epoch against %s', (_, victim) => {
    // Nobody that took anything is senior to the thief.
    const scene = sceneOf(anna, bert, cleo)
    const taken = scene.revoke(bert, anna)
    const before = [...scene.records]
    const cut = scene.revoke(bert, cleo)
    const grant = scene.add(cleo, admitOp(anna, 'admin'), before)
    const forged = scene.revoke(anna, victim, { deps: [grant] })
    expect([taken, cut, forged].map(scene.fault)).toEqual([undefined, undefined, 'outranked'])
    expect(scene.view().active()).toEqual(sorted(creator, bert))
  })

  test('that removes who removed its confederate, and is removed at that time, gets no epoch from the confederate', () => {
    const scene = sceneOf(bert, cleo, anna)
    const before = [...scene.records]
    const taken = scene.revoke(anna, cleo)
    const cut = scene.revoke(creator, bert)
    // Where its confederate looks it is senior to who removed that, and nobody has removed it.
    const backDated = scene.revoke(bert, anna, { deps: before })
    const forged = scene.revoke(cleo, creator, { deps: [taken, backDated] })
    expect(
      createMembershipPolicy()
        .resolve(historyOf([...before, taken, backDated, forged]))
        .faultOf(forged.id),
    ).toBe(undefined)
    expect([taken, cut, backDated, forged].map(scene.fault)).toEqual([undefined, undefined, 'outranked', 'outranked'])
    expect(scene.view().active()).toEqual(sorted(creator, anna))
  })

  // A right that was lent is not older than the right of who lent it: an early admission as WRITER gives no rank.
  test('cannot lend its confederate a rank above who revokes it', () => {
    const scene = sceneOf()
    scene.add(creator, admitOp(dora, 'writer'))
    scene.add(creator, admitOp(anna, 'admin'))
    scene.add(creator, admitOp(bert, 'admin'))
    const before = [...scene.records]
    const cut = scene.revoke(anna, bert)
    const grant = scene.add(bert, roleOp(dora, 'admin'), before)
    const forged = scene.revoke(dora, anna, { deps: [grant] })
    expect([cut, forged].map(scene.fault)).toEqual([undefined, 'outranked'])
    expect(scene.view().isHeard(dora)).toBe(true)
    expect(scene.view().active()).toEqual(sorted(creator, anna, dora))
  })

  test('gets nothing by admitting itself anew', () => {
    const scene = sceneOf(anna, bert)
    const before = [...scene.records]
    scene.revoke(anna, bert)
    scene.add(bert, admitOp(bert, 'admin'))
    scene.add(bert, admitOp(bert, 'admin'), before)
    scene.add(dora, admitOp(dora, 'admin'))
    const view = scene.view()
    expect([bert, dora].map(view.isAdmin)).toEqual([false, false])
    expect(view.cutoffsOf(bert)).toMatchObject([{ remains: 'none', readmissions: [] }])
    expect(view.isHeard(dora)).toBe(true)
  })
})

describe('who goes, stays lower, or comes back', () => {
  test('a peer removes itself, whatever it is, and nobody else', () => {
    const scene = sceneOf(anna)
    scene.add(creator, admitOp(bert, 'writer'))
    const own = scene.revoke(bert, bert)
    expect(scene.fault(own)).toBeUndefined()
    expect(own.op).toMatchObject({ value: { requiredAcks: [creator, anna] } })
    expect(scene.fault(scene.revoke(bert, bert))).toBe('not_entitled')
    expect(scene.fault(scene.revoke(anna, anna))).toBeUndefined()
    expect(scene.view().active()).toEqual([creator])
  })

  test.each<[Remains, boolean]>([
    ['writer', true],
    ['reader', false],
  ])('a demotion to %s leaves that, until a promotion follows it', (remains, writes) => {
    const scene = sceneOf(anna, bert)
    const before = [...scene.records]
    const cut = scene.revoke(anna, bert, { remains })
    expect(scene.view().active()).toEqual(writes ? sorted(creator, anna, bert) : sorted(creator, anna))
    expect(scene.view().isAdmin(bert)).toBe(false)
    expect(scene.view().cutoffsOf(bert)).toEqual([{ epoch: cut.id, remains, readmissions: [] }])
    // What it gave in the meantime counts for nothing.
    scene.add(bert, admitOp(dora, 'writer'), before)
    expect(scene.view().isHeard(dora)).toBe(false)
    const promotion = scene.add(creator, roleOp(bert, 'admin'))
    expect(scene.view().isAdmin(bert)).toBe(true)
    expect(scene.view().cutoffsOf(bert)).toEqual([{ epoch: cut.id, remains, readmissions: [promotion.id] }])
    expect(scene.view().isHeard(dora)).toBe(false)
    expect(scene.fault(scene.epoch(bert, 'prune'))).toBeUndefined()
  })

  test('a revoked key is admitted again, with a weaker role than before', () => {
    const scene = sceneOf(anna, bert)
    const cut = scene.revoke(anna, bert)
    scene.add(creator, inviteOp(bert, 'writer'))
    expect(scene.view().active()).toEqual(sorted(creator, anna))
    const again = scene.add(creator, admitOp(bert, 'writer'))
    const view = scene.view()
    expect(view.active()).toEqual(sorted(creator, anna, bert))
    expect(view.isAdmin(bert)).toBe(false)
    expect(view.cutoffsOf(bert)).toEqual([{ epoch: cut.id, remains: 'none', readmissions: [again.id] }])
    expect(scene.fault(scene.epoch(bert, 'prune'))).toBe('not_entitled')
    const second = scene.revoke(creator, bert)
    expect(scene.view().cutoffsOf(bert)).toMatchObject([
      { readmissions: [again.id] },
      { epoch: second.id, readmissions: [] },
    ])
  })

  test('a revoked key is admitted again by the same admin and with the same role', () => {
    const scene = sceneOf(anna, bert)
    scene.revoke(creator, bert)
    const again = scene.add(creator, admitOp(bert, 'admin'))
    expect(scene.view().active()).toEqual(sorted(creator, anna, bert))
    expect(scene.view().cutoffsOf(bert)).toMatchObject([{ readmissions: [again.id] }])
  })

  test('an admission at the same time as a revocation does not outlast it', () => {
    const scene = sceneOf(anna, bert)
    const before = [...scene.records]
    scene.revoke(anna, bert)
    scene.add(creator, admitOp(bert, 'admin'), before)
    expect(scene.view().active()).toEqual(sorted(creator, anna))
  })
})

describe('seniority', () => {
  test('goes by the first grant that made an admin; after them come the others, last who never was admitted', () => {
    const scene = sceneOf(bert)
    scene.add(creator, admitOp(cleo, 'writer'))
    scene.add(creator, admitOp(anna, 'admin'))
    scene.revoke(anna, bert)
    scene.add(creator, admitOp(bert, 'admin'))
    const order = [creator, bert, anna, cleo, dora]
    const { isSenior } = scene.view()
    expect(
      order.flatMap((one, at) => order.filter((other) => isSenior(one, other)).length === order.length - 1 - at),
    ).not.toContain(false)
    expect(isSenior(dora, keyOf(9)) || isSenior(keyOf(9), dora)).toBe(false)
  })
})

describe('permit', () => {
  test('says what a new epoch would need, or why it would not count', () => {
    const scene = sceneOf(anna)
    scene.add(creator, admitOp(bert, 'writer'))
    scene.add(creator, inviteOp(cleo))
    const policy = createMembershipPolicy()
    const ask = (author: PublicKey, wish: Parameters<MembershipPolicy['permit']>[2]) => {
      const answer = policy.permit(scene.history(), author, wish)
      return answer.kind === 'allowed' ? answer.requiredAcks : answer.code
    }
    const removal = (peer: PublicKey, remains: Remains = 'none') =>
      ({ kind: 'membership', removals: [{ peer, remains }] }) as const
    expect(ask(creator, { kind: 'initial' })).toEqual([anna, bert])
    expect(ask(bert, { kind: 'prune' })).toBe('not_admin')
    expect(ask(creator, removal(bert))).toEqual([anna])
    expect(ask(creator, removal(anna, 'writer'))).toEqual([anna, bert])
    expect(ask(bert, removal(bert))).toEqual([creator, anna])
    expect(ask(bert, removal(anna))).toBe('not_admin')
    expect(ask(dora, removal(dora))).toBe('not_a_peer')
    expect(ask(creator, removal(dora))).toBe('peer_unknown')
    expect(ask(creator, removal(cleo))).toBe('nothing_to_remove')
    expect(ask(creator, removal(bert, 'writer'))).toBe('nothing_to_remove')
    expect(ask(creator, { kind: 'membership', removals: [] })).toBe('nothing_to_remove')
    expect(ask(creator, { kind: 'join_of_epochs' })).toBe('nothing_to_join')
    expect(ask(dora, { kind: 'join_of_epochs' })).toBe('not_a_peer')
  })

  test('is a policy of the contract', () => {
    expectTypeOf(createMembershipPolicy).returns.toEqualTypeOf<MembershipPolicy>()
  })
})
