import { idKey } from '@lattice/model'
import { createMemoryTable, type MemoryTable } from '@lattice/model/testing'
import { universalOpMessage } from '@lattice/model'
import type { MembershipView, OpOutcome, ProjectedOp } from '@lattice/store-base'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMembershipPolicy, createSystemAuthority, createSystemLayer, isAdmin, readPeer } from '../src/index.ts'
import { draw, inSomeOrder, PEERS, plans } from './draw-membership.ts'
import { type DagRecord, historyOf } from './membership-dag.ts'

interface Tables {
  readonly system: MemoryTable
  readonly app: MemoryTable
}

/** What a kernel projects of a record by a view; undefined for nothing of it. */
function projected(view: MembershipView, record: DagRecord): Pick<ProjectedOp, 'limit'> | undefined {
  if (record.op.kind === 'genesis') return {}
  if (record.op.kind === 'epoch') return view.faultOf(record.id) === undefined ? {} : undefined
  if (!view.isHeard(record.author)) return undefined
  let limit: 'writer' | undefined
  const byId = new Set(record.past)
  for (const { epoch, remains, readmissions } of view.cutoffsOf(record.author)) {
    const isBefore = epochs.get(view)?.get(idKey(epoch))?.past.has(idKey(record.id)) ?? false
    if (isBefore || readmissions.some((id) => byId.has(idKey(id)))) continue
    if (remains !== 'writer') return undefined
    limit = 'writer'
  }
  return limit === undefined ? {} : { limit }
}
const epochs = new WeakMap<MembershipView, ReadonlyMap<string, DagRecord>>()

function project(
  records: readonly DagRecord[],
  view: MembershipView,
): { tables: Tables; outcomes: Map<DagRecord, OpOutcome<unknown>> } {
  epochs.set(view, new Map(records.map((record) => [idKey(record.id), record])))
  const layer = createSystemLayer()
  const tables = { system: createMemoryTable(), app: createMemoryTable() }
  const outcomes = new Map<DagRecord, OpOutcome<unknown>>()
  for (const record of records) {
    const limits = projected(view, record)
    if (limits === undefined || record.op.kind === 'unknown') continue
    const { id, author, timestamp, past } = record
    const op: ProjectedOp = {
      id,
      author,
      timestamp,
      deps: [],
      op: universalOpMessage(record.op),
      follows: (ancestor) => past.has(idKey(ancestor)),
      covers: () => false,
      ...limits,
    }
    outcomes.set(record, op.op?.op.case === 'genesis' ? layer.applyGenesis(tables, op) : layer.apply(tables, op))
  }
  return { tables, outcomes }
}

describe('the system table', () => {
  test('says of the peers what the view says, byte for byte the same in any causal order', () => {
    fc.assert(
      fc.property(plans, fc.infiniteStream(fc.nat()), (steps, order) => {
        const { records } = draw(steps)
        const view = createMembershipPolicy().resolve(historyOf(records))
        const { tables } = project(records, view)
        const active = new Set(view.active().map(idKey))
        for (const peer of PEERS) {
          const entry = readPeer(tables.system, peer)
          const mayWrite = entry?.role === 'writer' || entry?.role === 'admin'
          expect(isAdmin(tables.system, peer)).toBe(view.isAdmin(peer))
          expect(mayWrite && entry?.status === 'active').toBe(active.has(idKey(peer)))
          expect(createSystemAuthority().admits(tables, peer)).toBe(mayWrite && entry?.status !== 'invited')
        }
        const other = project(inSomeOrder(records, order), view)
        expect(other.tables.system.entries()).toEqual(tables.system.entries())
      }),
      { numRuns: 60 },
    )
  })
})
