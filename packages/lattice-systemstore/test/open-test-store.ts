/**
 * What the tests of the layer share: a store of one replica, whose history each test writes by hand.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import {
  equalBytes,
  type Hash,
  idKey,
  type IntentionId,
  parseStoreType,
  type PublicKey,
  type StoreId,
  type StoreType,
  toHash,
  toIntentionId,
  toPublicKey,
  toStoreId,
} from '@lattice/model'
import { createMemoryTable, type MemoryTable } from '@lattice/model/testing'
import { system, weaver } from '@lattice/proto'
import type { OpOutcome, ProjectedOp, Projector } from '@lattice/store-base'
import { admitPeer, createSystemLayer, type SystemWrite } from '../src/index.ts'

export const keyOf = (fill: number): PublicKey => toPublicKey(new Uint8Array(32).fill(fill))
export const creator: PublicKey = keyOf(1)
export const anna: PublicKey = keyOf(2)
export const bert: PublicKey = keyOf(3)
export const child: StoreId = toStoreId(new Uint8Array(32).fill(7))
export const tokenHash: Hash = toHash(new Uint8Array(32).fill(8))
const kvType = parseStoreType('core:kvstore')
if (!kvType.ok) throw new Error('the store type is well-formed')
export const storeType: StoreType = kvType.value

export interface OpOptions {
  readonly author?: PublicKey
  /** By default all that came before. */
  readonly past?: readonly IntentionId[]
  readonly deps?: readonly IntentionId[]
  /** When its author's clock says it is; by default later than all before. */
  readonly wall?: number
}

type SystemInit = Parameters<typeof create<typeof system.SystemOpSchema>>[1]

export interface TestStore {
  readonly tables: { readonly system: MemoryTable; readonly app: MemoryTable }
  readonly read: MemoryTable
  /** In the order in which they were applied; the genesis is the first. */
  readonly ids: readonly IntentionId[]
  readonly apply: (op: weaver.UniversalOp | undefined, options?: OpOptions) => OpOutcome<unknown>
  readonly envelope: (op: weaver.UniversalOp['op'], schema?: number) => weaver.UniversalOp
  readonly submit: (write: SystemWrite, options?: OpOptions) => OpOutcome<unknown>
  readonly raw: (op: SystemInit, options?: OpOptions) => OpOutcome<unknown>
}

/** Applies operations to a fresh store; each follows everything before it unless it says otherwise. */
export function openTestStore(projector: Projector = createSystemLayer()): TestStore {
  const tables = { system: createMemoryTable(), app: createMemoryTable() }
  const ids: IntentionId[] = []
  const next = (
    op: weaver.UniversalOp | undefined,
    { author = creator, past = [...ids], deps = past, wall = 1001 + ids.length }: OpOptions,
  ): ProjectedOp => {
    const id = toIntentionId(new Uint8Array(32).fill(100 + ids.length))
    ids.push(id)
    const known = new Set(past.map(idKey))
    return {
      id,
      author,
      timestamp: { wall, counter: 0 },
      deps,
      op,
      follows: (ancestor) => known.has(idKey(ancestor)),
      covers: (other) => deps.some((dep) => equalBytes(dep, other)),
    }
  }
  const envelope = (op: weaver.UniversalOp['op'], schema = 1): weaver.UniversalOp =>
    create(weaver.UniversalOpSchema, { schema, op })
  projector.applyGenesis(tables, next(envelope({ case: 'genesis', value: create(weaver.GenesisOpSchema) }), {}))
  const apply = (op: weaver.UniversalOp | undefined, options: OpOptions = {}): OpOutcome<unknown> =>
    projector.apply(tables, next(op, options))
  return {
    tables,
    read: tables.system,
    ids,
    apply,
    envelope,
    submit: (write, options = {}) => apply(envelope(write.op), options),
    raw: (op, options = {}) => apply(envelope({ case: 'system', value: create(system.SystemOpSchema, op) }), options),
  }
}

export const admit = (
  author: PublicKey,
  peer: PublicKey,
  role: 'reader' | 'writer' | 'admin' = 'writer',
): SystemWrite => admitPeer({ author, peer, role, addedAt: 5 })

export const rejected = (reason: string): object => ({ kind: 'rejected', reason })
