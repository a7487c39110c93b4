/** Backups made while a node works, and nodes that come back from one: without a fork where it can be helped. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type StoreId, toHex } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import {
  type BackupOptions,
  type BackupProgress,
  type BackupResult,
  restoreBackup,
  type RestoredBackup,
  verifyBackup,
} from '@lattice/node'
import { inlineFileCheck } from '@lattice/storage'
import { setChildStatus } from '@lattice/systemstore'
import { afterAll, describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { onDisk } from './real-disk.ts'
import { codeOf, get, kvOf, put } from './support.ts'

const crypto = await openCrypto({ backend: 'wasm' })
const root = mkdtempSync(join(tmpdir(), 'lattice-backup-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let places = 0

/** A path that is free. */
function place(name: string): string {
  places += 1
  return join(root, `${name}-${places}`)
}

async function backup(mesh: SimMesh, index: number, options: Partial<BackupOptions> = {}): Promise<BackupResult> {
  return onDisk(mesh, mesh.node(index).backup({ directory: place('backup'), ...options }))
}

/** Restores for node `index`, which is down, and starts it there. */
async function comeBack(
  mesh: SimMesh,
  index: number,
  [directory, options = {}]: readonly [string, { readonly offlineOk?: boolean }?],
): Promise<RestoredBackup> {
  const deps = { crypto, clock: mesh.time.scheduler.clock, scheduler: mesh.time.scheduler, fileCheck: inlineFileCheck }
  const restored = await onDisk(mesh, restoreBackup({ directory, dataDir: place('data'), ...deps, ...options }))
  await mesh.start(index, { dataDir: restored.dataDir })
  return restored
}

/** Restores where a node was not started yet; answers where. */
async function restored(mesh: SimMesh, directory: string): Promise<string> {
  const deps = { crypto, clock: mesh.time.scheduler.clock, scheduler: mesh.time.scheduler, fileCheck: inlineFileCheck }
  return (await onDisk(mesh, restoreBackup({ directory, dataDir: place('data'), ...deps }))).dataDir
}

function forks(mesh: SimMesh, id: StoreId): readonly number[] {
  return mesh.peers.filter((peer) => peer.isUp()).map((peer) => peer.node().store(id).kernel().stats().forkCount)
}

function heldOf(mesh: SimMesh, index: number, id: StoreId): string | undefined {
  return mesh.store(index, id).status().held
}

