import { idKey, type IdKey, type PublicKey, type StoreId, toPublicKey, toStoreId } from '@lattice/model'
import type { ReadStoreTables } from '@lattice/store-base'
import { admitPeer, setStrategy, type SystemWrite } from '@lattice/systemstore'
import { describe, expect, test } from 'vitest'
import type { NodeContext } from './node-context.ts'
import type { Circle } from '@lattice/net'
import type { WriteHold } from './meta-db.ts'
import { createPeerLinks, type PeerLinks } from './peer-links.ts'
import type { StoreManager } from './store-manager.ts'
import { createTestTables, type TestTables } from './testing/system-tables.ts'

const keyOf = (fill: number): PublicKey => toPublicKey(new Uint8Array(32).fill(fill))
const idOf = (number: number): StoreId =>
  toStoreId(
    new Uint8Array(32)
      .fill(255)
      .fill(number >> 8, 0, 1)
      .fill(number & 255, 1, 2),
  )
const self = keyOf(1)
const [anna, bert] = [keyOf(2), keyOf(3)]

const tablesOf = (writes: readonly SystemWrite[]): TestTables => createTestTables(self, writes)

const admit = (peer: PublicKey): SystemWrite => admitPeer({ author: self, peer, role: 'writer', addedAt: 1 })

interface Mesh {
  readonly root: TestTables
  readonly links: PeerLinks
  /** What the network was told, the last time last. */
  readonly told: readonly (readonly Circle[])[]
  /** Peers wanted by name. */
  readonly wanted: Set<IdKey>
  /** What keeps every store from being written to. */
  readonly holds: WriteHold[]
  /** Exchanges that were begun, by store. */
  readonly met: StoreId[]
}

/** A root and `children` stores that have its peers; those in `connected` are there. */
function open(children: number, connected: readonly PublicKey[] = []): Mesh {
  const root = tablesOf([admit(anna)])
  const rootId = idOf(0)
  const child = tablesOf([setStrategy({ author: self, strategy: { kind: 'inherited', parent: rootId } })])
  const stores = new Map<IdKey, { readonly id: StoreId; readonly tables: ReadStoreTables }>()
  for (let number = 0; number <= children; number += 1) {
    const id = idOf(number)
    stores.set(idKey(id), { id, tables: number === 0 ? root : child })
  }
  const told: Circle[][] = []
  const wanted = new Set<IdKey>()
  const holds: WriteHold[] = []
  const met: StoreId[] = []
  const network = {
    circles: (circles: readonly Circle[]) => told.push([...circles]),
    want: (peer: PublicKey) => wanted.add(idKey(peer)),
    unwant: (peer: PublicKey) => wanted.delete(idKey(peer)),
    connectedPeers: () => connected.map((peer) => ({ peer, sinceMs: 0 })),
    sync: (id: StoreId) => {
      met.push(id)
      return []
    },
  }
  const context = {
    id: self,
    network: () => network,
    meta: { addresses: () => [], writeHold: () => holds[0] },
  } as unknown as NodeContext
  const membership = () => ({ limited: () => [] })
  const entries = new Map(
    [...stores].map(([key, { id, tables }]) => [
      key,
      { open: { id, kernel: { tables: () => tables, membership } }, registered: true, revoked: false, record: { id } },
    ]),
  )
  const manager = {
    entries,
    tablesOf: (id: StoreId) => stores.get(idKey(id))?.tables,
  } as unknown as StoreManager
  const spawn = (_name: string, task: (signal: AbortSignal) => Promise<void>): void =>
    void task(new AbortController().signal)
  return { root, links: createPeerLinks(context, { manager, spawn }), told, wanted, holds, met }
}

describe('the peers that this node connects to', () => {
  // A look costs what the peers cost, and not what the peers cost times the stores that share them.
  test('are read once for all stores that have the peers of one parent', () => {
    const few = open(1)
    few.links.refresh()
    const many = open(2_000)
    many.links.refresh()
    const [[circle] = []] = many.told
    expect(circle).toMatchObject({ owner: idOf(0), peers: [anna] })
    expect(circle?.stores).toHaveLength(2_001)
    expect(many.wanted).toEqual(new Set())
    expect(few.root.scans()).toBeGreaterThan(0)
    expect(many.root.scans()).toBe(few.root.scans())
  })

  test('are reconciled with in every such store when they come to be known while connected', () => {
    const { root, links, told, met } = open(2, [anna, bert])
    links.refresh()
    links.refresh()
    expect(met).toEqual([])
    root.submit(admit(bert))
    links.refresh()
    expect(told.at(-1)).toMatchObject([{ peers: [anna, bert] }])
    expect(met).toEqual([idOf(0), idOf(1), idOf(2)])
    links.refresh()
    expect(met).toHaveLength(3)
  })

  test('are met each by name while a repaired store waits to be found equal with all of them', () => {
    const { root, links, wanted, holds } = open(0)
    root.submit(admit(bert))
    holds.push({ reason: 'repair', tips: [], isEndKnown: false, compared: [anna] })
    links.refresh()
    expect(wanted).toEqual(new Set([idKey(bert)]))
    holds.pop()
    links.refresh()
    expect(wanted).toEqual(new Set())
  })
})
