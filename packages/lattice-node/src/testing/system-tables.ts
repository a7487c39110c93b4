/**
 * The tables of a store as a node reads them, with a system layer that was given some writes.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { type PublicKey, type ReadTable, toIntentionId } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { weaver } from '@lattice/proto'
import type { ReadStoreTables } from '@lattice/store-base'
import { createSystemLayer, type SystemWrite } from '@lattice/systemstore'

export interface TestTables extends ReadStoreTables {
  readonly submit: (write: SystemWrite) => void
  /** Walks over the system table so far. */
  readonly scans: () => number
}

/** All by one author, the creator. */
export function createTestTables(author: PublicKey, writes: readonly SystemWrite[]): TestTables {
  const layer = createSystemLayer()
  const tables = { system: createMemoryTable(), app: createMemoryTable() }
  let applied = 0
  let scans = 0
  const apply = (op: weaver.UniversalOp['op'], isGenesis: boolean): void => {
    applied += 1
    const projected = {
      id: toIntentionId(new Uint8Array(32).fill(applied)),
      author,
      timestamp: { wall: applied, counter: 0 },
      deps: [],
      op: create(weaver.UniversalOpSchema, { op }),
      follows: () => true,
      covers: () => false,
    }
    if (isGenesis) layer.applyGenesis(tables, projected)
    else layer.apply(tables, projected)
  }
  apply({ case: 'genesis', value: create(weaver.GenesisOpSchema) }, true)
  for (const { op } of writes) apply(op, false)
  const { system } = tables
  const counted: ReadTable = {
    get: system.get,
    scan: (range) => {
      scans += 1
      return system.scan(range)
    },
  }
  return { system: counted, app: tables.app, submit: ({ op }) => apply(op, false), scans: () => scans }
}