describe('a node that comes back from a backup', () => {
  test('made while it wrote: catches up on what it wrote later, writes again, and nothing forks', async () => {
    await using mesh = await createSimMesh({ seed: 'backup', nodes: 3 })
    const id = await mesh.share()
    const kv = kvOf(mesh, 1, id)
    const writing = Promise.all(Array.from({ length: 300 }, (_, n) => kv.put(`during${n % 40}`, `v${n}`)))
    const made = await backup(mesh, 1)
    expect(made).toMatchObject({ stores: 1, withIdentity: true, leftOut: [] })
    await mesh.complete(writing)
    await put(mesh, 1, id, ['after', 'the backup'])
    await mesh.converge(id)
    mesh.crash(1)
    const restored = await comeBack(mesh, 1, [made.directory])
    expect(restored).toMatchObject({ held: 1, stores: [{ path: 'shared', state: 'active', isAsItWas: false }] })
    expect(heldOf(mesh, 1, id)).toContain('restored from a backup')
    await mesh.run(() => heldOf(mesh, 1, id) === undefined, 'node 1 may write again')
    expect(await get(mesh, 1, id, 'after')).toBe('the backup')
    await put(mesh, 1, id, ['again', 'written'])
    await mesh.converge(id)
    expect(forks(mesh, id)).toEqual([0, 0, 0])
    expect(await mesh.complete(mesh.store(1, id).verify({ full: true }))).toMatchObject({ outcome: 'sound' })
  })

  test('writes again as soon as it meets a peer, also where nothing was written after the backup', async () => {
    await using mesh = await createSimMesh({ seed: 'equal', nodes: 2 })
    const id = await mesh.share()
    await put(mesh, 1, id, ['k', 'v'])
    await mesh.converge(id)
    // Until all that is said about it, too, is there.
    await mesh.time.pass(120_000)
    const made = await backup(mesh, 1)
    await mesh.stop(1)
    await comeBack(mesh, 1, [made.directory])
    await mesh.run(() => heldOf(mesh, 1, id) === undefined, 'node 1 may write again')
    await put(mesh, 1, id, ['again', 'v'])
    await mesh.converge(id)
    expect(forks(mesh, id)).toEqual([0, 0])
  })

  test('waits for one of its peers, over restarts, and says so; one is enough', async () => {
    await using mesh = await createSimMesh({ seed: 'one of them', nodes: 3 })
    const id = await mesh.share()
    await put(mesh, 1, id, ['k', 'v'])
    await mesh.converge(id)
    const made = await backup(mesh, 1)
    await put(mesh, 1, id, ['later', 'v'])
    await mesh.converge(id)
    await mesh.stop(1)
    mesh.partition([0], [1], [2])
    const { dataDir } = await comeBack(mesh, 1, [made.directory])
    expect(await codeOf(mesh, kvOf(mesh, 1, id).put('early', 'v'))).toBe('STORE_NOT_READY')
    expect(heldOf(mesh, 1, id)).toContain('connect one of its 2 other peers')
    expect(heldOf(mesh, 1, id)).toContain('--accept-fork')
    // Reading is not held.
    expect(await get(mesh, 1, id, 'k')).toBe('v')
    await mesh.stop(1)
    await mesh.start(1, { dataDir })
    await mesh.time.pass(120_000)
    expect(heldOf(mesh, 1, id)).toContain('restored from a backup')
    mesh.partition([0], [1, 2])
    await mesh.run(() => heldOf(mesh, 1, id) === undefined, 'node 1 may write again')
    await put(mesh, 1, id, ['again', 'v'])
    mesh.heal()
    await mesh.converge(id)
    expect(forks(mesh, id)).toEqual([0, 0, 0])
    expect(await get(mesh, 0, id, 'later')).toBe('v')
  })

  test('forks, and converges, where a person does not want to wait', async () => {
    await using mesh = await createSimMesh({ seed: 'offline ok', nodes: 2 })
    const id = await mesh.share()
    await put(mesh, 1, id, ['k', 'v'])
    const made = await backup(mesh, 1)
    await put(mesh, 1, id, ['later', 'at the peer'])
    await mesh.converge(id)
    await mesh.stop(1)
    mesh.partition([0], [1])
    expect(await comeBack(mesh, 1, [made.directory, { offlineOk: true }])).toMatchObject({ held: 0 })
    await put(mesh, 1, id, ['impatient', 'write'])
    mesh.heal()
    await mesh.converge(id)
    expect(forks(mesh, id)).toEqual([1, 1])
    expect(await get(mesh, 1, id, 'later')).toBe('at the peer')
    expect(await get(mesh, 0, id, 'impatient')).toBe('write')
  })

  test('lets a single store go on when asked to, the others wait', async () => {
    await using mesh = await createSimMesh({ seed: 'single', nodes: 2 })
    const [first, second] = [await mesh.share('first'), await mesh.share('second')]
    const made = await backup(mesh, 1)
    await mesh.stop(1)
    mesh.partition([0], [1])
    await comeBack(mesh, 1, [made.directory])
    expect(await mesh.complete(mesh.store(1, first).repair({ acceptFork: true }))).toMatchObject({ held: undefined })
    await put(mesh, 1, first, ['k', 'v'])
    expect(await codeOf(mesh, kvOf(mesh, 1, second).put('k', 'v'))).toBe('STORE_NOT_READY')
  })

  test('writes at once where it was alone, in children too', async () => {
    await using mesh = await createSimMesh({ seed: 'alone', nodes: 1 })
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'mine' }))
    const child = (await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: id }))).id
    await put(mesh, 0, child, ['k', 'v'])
    const made = await backup(mesh, 0)
    expect(made.stores).toBe(2)
    mesh.crash(0)
    expect((await comeBack(mesh, 0, [made.directory])).stores.map(({ path }) => path)).toEqual(['mine', 'mine/notes'])
    await put(mesh, 0, id, ['root', 'v'])
    await put(mesh, 0, child, ['again', 'v'])
    expect(await get(mesh, 0, child, 'k')).toBe('v')
    expect(forks(mesh, child)).toEqual([0])
  })

  test('holds its children, whose peers are those of the store above, until each was compared', async () => {
    await using mesh = await createSimMesh({ seed: 'children', nodes: 2 })
    const id = await mesh.share('team')
    const child = (await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: id }))).id
    await mesh.converge(id)
    await mesh.run(() => mesh.node(1).stores().length === 2 && mesh.isConverged(child), 'the child is here')
    await put(mesh, 1, child, ['k', 'v'])
    const made = await backup(mesh, 1)
    await put(mesh, 1, child, ['later', 'v'])
    await mesh.converge(child)
    await mesh.stop(1)
    mesh.partition([0], [1])
    await comeBack(mesh, 1, [made.directory])
    expect(heldOf(mesh, 1, child)).toContain('connect one of its 1 other peers')
    expect(await codeOf(mesh, kvOf(mesh, 1, child).put('early', 'v'))).toBe('STORE_NOT_READY')
    mesh.heal()
    await mesh.run(() => heldOf(mesh, 1, child) === undefined, 'the child may be written to')
    await put(mesh, 1, child, ['again', 'v'])
    await mesh.converge(child)
    expect(forks(mesh, child)).toEqual([0, 0])
    expect(await get(mesh, 0, child, 'again')).toBe('v')
  })
})

