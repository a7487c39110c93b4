/** What a node says is missing, and why: in the situations in which people ask. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { kvStore } from '@lattice/kvstore'
import { MAX_DRIFT_MS, type StoreId, type StoreType, toHex } from '@lattice/model'
import type { Finding, WhyOptions } from '@lattice/node'
import type { StateMachine } from '@lattice/store-base'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, put } from './support.ts'

const NO_OPENERS: ReadonlyMap<StoreType, () => StateMachine> = new Map()

function why(mesh: SimMesh, index: number, options: WhyOptions = {}): Promise<readonly Finding[]> {
  return mesh.complete(mesh.node(index).why(options))
}

/** Findings without what belongs to the machine that runs the tests. */
async function reasons(mesh: SimMesh, index: number, options: WhyOptions = {}): Promise<readonly Finding[]> {
  return (await why(mesh, index, options)).filter(({ code }) => code !== 'disk_low')
}

async function codes(mesh: SimMesh, index: number, options: WhyOptions = {}): Promise<readonly string[]> {
  return (await reasons(mesh, index, options)).map(({ code }) => code)
}

const allSynced = (mesh: SimMesh, id: StoreId): boolean =>
  mesh.peers.every((peer) => !peer.isUp() || peer.node().store(id).status().synced)

/** As `settle`, where tables are not equal because one node reads less. */
async function settleHeadless(mesh: SimMesh, id: StoreId): Promise<void> {
  await mesh.run(() => allSynced(mesh, id), 'all are synced')
  // Until what was acknowledged is acknowledged.
  await mesh.time.pass(30_000)
  await mesh.run(() => allSynced(mesh, id), 'all are synced again')
}

async function settle(mesh: SimMesh, id: StoreId): Promise<void> {
  await mesh.converge(id)
  await settleHeadless(mesh, id)
}

function only(findings: readonly Finding[], code: string): Finding {
  const [first, ...others] = findings.filter((finding) => finding.code === code)
  if (first === undefined || others.length > 0) {
    throw new Error(`not one ${code} among ${findings.map((finding) => finding.code).join(', ')}`)
  }
  return first
}

const keyOf = (finding: Finding): string => toHex(finding.peer?.publicKey ?? new Uint8Array(0))
const idOf = (mesh: SimMesh, index: number): string => toHex(mesh.node(index).id)

