/** Damaged logs are made whole again with what peers have, and nothing of one's own is lost or forked. */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type StoreId, toHex } from '@lattice/model'
import type { RepairResult } from '@lattice/node'
import { openDatabase } from '@lattice/storage'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, get, put } from './support.ts'

const PAGE = 4096

function fileOf(mesh: SimMesh, index: number, id: StoreId, file = 'log.db'): string {
  return join(mesh.peers[index]?.dataDir() ?? '', 'stores', toHex(id), file)
}

/** Zeroes every page of the closed log that holds one of these texts. */
function destroy(mesh: SimMesh, index: number, id: StoreId, ...texts: readonly string[]): void {
  const path = fileOf(mesh, index, id)
  for (const text of texts) {
    const content = readFileSync(path)
    const at = content.indexOf(text)
    if (at < 0) throw new Error(`the log does not hold ${text}`)
    const file = openSync(path, 'r+')
    writeSync(file, new Uint8Array(PAGE), 0, PAGE, Math.floor(at / PAGE) * PAGE)
    closeSync(file)
  }
}

function repair(
  mesh: SimMesh,
  index: number,
  id: StoreId,
  options: Parameters<ReturnType<SimMesh['store']>['repair']>[0] = {},
): Promise<RepairResult> {
  return mesh.complete(mesh.store(index, id).repair(options))
}

/** Writes until the log of node `index` has a few pages. */
async function fill(mesh: SimMesh, index: number, id: StoreId, name: string): Promise<void> {
  for (let n = 0; n < 30; n += 1) await put(mesh, index, id, [`${name}${n}`, `value-${name}-${n}-`.padEnd(300, '.')])
}

function stateOf(mesh: SimMesh, index: number, id: StoreId): string {
  return mesh.store(index, id).state()
}

function forks(mesh: SimMesh, id: StoreId): readonly number[] {
  return mesh.peers.filter((peer) => peer.isUp()).map((peer) => peer.node().store(id).kernel().stats().forkCount)
}

describe('a log that is damaged in the middle', () => {
  test('fails its store alone, and is whole again with a peer: own unsent writes are kept, and nothing forks', async () => {
    await using mesh = await createSimMesh({ seed: 'repair', nodes: 2 })
    const id = await mesh.share()
    const other = (await mesh.complete(mesh.node(1).createStore({ name: 'other' }))).id
    await fill(mesh, 0, id, 'a')
    await fill(mesh, 1, id, 'b')
    await mesh.converge(id)
    mesh.partition([0], [1])
    await put(mesh, 1, id, ['unsent', 'mine'])
    await mesh.stop(1)
    destroy(mesh, 1, id, 'value-a-20-', 'value-b-5-')
    await mesh.start(1)
    // The damage lies behind what is read at open: it is met when it is needed, by whoever that is.
    expect(() => mesh.store(1, id).kernel().scanWitness(1, 100)).toThrow(
      expect.objectContaining({ code: 'LOG_DAMAGED' }),
    )
    await mesh.run(() => stateOf(mesh, 1, id) === 'failed', 'the store has failed')
    expect(mesh.store(1, id).summary().error).toMatchObject({ code: 'LOG_DAMAGED' })
    expect(stateOf(mesh, 1, other)).toBe('active')
    await put(mesh, 1, other, ['still', 'there'])
    const report = await mesh.complete(mesh.store(1, id).verify())
    expect(report).toMatchObject({ outcome: 'records', firstBad: { kind: 'unreadable' } })
    expect(report.goodAfter).toBeGreaterThan(5)

    // Nobody can be reached: everything stays.
    const before = readFileSync(fileOf(mesh, 1, id))
    expect(await codeOf(mesh, mesh.store(1, id).repair())).toBe('LOG_DAMAGED')
    expect(readFileSync(fileOf(mesh, 1, id)).equals(before)).toBe(true)
    expect(readdirSync(join(fileOf(mesh, 1, id), '..'))).not.toContain('repair')
    expect(stateOf(mesh, 1, id)).toBe('failed')

    mesh.heal()
    const result = await repair(mesh, 1, id)
    expect(result).toMatchObject({ kind: 'restored', fetchedFrom: mesh.node(0).id, waiting: 0, held: undefined })
    // The write, and what this node acknowledged on its own.
    expect(result.salvaged).toBeGreaterThanOrEqual(1)
    expect(result.lost).toBeGreaterThan(0)
    expect(existsSync(result.kept ?? '')).toBe(true)
    expect(await get(mesh, 1, id, 'unsent')).toBe('mine')
    await put(mesh, 1, id, ['after', 'repair'])
    await mesh.converge(id)
    expect(await get(mesh, 0, id, 'unsent')).toBe('mine')
    expect(forks(mesh, id)).toEqual([0, 0])
    expect(await mesh.complete(mesh.store(1, id).verify({ full: true }))).toMatchObject({ outcome: 'sound' })
    expect(await repair(mesh, 1, id)).toMatchObject({ kind: 'sound' })
  })

  test('with nobody else can go on with what is readable, when asked to', async () => {
    await using mesh = await createSimMesh({ seed: 'alone', nodes: 1 })
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'mine' }))
    await fill(mesh, 0, id, 'a')
    await mesh.stop(0)
    destroy(mesh, 0, id, 'value-a-20-')
    await mesh.start(0)
    expect(await codeOf(mesh, mesh.store(0, id).repair())).toBe('LOG_DAMAGED')
    const result = await repair(mesh, 0, id, { withoutPeer: true, acceptFork: true })
    expect(result).toMatchObject({ kind: 'restored', fetchedFrom: undefined })
    expect(result.waiting).toBeGreaterThan(0)
    expect(await get(mesh, 0, id, 'a3')).toContain('value-a-3-')
    await put(mesh, 0, id, ['again', 'writable'])
    expect(existsSync(result.kept ?? '')).toBe(true)
  })
})

