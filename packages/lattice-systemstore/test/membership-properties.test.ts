import { equalBytes, idKey } from '@lattice/model'
import type { MembershipPolicy } from '@lattice/store-base'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMembershipPolicy } from '../src/index.ts'
import { draw, inSomeOrder, PEERS, plans } from './draw-membership.ts'
import { type DagRecord, historyOf } from './membership-dag.ts'
import { modelOf } from './membership-model.ts'

/** All that a view says, as plain data. */
function shown(policy: MembershipPolicy, records: readonly DagRecord[]): object {
  const view = policy.resolve(historyOf(records))
  const epochs = records.filter(({ op }) => op.kind === 'epoch')
  return {
    faults: epochs
      .map(({ id }) => ({ id: idKey(id), fault: view.faultOf(id), removals: view.removalsOf(id) }))
      .toSorted((one, other) => (one.id < other.id ? -1 : 1)),
    cutoffs: PEERS.map(view.cutoffsOf),
    heard: PEERS.map(view.isHeard),
    limited: view.limited(),
    active: view.active(),
    admins: PEERS.map(view.isAdmin),
    outranking: PEERS.flatMap((peer) => epochs.map(({ id }) => [idKey(id), view.mayOutrank(peer, id)].join()).sort()),
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
          for (const other of PEERS) expect(view.isSenior(peer, other)).toBe(model.rank(peer) < model.rank(other))
          seen.deaf += view.isHeard(peer) ? 0 : 1
          seen.away += model.level(peer) >= 2 && !model.active(peer) ? 1 : 0
          for (const { readmissions } of view.cutoffsOf(peer)) seen.readmitted += readmissions.length
        }
        seen.standing += model.standing.length
        seen.outranked += [...model.fault.values()].filter((fault) => fault === 'outranked').length
      }),
      { numRuns: 300 },
    )
    // The histories are not trivial: each of these occurs.
    expect(Object.values(seen).every((count) => count > 0)).toBe(true)
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
        const here = inSomeOrder(records, order)
        for (const at of here.keys()) policy.resolve(historyOf(here.slice(0, at + 1)))
        const fresh = shown(createMembershipPolicy(), records)
        expect(shown(policy, here)).toEqual(fresh)
        // Together with what somebody else holds of the same.
        const mixed = records.map((record) => ((order.next().value ?? 0) % 2 === 0 ? record : { ...record }))
        expect(shown(policy, mixed)).toEqual(fresh)
      }),
      { numRuns: 150 },
    )
  })
})