describe('why', () => {
  test('says nothing where nothing is missing, and that a store is on one machine only', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 2 })
    const id = await mesh.share('team')
    await settle(mesh, id)
    expect(await reasons(mesh, 0)).toEqual([])
    expect(await reasons(mesh, 1)).toEqual([])
    const { id: mine } = await mesh.complete(mesh.node(0).createStore({ name: 'mine' }))
    await mesh.complete(mesh.node(0).createStore({ name: 'below', parent: mine }))
    expect(await reasons(mesh, 0)).toMatchObject([{ code: 'alone', severity: 'info', store: { path: 'mine' } }])
    expect(await reasons(mesh, 0, { store: id })).toEqual([])
    expect(await codes(mesh, 0, { store: mesh.node(0).store('mine/below').id })).toEqual(['alone'])
  })

  test('a partition: who is offline, what nobody else has, who is behind, and no more once it is over', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 3 })
    const id = await mesh.share('team')
    await settle(mesh, id)
    mesh.partition([0], [1, 2])
    await put(mesh, 0, id, ['k', 'v'])
    await mesh.time.pass(120_000)
    const found = await reasons(mesh, 0)
    expect(found.map(({ code }) => code).toSorted()).toEqual([
      'not_replicated',
      'peer_behind',
      'peer_behind',
      'peer_offline',
      'peer_offline',
    ])
    expect(only(found, 'not_replicated')).toMatchObject({ severity: 'warning', detail: { count: 1 } })
    for (const { code, detail } of found) if (code === 'peer_behind') expect(detail).toMatchObject({ unseen: 1 })
    const about = await reasons(mesh, 0, { peer: 'node-1' })
    expect(about.map(({ code }) => code)).toEqual(['peer_offline', 'peer_behind'])
    for (const finding of about) expect(keyOf(finding)).toBe(idOf(mesh, 1))
    expect(about[0]?.what).toMatch(/^node-1 is offline, last heard of 2 min ago; \d+ dials since then failed: /u)
    expect(await reasons(mesh, 0, { store: id, peer: idOf(mesh, 1).slice(0, 12) })).toEqual(about)
    mesh.heal()
    await settle(mesh, id)
    expect(await reasons(mesh, 0)).toEqual([])
  })

  test('what one other peer has is replicated, whoever is away', async () => {
    await using mesh = await createSimMesh({ seed: 3, nodes: 3 })
    const id = await mesh.share('team')
    await settle(mesh, id)
    await mesh.stop(2)
    await put(mesh, 0, id, ['k', 'v'])
    await mesh.run(() => mesh.store(0, id).status().synced, 'node 1 has it')
    await mesh.time.pass(30_000)
    expect(await codes(mesh, 0)).toEqual(['peer_offline', 'peer_behind'])
    // By what it acknowledged, also once nobody is there.
    await mesh.stop(1)
    await mesh.time.pass(120_000)
    const found = await codes(mesh, 0)
    expect(found).not.toContain('not_replicated')
    expect(found.filter((code) => code === 'peer_offline')).toHaveLength(2)
  })

  test('a peer that was not there since the start: where it was tried', async () => {
    await using mesh = await createSimMesh({ seed: 4, nodes: 2 })
    const id = await mesh.share('team')
    await settle(mesh, id)
    await mesh.stop(1)
    await mesh.restart(0)
    await mesh.time.pass(60_000)
    const finding = only(await reasons(mesh, 0), 'no_route')
    expect(finding).toMatchObject({ severity: 'warning', peer: { name: 'node-1' } })
    expect(finding.detail['addresses']).toEqual([expect.stringMatching(/^sim:/u)])
    expect(finding.what).toContain('was not connected since this node started: tried sim:')
  })

  test('an unknown peer, or store, is no answer', async () => {
    await using mesh = await createSimMesh({ seed: 5, nodes: 2 })
    const id = await mesh.share('team')
    expect(await codeOf(mesh, mesh.node(0).why({ peer: 'nobody' }))).toBe('PEER_NOT_FOUND')
    expect(await codeOf(mesh, mesh.node(0).why({ peer: 'node-0' }))).toBe('PEER_NOT_FOUND')
    const other = (await mesh.complete(mesh.node(1).createStore({ name: 'elsewhere' }))).id
    expect(await codeOf(mesh, mesh.node(0).why({ store: other }))).toBe('STORE_NOT_FOUND')
    expect(await codeOf(mesh, mesh.node(0).why({ store: id, peer: 'node-1' }))).toBe('resolved')
  })

  test('intentions that wait: for which cause, and whose it is', async () => {
    await using mesh = await createSimMesh({ seed: 6, nodes: 2 })
    const id = await mesh.share('team')
    await settle(mesh, id)
    mesh.partition([0], [1])
    await put(mesh, 0, id, ['a', '1'])
    await put(mesh, 0, id, ['b', '2'])
    await put(mesh, 0, id, ['c', '3'])
    const kernel = mesh.store(0, id).kernel()
    const [third, second, first] = kernel.history(undefined, 3).map(({ parsed }) => parsed)
    if (first === undefined || second === undefined || third === undefined) throw new Error('three were written')
    const { intentions } = kernel.read([second.id, third.id], 1_000_000)
    await mesh.complete(mesh.store(1, id).kernel().ingest(intentions, mesh.node(0).id))
    const finding = only(await reasons(mesh, 1), 'waiting_for_cause')
    expect(finding).toMatchObject({
      severity: 'warning',
      store: { path: 'team' },
      peer: { name: 'node-0' },
      detail: { count: 2, cause: toHex(first.id), causeAuthor: idOf(mesh, 0) },
    })
    expect(finding.what).toContain(`for ${toHex(first.id).slice(0, 12)} by node-0`)
    expect(await codes(mesh, 1, { peer: 'node-0' })).toContain('waiting_for_cause')
    mesh.heal()
    await settle(mesh, id)
    expect(await reasons(mesh, 1)).toEqual([])
  })

  test('a clock that is ahead: at whom it is, and what it made early', async () => {
    await using mesh = await createSimMesh({ seed: 7, nodes: 3 })
    const id = await mesh.share('team')
    await settle(mesh, id)
    const { clock } = mesh.time.scheduler
    await mesh.stop(2)
    mesh.partition([2])
    const aheadMs = 10 * MAX_DRIFT_MS
    await mesh.start(2, { clock: { wallMs: () => clock.wallMs() + aheadMs, monotonicMs: clock.monotonicMs } })
    await put(mesh, 2, id, ['early', 'v'])
    mesh.heal()
    await mesh.run(() => mesh.store(0, id).kernel().stats().floatingCount > 0, 'it floats')
    const early = only(await reasons(mesh, 0, { peer: 'node-2' }), 'floating_future')
    expect(early).toMatchObject({ severity: 'warning', peer: { name: 'node-2' }, detail: { count: 1 } })
    expect(early.detail['aheadMs']).toBeGreaterThan(aheadMs - MAX_DRIFT_MS)
    expect(early.what).toMatch(/ahead of the clock here, and taken in as time reaches it, the first in [89] min$/u)
    await mesh.run(() => mesh.node(2).network.clock().verdict === 'ahead', 'node 2 knows')
    expect((await reasons(mesh, 2))[0]).toMatchObject({ code: 'clock_ahead', severity: 'problem' })
    expect(await codes(mesh, 0)).not.toContain('clock_ahead')
  })

  test('a board that boots in 1970 says so of itself', async () => {
    await using mesh = await createSimMesh({ seed: 8, nodes: 2 })
    const id = await mesh.share('team')
    await settle(mesh, id)
    const { clock } = mesh.time.scheduler
    await mesh.stop(1)
    await mesh.start(1, { clock: { wallMs: clock.monotonicMs, monotonicMs: clock.monotonicMs } })
    expect(await codes(mesh, 1)).toContain('clock_behind')
  })

  test('a machine that throws: where it stands, and how to go on', async () => {
    const state: { thrown: Error | undefined } = { thrown: undefined }
    const machine = kvStore as StateMachine
    const breakable: StateMachine = {
      ...machine,
      apply: (table, op) => {
        if (state.thrown !== undefined) throw state.thrown
        return machine.apply(table, op)
      },
    }
    const openers = new Map<StoreType, () => StateMachine>([[kvStore.storeType, () => breakable]])
    await using mesh = await createSimMesh({ seed: 9, nodes: 2, openers })
    const id = await mesh.share('team')
    await settle(mesh, id)
    mesh.partition([0], [1])
    await put(mesh, 0, id, ['k', 'v'])
    state.thrown = new Error('the machine is broken')
    mesh.heal()
    await mesh.run(() => mesh.store(1, id).status().projection.stalled !== undefined, 'node 1 stalls')
    const [gravest] = await reasons(mesh, 1)
    expect(gravest).toMatchObject({ code: 'projection_stalled', severity: 'problem', store: { path: 'team' } })
    expect(gravest?.what).toContain('the machine is broken')
    expect(gravest?.remedy).toContain('store retry')
    expect(await codes(mesh, 0)).not.toContain('projection_stalled')
    state.thrown = undefined
    await mesh.complete(mesh.store(1, id).retry())
    await settle(mesh, id)
    expect(await reasons(mesh, 1)).toEqual([])
  })

  test('a store that nothing here opens, and what a rule refused', async () => {
    await using mesh = await createSimMesh({ seed: 10, nodes: 2 })
    await mesh.stop(1)
    await mesh.start(1, { openers: NO_OPENERS })
    const id = await mesh.share('team')
    await settleHeadless(mesh, id)
    expect(await reasons(mesh, 1)).toMatchObject([{ code: 'headless', severity: 'info' }])
    // Node 1 cannot know that this is none of the machine's payloads.
    await mesh.complete(
      mesh
        .store(1, id)
        .kernel()
        .submit({ kind: 'appData', schema: 1, value: new Uint8Array([0xff]) }),
    )
    await mesh.run(() => mesh.store(0, id).kernel().stats().rejectionCount === 1, 'node 0 refuses it')
    await settleHeadless(mesh, id)
    expect(await reasons(mesh, 0)).toMatchObject([{ code: 'rejections', severity: 'info', detail: { count: 1 } }])
  })

  test('writes that are held after a repair', async () => {
    await using mesh = await createSimMesh({ seed: 'hold', nodes: 3 })
    const id = await mesh.share()
    await settle(mesh, id)
    await mesh.stop(1)
    for (const file of ['log.db', 'state.db']) {
      rmSync(join(mesh.peers[1]?.dataDir() ?? '', 'stores', toHex(id), file))
    }
    mesh.partition([0, 1], [2])
    await mesh.start(1)
    expect((await reasons(mesh, 1))[0]).toMatchObject({ code: 'store_failed', detail: { code: 'LOG_DAMAGED' } })
    expect((await reasons(mesh, 1))[0]?.remedy).toContain('store repair')
    // What the others are told of it: it does not have the store.
    await put(mesh, 0, id, ['k', 'v'])
    await mesh.run(() => mesh.node(0).network.connectedPeers().length === 1, 'node 1 is connected')
    await mesh.time.pass(10_000)
    expect(only(await reasons(mesh, 0, { peer: 'node-1' }), 'peer_refused')).toMatchObject({
      detail: { code: 'STORE_NOT_FOUND' },
    })
    await mesh.complete(mesh.store(1, id).repair())
    const held = only(await reasons(mesh, 1), 'writes_held')
    expect(held).toMatchObject({ severity: 'warning' })
    expect(held.what).toContain('1 of its peers')
    mesh.heal()
    await settle(mesh, id)
    expect(await reasons(mesh, 1)).toEqual([])
    expect(await reasons(mesh, 0)).toEqual([])
  })

  test('a store that is on its way, while whoever has it is away', async () => {
    await using mesh = await createSimMesh({ seed: 11, nodes: 2 })
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    const joined = mesh.node(1).join(await mesh.invite(0, id))
    joined.catch(() => undefined)
    await mesh.run(() => mesh.node(1).stores().length === 1, 'node 1 is let in')
    mesh.crash(0)
    await mesh.time.pass(90_000)
    const finding = only(await reasons(mesh, 1), 'bootstrapping')
    expect(finding).toMatchObject({ severity: 'warning', store: { id } })
    expect(finding.detail['attempts']).toBeGreaterThan(1)
    await mesh.start(0)
    await mesh.run(() => mesh.node(1).stores()[0]?.state === 'active', 'node 1 has it')
    expect(await codes(mesh, 1)).not.toContain('bootstrapping')
  })
})
