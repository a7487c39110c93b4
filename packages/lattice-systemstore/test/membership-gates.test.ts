import { idKey } from '@lattice/model'
import type { MembershipView } from '@lattice/store-base'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMembershipPolicy } from '../src/index.ts'
import { draw, inSomeOrder, PEERS, plans } from './draw-membership.ts'
import { type DagRecord, historyOf } from './membership-dag.ts'

/**
 * A node that takes in only what it would: not what is beyond a cutoff, nor of an author that is not heard, but for what
 * others build on, and for every record, grants and epochs alike, of an author that is senior to one that removed somebody:
 * it may make that removal void.
 */
function createGatedNode(): {
  readonly offer: (record: DagRecord) => void
  readonly view: () => MembershipView
  readonly counted: () => readonly string[]
} {
  const policy = createMembershipPolicy()
  const here: DagRecord[] = []
  const known = new Map<string, DagRecord>()
  let floating: DagRecord[] = []
  const all: DagRecord[] = []
  const view = (): MembershipView => policy.resolve(historyOf(here))
  const take = (record: DagRecord): void => {
    here.push(record)
    known.set(idKey(record.id), record)
  }
  /** Beyond which epochs' cutoffs. */
  function isBeyond(now: MembershipView, record: DagRecord): boolean {
    return now.cutoffsOf(record.author).some(({ epoch, remains, readmissions }) => {
      if (remains === 'writer') return false
      if (known.get(idKey(epoch))?.past.has(idKey(record.id))) return false
      return !readmissions.some((id) => record.past.has(idKey(id)))
    })
  }
  function isWelcome(now: MembershipView, record: DagRecord): boolean {
    if (record.op.kind === 'genesis') return true
    return hasGrant(record) && now.isHeard(record.author) && !isBeyond(now, record)
  }
  /** By the view a peer that has a say, or had one: who never was admitted floats. */
  function hasGrant({ author }: DagRecord): boolean {
    const removals = [{ peer: author, remains: 'none' } as const]
    const permission = policy.permit(historyOf(here), author, { kind: 'membership', removals })
    return permission.kind === 'allowed' || view().cutoffsOf(author).length > 0
  }
  function hasSay(now: MembershipView, { author, op, past }: DagRecord): boolean {
    if (now.hasSay(author, op)) return true
    // What it was judged by is not what holds now.
    const isVoid = (other: DagRecord): boolean =>
      other.op.kind === 'epoch' && (!known.has(idKey(other.id)) || now.faultOf(other.id) === 'outranked')
    return op.kind === 'epoch' && all.some((other) => past.has(idKey(other.id)) && isVoid(other))
  }
  function settle(): void {
    for (let again = true; again;) {
      again = false
      for (const record of floating.toSorted((a, b) => a.generation - b.generation)) {
        const now = view()
        if (!isWelcome(now, record) && !hasSay(now, record)) continue
        const missing = floating.filter(({ id }) => record.past.has(idKey(id)))
        for (const link of missing.toSorted((a, b) => a.generation - b.generation)) take(link)
        take(record)
        floating = floating.filter(({ id }) => !known.has(idKey(id)))
        again = true
        break
      }
    }
  }
  return {
    offer: (record) => {
      floating.push(record)
      all.push(record)
      settle()
    },
    view,
    counted: () => {
      const now = view()
      return here
        .filter((record) =>
          record.op.kind === 'epoch' ? now.faultOf(record.id) === undefined : isWelcome(now, record),
        )
        .map(({ id }) => idKey(id))
        .toSorted()
    },
  }
}

describe('nodes that keep out what is beyond a cutoff', () => {
  test('come to the same view in whatever order they hear of the records', () => {
    fc.assert(
      fc.property(plans, fc.infiniteStream(fc.nat()), fc.infiniteStream(fc.nat()), (steps, one, other) => {
        const { records } = draw(steps)
        const [first, second] = [one, other].map((order) => {
          const node = createGatedNode()
          for (const record of inSomeOrder(records, order)) node.offer(record)
          return node
        })
        if (first === undefined || second === undefined) throw new Error('there are two nodes')
        const [a, b] = [first.view(), second.view()]
        expect(PEERS.map(a.cutoffsOf)).toEqual(PEERS.map(b.cutoffsOf))
        expect(a.active()).toEqual(b.active())
        expect(first.counted()).toEqual(second.counted())
      }),
      { numRuns: 30 },
    )
  })
})
