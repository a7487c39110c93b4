import { equalBytes, idKey, type PublicKey } from '@lattice/model'
import type { MembershipPolicy, Remains } from '@lattice/store-base'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMembershipPolicy } from '../src/index.ts'
import {
  admitInit,
  admitOp,
  batchOp,
  createDag,
  type Dag,
  type DagRecord,
  epochOp,
  historyOf,
  inviteOp,
  roleOp,
  statusOp,
  type Word,
} from './membership-dag.ts'
import { modelOf } from './membership-model.ts'
import { keyOf } from './open-test-store.ts'

const PEERS = [1, 2, 3, 4, 5].map(keyOf)
const peerAt = (number: number): PublicKey => PEERS[number % PEERS.length] ?? keyOf(1)

interface Step {
  readonly author: number
  readonly kind: 'admit' | 'invite' | 'role' | 'status' | 'batch' | 'membership' | 'prune' | 'join'
  readonly target: number
  readonly word: Word
  /** What its author has seen: all, its own line and some, or some alone. */
  readonly sees: 'all' | 'line' | 'some'
  readonly mask: number
  /** For an epoch: by how much its seq is wrong. */
  readonly wrong: number
}

const step: fc.Arbitrary<Step> = fc.record({
  author: fc.nat({ max: 4 }),
  kind: fc.constantFrom('admit', 'admit', 'admit', 'role', 'invite', 'status', 'batch', 'membership', 'membership', 'prune', 'join'),
  target: fc.nat({ max: 4 }),
  word: fc.constantFrom('admin', 'admin', 'writer', 'reader'),
  sees: fc.constantFrom('all', 'line', 'line', 'some'),
  mask: fc.nat({ max: 2 ** 16 - 1 }),
  wrong: fc.constantFrom(0, 0, 0, 0, 0, 0, 1),
})
const plans = fc.array(step, { minLength: 4, maxLength: 22 })

/** Most epochs are as their author would make them, by what it has seen. */
function draw(steps: readonly Step[]): Dag {
  const dag = createDag(peerAt(0))
  const policy = createMembershipPolicy()
  // Without some admins to begin with most of a history is junk.
  for (const at of [1, 2]) dag.add(peerAt(0), admitOp(peerAt(at), 'admin'))
  for (const each of steps) {
    const author = peerAt(each.author)
    const deps = depsOf(dag, each)
    dag.add(author, opOf(dag, policy, { each, author, deps }), deps)
  }
  return dag
}

function depsOf({ records, genesis }: Dag, { author, sees, mask }: Step): readonly DagRecord[] {
  if (sees === 'all') return records
  const some = records.filter((_, at) => (mask >> (at % 16)) % 2 === 1)
  const own = records.findLast((record) => equalBytes(record.author, peerAt(author)))
  return [genesis, ...some.slice(0, 4), ...(sees === 'line' && own ? [own] : [])]
}

function opOf(
  dag: Dag,
  policy: MembershipPolicy,
  { each, author, deps }: { readonly each: Step; readonly author: PublicKey; readonly deps: readonly DagRecord[] },
): DagRecord['op'] {
  const target = peerAt(each.target)
  switch (each.kind) {
    case 'admit':
      return admitOp(target, each.word)
    case 'invite':
      return inviteOp(target, each.word)
    case 'role':
      return roleOp(target, each.word)
    case 'status':
      return statusOp(target, each.word === 'admin' ? 'active' : 'dormant')
    case 'batch':
      return batchOp(admitInit(target, each.word), admitInit(peerAt(each.mask), 'writer'))
    default: {
      const past = new Set(deps.flatMap((dep) => [idKey(dep.id), ...dep.past]))
      const seen = dag.records.filter((record) => past.has(idKey(record.id)))
      const history = historyOf(seen)
      const remains: Remains = each.word === 'admin' ? 'none' : each.word
      const second = each.mask % 5 === 0 && !equalBytes(peerAt(each.mask), target) ? [peerAt(each.mask)] : []
      const removals = [target, ...second].map((peer) => ({ peer, remains }))
      const wish =
        each.kind === 'membership'
          ? ({ kind: 'membership', removals } as const)
          : ({ kind: each.kind === 'prune' ? 'prune' : 'join_of_epochs' } as const)
      const permission = policy.permit(history, author, wish)
      const view = policy.resolve(history)
      const seqs = seen.flatMap(({ id, op }) =>
        op.kind === 'epoch' && [undefined, 'outranked'].includes(view.faultOf(id)) ? [Number(op.value.seq)] : [],
      )
      return epochOp({
        seq: Math.max(-1, ...seqs) + 1 + each.wrong,
        acks: permission.kind === 'allowed' ? permission.requiredAcks : [],
        ...(each.kind === 'membership'
          ? { removals: removals.map(({ peer }) => [peer, remains] as const) }
          : { cause: each.kind === 'prune' ? 'prune' : 'joinOfEpochs' }),
      })
    }
  }
}