describe('own writes after a repair', () => {
  test('wait while the end of the own chain is unknown, until every active peer was compared', async () => {
    await using mesh = await createSimMesh({ seed: 'hold', nodes: 3 })
    const id = await mesh.share()
    await fill(mesh, 1, id, 'b')
    await mesh.converge(id)
    // The last write of node 1 is at node 2 alone.
    mesh.partition([0], [1, 2])
    await put(mesh, 1, id, ['last', 'at two'])
    await mesh.converge(id, [1, 2])
    await mesh.stop(1)
    rmSync(fileOf(mesh, 1, id))
    rmSync(fileOf(mesh, 1, id, 'state.db'))
    mesh.partition([0, 1], [2])
    await mesh.start(1)
    expect(stateOf(mesh, 1, id)).toBe('failed')
    expect(existsSync(fileOf(mesh, 1, id))).toBe(false)
    const result = await repair(mesh, 1, id)
    expect(result).toMatchObject({ kind: 'restored', fetchedFrom: mesh.node(0).id })
    expect(result.held).toContain('1 of its peers')
    expect(
      await codeOf(
        mesh,
        mesh
          .store(1, id)
          .kernel()
          .submit({ kind: 'appData', schema: 1, value: new Uint8Array(1) }),
      ),
    ).toBe('STORE_NOT_READY')
    // A restart does not end it.
    await mesh.restart(1)
    expect(mesh.store(1, id).status().held).toContain('1 of its peers')
    mesh.heal()
    await mesh.run(() => mesh.store(1, id).status().held === undefined, 'node 1 may write again')
    expect(await get(mesh, 1, id, 'last')).toBe('at two')
    await put(mesh, 1, id, ['after', 'all'])
    await mesh.converge(id)
    expect(forks(mesh, id)).toEqual([0, 0, 0])
  })

  test('fork, and converge, when a person does not want to wait', async () => {
    await using mesh = await createSimMesh({ seed: 'fork', nodes: 3 })
    const id = await mesh.share()
    await put(mesh, 1, id, ['first', 'b'])
    await mesh.converge(id)
    mesh.partition([0], [1, 2])
    await put(mesh, 1, id, ['last', 'at two'])
    await mesh.converge(id, [1, 2])
    await mesh.stop(1)
    rmSync(fileOf(mesh, 1, id))
    rmSync(fileOf(mesh, 1, id, 'state.db'))
    mesh.partition([0, 1], [2])
    await mesh.start(1)
    await repair(mesh, 1, id)
    expect(await repair(mesh, 1, id, { acceptFork: true })).toMatchObject({ kind: 'sound', held: undefined })
    await put(mesh, 1, id, ['impatient', 'write'])
    mesh.heal()
    await mesh.converge(id)
    expect(forks(mesh, id)).toEqual([1, 1, 1])
    expect(await get(mesh, 0, id, 'last')).toBe('at two')
    expect(await get(mesh, 0, id, 'impatient')).toBe('write')
  })
})

test('what is derived from good records is made again without a peer, seq by seq as it was', async () => {
  await using mesh = await createSimMesh({ seed: 'indexes', nodes: 1 })
  const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'mine' }))
  await fill(mesh, 0, id, 'a')
  const head = toHex(mesh.store(0, id).status().witnessHead)
  await mesh.stop(0)
  const path = fileOf(mesh, 0, id)
  const database = openDatabase({
    path,
    contents: 'other',
    durability: 'normal',
    applicationId: 0x4c54544c,
    migrations: ['there already', 'and this', 'and this too', 'and this as well'],
  })
  database.prepare('UPDATE lanes SET head_seq = 3').run()
  database.close()
  await mesh.start(0)
  const result = await repair(mesh, 0, id)
  expect(result).toMatchObject({ kind: 'rebuilt', lost: 0, report: { outcome: 'indexes' } })
  expect(toHex(mesh.store(0, id).status().witnessHead)).toBe(head)
  expect(await mesh.complete(mesh.store(0, id).verify({ full: true }))).toMatchObject({ outcome: 'sound' })
  await put(mesh, 0, id, ['more', 'writes'])
})

describe('a log that lost records', () => {
  test('is not taken for the one that a peer once held, when it has grown to as many records again', async () => {
    await using mesh = await createSimMesh({ seed: 'remembered', nodes: 2 })
    const id = await mesh.share()
    await fill(mesh, 1, id, 'a')
    await mesh.converge(id)
    // What peers hold is remembered when a store closes.
    await mesh.complete(mesh.store(1, id).leave())
    await mesh.complete(mesh.store(1, id).rejoin())
    await mesh.converge(id)
    const held = mesh.store(1, id).kernel().stats().witnessCount
    await mesh.stop(0)
    await mesh.stop(1)
    destroy(mesh, 1, id, 'value-a-25-')
    await mesh.start(1)
    const { records } = await repair(mesh, 1, id, { withoutPeer: true, acceptFork: true })
    expect(records).toBeLessThan(held)
    for (let n = records; n < held; n += 1) await put(mesh, 1, id, [`new${n}`, 'nowhere else'])
    expect(mesh.store(1, id).kernel().stats().witnessCount).toBe(held)
    expect(await codeOf(mesh, mesh.store(1, id).leave())).toBe('NOT_REPLICATED')
  })
})