test('a child is held while the store above, whose peers count, cannot be opened', async () => {
  await using mesh = await createSimMesh({ seed: 'no parent', nodes: 2 })
  const team = await mesh.share('team')
  const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
  await mesh.run(() => mesh.node(1).stores().length === 2 && mesh.isConverged(id), 'the child is here')
  const made = await backup(mesh, 1)
  await mesh.stop(1)
  mesh.partition([0], [1])
  const dataDir = await restored(mesh, made.directory)
  rmSync(join(dataDir, 'stores', toHex(team), 'log.db'))
  await mesh.start(1, { dataDir })
  expect(mesh.store(1, team).state()).toBe('failed')
  expect(heldOf(mesh, 1, id)).toContain('its peers are not known yet')
})

describe('a backup', () => {
  test('of a node with a damaged store has the files of that as they are, and it is repaired where they are restored', async () => {
    await using mesh = await createSimMesh({ seed: 'damaged', nodes: 2 })
    const id = await mesh.share('team')
    await put(mesh, 1, id, ['k', 'v'])
    await mesh.converge(id)
    await mesh.stop(1)
    const stores = join(mesh.peers[1]?.dataDir() ?? '', 'stores')
    const [folder = ''] = readdirSync(stores)
    rmSync(join(stores, folder, 'log.db'))
    await mesh.start(1)
    expect(mesh.store(1, id).state()).toBe('failed')
    const made = await backup(mesh, 1)
    expect(made.leftOut).toEqual([expect.stringContaining('it cannot be used')])
    const deps = { crypto, clock: mesh.time.scheduler.clock, scheduler: mesh.time.scheduler }
    expect((await onDisk(mesh, verifyBackup({ directory: made.directory, ...deps }))).stores).toMatchObject([
      { isAsItWas: true, isEmpty: false },
    ])
    await mesh.stop(1)
    await comeBack(mesh, 1, [made.directory])
    expect(mesh.store(1, id).state()).toBe('failed')
    expect(await mesh.complete(mesh.store(1, id).repair())).toMatchObject({ kind: 'restored' })
    await mesh.converge(id)
    expect(await get(mesh, 1, id, 'k')).toBe('v')
  })

  test('that is cancelled, or whose node is closed, leaves nothing, and harms nothing', async () => {
    await using mesh = await createSimMesh({ seed: 'cancelled', nodes: 1 })
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'mine' }))
    for (let part = 0; part < 3; part += 1) {
      const controller = new AbortController()
      const reason = new Error('enough')
      const directory = place('cancelled')
      let calls = 0
      const onProgress = (): void => {
        calls += 1
        if (calls > part * 2) controller.abort(reason)
      }
      await expect(backup(mesh, 0, { directory, onProgress, signal: controller.signal })).rejects.toBe(reason)
      expect(existsSync(directory)).toBe(false)
    }
    const directory = place('closed')
    mkdirSync(directory)
    const backingUp = mesh.node(0).backup({ directory })
    backingUp.catch(() => undefined)
    await onDisk(mesh, mesh.node(0).close())
    await mesh.stop(0)
    await expect(backingUp).rejects.toMatchObject({ code: 'CLOSED' })
    expect(readdirSync(directory)).toEqual([])
    await mesh.start(0)
    await put(mesh, 0, id, ['k', 'v'])
  })

  test('has no manifest, and so is none, at any moment before it is whole', async () => {
    await using mesh = await createSimMesh({ seed: 'moments', nodes: 1 })
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'mine' }))
    await put(mesh, 0, id, ['k', 'v'])
    const directory = place('moments')
    const seen: boolean[] = []
    const parts = new Set<string>()
    const onProgress = ({ part, done, total }: BackupProgress): void => {
      parts.add(part)
      expect(done).toBeLessThanOrEqual(total)
      if (done < total) seen.push(existsSync(join(directory, 'backup.json')))
    }
    await backup(mesh, 0, { directory, onProgress })
    expect([...parts]).toEqual(['meta.db', 'mine'])
    expect(seen.length).toBeGreaterThan(2)
    expect(seen).not.toContain(true)
    expect(existsSync(join(directory, 'backup.json'))).toBe(true)
  })

  test('holds stores that are closed, which may be opened again meanwhile', async () => {
    await using mesh = await createSimMesh({ seed: 'archived', nodes: 1 })
    const { id: team } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: team }))
    await put(mesh, 0, id, ['k', 'v'])
    const setStatus = async (status: 'active' | 'archived'): Promise<void> => {
      const write = setChildStatus({ author: mesh.node(0).id, child: id, status })
      const { kernel } = mesh.store(0, team)
      await mesh.complete(kernel().submit({ kind: 'system', schema: 0, value: write.op.value }, { deps: write.deps }))
      await mesh.run(() => mesh.store(0, id).state() === status, `the child is ${status}`)
    }
    await setStatus('archived')
    let opening: Promise<void> | undefined
    const made = await backup(mesh, 0, {
      onProgress: ({ part }) => {
        if (part !== 'team/notes' || opening !== undefined) return
        const write = setChildStatus({ author: mesh.node(0).id, child: id, status: 'active' })
        const value = { kind: 'system', schema: 0, value: write.op.value } as const
        opening = mesh
          .store(0, team)
          .kernel()
          .submit(value, { deps: write.deps })
          .then(() => undefined)
      },
    })
    expect(made).toMatchObject({ stores: 2, leftOut: [] })
    await opening
    await mesh.run(() => mesh.store(0, id).state() === 'active', 'the child is active')
    expect(await get(mesh, 0, id, 'k')).toBe('v')
    await mesh.stop(0)
    const { stores } = await comeBack(mesh, 0, [made.directory])
    expect(stores.map(({ path, records }) => `${path} ${records > 2}`)).toEqual(['team true', 'team/notes true'])
    await mesh.run(() => mesh.store(0, id).state() === 'active', 'the child is active')
    expect(await get(mesh, 0, id, 'k')).toBe('v')
  })

  test('of a store that is still fetched goes on fetching where it is restored', async () => {
    await using mesh = await createSimMesh({ seed: 'fetching', nodes: 2 })
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    await mesh.complete(Promise.all(Array.from({ length: 300 }, (_, n) => kvOf(mesh, 0, id).put(`k${n}`, 'v'))))
    const joining = mesh.node(1).join(await mesh.invite(0, id))
    joining.catch(() => undefined)
    const isFetching = (): boolean =>
      mesh
        .node(1)
        .stores()
        .some(({ state }) => state === 'bootstrapping')
    await mesh.run(isFetching, 'the store is being fetched')
    mesh.partition([0], [1])
    const made = await backup(mesh, 1)
    expect(made.leftOut).toEqual([])
    mesh.crash(1)
    const { stores } = await comeBack(mesh, 1, [made.directory])
    expect(stores).toMatchObject([{ state: 'bootstrapping' }])
    mesh.heal()
    await mesh.run(() => mesh.store(1, id).state() === 'active', 'the store is here')
    await mesh.run(() => heldOf(mesh, 1, id) === undefined, 'node 1 may write')
    await put(mesh, 1, id, ['mine', 'v'])
    await mesh.converge(id)
    expect(forks(mesh, id)).toEqual([0, 0])
  })

  test('leaves out a store that is only half made, and says so', async () => {
    let found = 0
    for (let nth = 1; nth <= 8; nth += 1) {
      await using mesh = await createSimMesh({ seed: `half ${nth}`, nodes: 1 })
      const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
      const crashed = mesh.crashAt(0, 'committed', nth)
      const creating = mesh.node(0).createStore({ name: 'notes', parent: id })
      let isMade = false
      creating.then(() => (isMade = true)).catch(() => undefined)
      await mesh.run(() => crashed() || isMade, 'it crashed or came to be')
      if (!crashed()) continue
      // Its parent cannot be told of it.
      rmSync(join(mesh.peers[0]?.dataDir() ?? '', 'stores', toHex(id), 'log.db'))
      await mesh.start(0)
      if (
        !mesh
          .node(0)
          .stores()
          .some(({ state }) => state === 'creating')
      )
        continue
      found += 1
      const made = await backup(mesh, 0)
      expect(made.leftOut).toContainEqual(expect.stringContaining('it is being created'))
      await mesh.stop(0)
      expect((await comeBack(mesh, 0, [made.directory])).stores).toHaveLength(1)
    }
    expect(found).toBeGreaterThan(0)
  })
})