/** All that a view says, as plain data. */
function shown(policy: MembershipPolicy, records: readonly DagRecord[]): object {
  const view = policy.resolve(historyOf(records))
  const epochs = records.filter(({ op }) => op.kind === 'epoch')
  return {
    faults: epochs.map(({ id }) => [idKey(id), view.faultOf(id), view.removalsOf(id)]).toSorted(),
    cutoffs: PEERS.map(view.cutoffsOf),
    heard: PEERS.map(view.isHeard),
    limited: view.limited(),
    active: view.active(),
    admins: PEERS.map(view.isAdmin),
    senior: PEERS.flatMap((one) => PEERS.map((other) => view.isSenior(one, other))),
  }
}

describe('the view of a history', () => {
  test('is what the rules say, written down with no thought of cost', () => {
    const seen = { standing: 0, outranked: 0, readmitted: 0, deaf: 0, away: 0 }
    fc.assert(
      fc.property(plans, (steps) => {
        const { records } = draw(steps)
        const view = createMembershipPolicy().resolve(historyOf(records))
        const model = modelOf(records)
        for (const [epoch, fault] of model.fault) expect(view.faultOf(epoch.id)).toBe(fault)
        for (const peer of PEERS) {
          expect(view.isAdmin(peer)).toBe(model.level(peer) >= 3)
          expect(view.active().some((each) => equalBytes(each, peer))).toBe(model.active(peer))
          for (const other of PEERS)
            expect(view.isSenior(peer, other)).toBe(model.rank(peer) < model.rank(other))
          seen.deaf += view.isHeard(peer) ? 0 : 1
          seen.away += model.level(peer) >= 2 && !model.active(peer) ? 1 : 0
          for (const { readmissions } of view.cutoffsOf(peer)) seen.readmitted += readmissions.length
        }
        seen.standing += model.standing.length
        seen.outranked += [...model.fault.values()].filter((fault) => fault === 'outranked').length
      }),
      { numRuns: 1500, seed: 7 },
    )
    // The histories are not trivial: each of these occurs.
    expect(Object.values(seen).every((count) => count > 10)).toBe(true)
  })

  test('is the same in whatever order the records are shown', () => {
    fc.assert(
      fc.property(plans, fc.infiniteStream(fc.nat()), (steps, order) => {
        const { records } = draw(steps)
        const whole = shown(createMembershipPolicy(), records)
        const shuffled = records
          .map((record) => ({ record, at: order.next().value ?? 0 }))
          .toSorted((one, other) => one.at - other.at)
          .map(({ record }) => record)
        const { follows } = historyOf(records)
        const view = createMembershipPolicy().resolve({ records: shuffled, follows })
        expect(PEERS.map(view.cutoffsOf)).toEqual(Reflect.get(whole, 'cutoffs'))
        expect(view.active()).toEqual(Reflect.get(whole, 'active'))
      }),
      { numRuns: 200 },
    )
  })

  test('is the same at the end of any growth in causal order, by one policy that remembers', () => {
    fc.assert(
      fc.property(plans, fc.infiniteStream(fc.nat()), (steps, order) => {
        const { records } = draw(steps)
        const policy = createMembershipPolicy()
        const here: DagRecord[] = []
        while (here.length < records.length) {
          const known = new Set(here.map(({ id }) => idKey(id)))
          const ready = records.filter(({ id, past }) => !known.has(idKey(id)) && [...past].every((it) => known.has(it)))
          const next = ready[(order.next().value ?? 0) % ready.length]
          if (next !== undefined) here.push(next)
          policy.resolve(historyOf(here))
        }
        expect(shown(policy, here)).toEqual(shown(createMembershipPolicy(), records))
      }),
      { numRuns: 150 },
    )
  })
})
