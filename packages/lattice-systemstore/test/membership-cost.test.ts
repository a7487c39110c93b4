import type { PublicKey } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import { createMembershipPolicy } from '../src/index.ts'
import { admitOp, createDag, type DagRecord, roleOp, statusOp } from './membership-dag.ts'
import { anna, bert, cleo, creator, dora } from './membership-scene.ts'
import { keyOf } from './open-test-store.ts'

describe('the cost of a view', () => {
  // Each would cost the square if what was said were kept every time it is said again.
  test.each<[string, (at: number) => readonly [PublicKey, DagRecord['op']]]>([
    ['junk of a writer', (at) => [dora, admitOp(keyOf(at % 200), 'admin')]],
    [
      'one role, given again and again',
      (at) => [at % 2 ? anna : bert, at % 3 ? roleOp(cleo, 'writer') : admitOp(cleo)],
    ],
    [
      'two admins that promote each other',
      (at) => (at % 2 ? [anna, roleOp(bert, 'admin')] : [bert, roleOp(anna, 'admin')]),
    ],
    ['a peer that is away and back', (at) => [anna, statusOp(bert, at % 2 ? 'dormant' : 'active')]],
  ])('stays near the number of records: %s', (_name, opAt) => {
    const dag = createDag(creator)
    for (const peer of [anna, bert]) dag.add(creator, admitOp(peer, 'admin'))
    dag.add(creator, admitOp(dora))
    const count = 300
    for (let at = 0; at < count; at += 1) dag.add(...opAt(at))
    const { records, follows } = dag.history()
    let asked = 0
    const counted = (...pair: Parameters<typeof follows>): boolean => {
      asked += 1
      return follows(...pair)
    }
    createMembershipPolicy().resolve({ records, follows: counted }).active()
    expect(asked).toBeLessThan(20 * count)
  })
})
