/** Stores that a full disk keeps from being made, opened or fetched: each comes by itself once there is room. */
import { silentLogger, type StoreId, toHex } from '@lattice/model'
import { system } from '@lattice/proto'
import type { StoragePoint } from '@lattice/storage'
import { isAdmin } from '@lattice/systemstore'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, get, put } from './support.ts'

/** Which files of which node take nothing; undefined while there is room. */
interface Disk {
  full: { readonly index: number; readonly holds: (path: string) => boolean } | undefined
}

interface FullDiskMesh extends AsyncDisposable {
  readonly mesh: SimMesh
  readonly disk: Disk
  /** Attempts that brought nothing, after the first. */
  readonly attempts: () => number
}

const WRITING: ReadonlySet<StoragePoint> = new Set(['open', 'write', 'commit'])
const ROOM_MS = 60_000

const file =
  (name: string) =>
  (path: string): boolean =>
    path.endsWith(name)

async function openMesh(): Promise<FullDiskMesh> {
  const disk: Disk = { full: undefined }
  let attempts = 0
  const mesh = await createSimMesh({
    seed: 1,
    nodes: 2,
    logger: () => ({
      ...silentLogger,
      warn: (event) => {
        if (event === 'store.retry') attempts += 1
      },
    }),
    disk: (index, point, path) => {
      const { full } = disk
      if (full === undefined || index !== full.index || !full.holds(path) || !WRITING.has(point)) return
      throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' })
    },
  })
  return { mesh, disk, attempts: () => attempts, [Symbol.asyncDispose]: mesh.close }
}

const stateAt = ({ mesh }: FullDiskMesh, index: number, id: StoreId): string | undefined => {
  const store = mesh
    .node(index)
    .stores()
    .find((each) => each.id.every((byte, at) => byte === id[at]))
  return store === undefined ? undefined : `${store.state} ${store.error?.code ?? ''}`.trim()
}

describe('a full disk', () => {
  test('keeps a store from being made only while it is full, and its peers get it then', async () => {
    await using full = await openMesh()
    const { mesh, disk } = full
    const id = await mesh.share()
    disk.full = { index: 0, holds: file('state.db') }
    const made = mesh.node(0).createStore({ parent: id, name: 'notes' })
    expect(await codeOf(mesh, made)).toBe('DISK_FULL')
    await expect(made).rejects.toThrow('tried again in the background')

    const [child] = mesh.node(0).stores().slice(1)
    if (child === undefined) throw new Error('the child is not listed')
    expect(child).toMatchObject({ state: 'failed', error: { code: 'DISK_FULL' } })
    expect(child.error?.message).toContain('tried again')
    const [why] = await mesh.complete(mesh.node(0).why({ store: child.id }))
    expect(why).toMatchObject({ severity: 'problem', code: 'store_failed' })
    expect(why?.remedy).toContain('tried again by itself')
    const told = await mesh.complete(mesh.node(0).diagnose())
    expect(told.find(({ code }) => code === 'store_failed')?.remedy).toContain('tried again by itself')

    disk.full = undefined
    await mesh.run(() => stateAt(full, 1, child.id) === 'active', 'the other node has the child', ROOM_MS)
    await mesh.converge(child.id)
    await put(mesh, 0, child.id, ['k', 'v'])
    await mesh.converge(child.id)
    expect(await get(mesh, 1, child.id, 'k')).toBe('v')
  })

  test('is not asked again and again: the pauses between attempts grow', async () => {
    await using full = await openMesh()
    const { mesh, disk, attempts } = full
    const id = await mesh.share()
    disk.full = { index: 0, holds: file('state.db') }
    await codeOf(mesh, mesh.node(0).createStore({ parent: id, name: 'notes' }))
    await mesh.time.pass(600_000)
    // After 1, 2, 4, 8, 16 and 32 s, then once a minute.
    expect(attempts()).toBe(6 + 8)
  })

  test('at a start leaves stores that open by themselves later, and one that opens has the others looked at', async () => {
    await using full = await openMesh()
    const { mesh, disk } = full
    const id = await mesh.share()
    const child = (await mesh.complete(mesh.node(0).createStore({ parent: id, name: 'notes' }))).id
    await mesh.converge(child)
    await put(mesh, 0, child, ['k', 'v'])
    await mesh.stop(0)
    disk.full = { index: 0, holds: file('log.db') }
    await mesh.start(0)
    expect([stateAt(full, 0, id), stateAt(full, 0, child)]).toEqual(['failed DISK_FULL', 'failed DISK_FULL'])
    disk.full = undefined
    await mesh.run(() => stateAt(full, 0, id) === 'active', 'the root is open', ROOM_MS)
    await mesh.converge(child)
    expect(await get(mesh, 0, child, 'k')).toBe('v')
  })

  test('keeps a store from being fetched only while it is full', async () => {
    await using full = await openMesh()
    const { mesh, disk } = full
    const id = await mesh.share()
    disk.full = { index: 1, holds: file('state.db') }
    const child = (await mesh.complete(mesh.node(0).createStore({ parent: id, name: 'notes' }))).id
    await mesh.run(() => stateAt(full, 1, child) === 'bootstrapping DISK_FULL', 'it cannot be fetched', ROOM_MS)
    disk.full = undefined
    await mesh.converge(child)
  })

  test('keeps what a pass over the stores could not record from being lost', async () => {
    await using full = await openMesh()
    const { mesh, disk } = full
    const id = await mesh.share()
    disk.full = { index: 1, holds: file('meta.db') }
    const child = (await mesh.complete(mesh.node(0).createStore({ parent: id, name: 'notes' }))).id
    await mesh.converge(id)
    await mesh.time.pass(5_000)
    expect(stateAt(full, 1, child)).toBeUndefined()
    disk.full = undefined
    await mesh.converge(child)
  })

  test('is asked at once when data was removed: there is room then', async () => {
    await using full = await openMesh()
    const { mesh, disk } = full
    const id = await mesh.share()
    const old = (await mesh.complete(mesh.node(0).createStore({ name: 'old' }))).id
    disk.full = { index: 0, holds: file('state.db') }
    await codeOf(mesh, mesh.node(0).createStore({ parent: id, name: 'notes' }))
    // The next attempt is most of a minute away.
    await mesh.time.pass(64_000)
    const failed = mesh
      .node(0)
      .stores()
      .find(({ state }) => state === 'failed')
    if (failed === undefined) throw new Error('no store has failed')
    disk.full = undefined
    await mesh.complete(mesh.store(0, old).leave({ force: true }))
    expect(stateAt(full, 0, failed.id)).toBe('failed DISK_FULL')
    await mesh.complete(mesh.store(0, old).deleteData({ confirmed: true, force: true }))
    await mesh.run(() => stateAt(full, 0, failed.id) === 'active', 'the store is made', 1_000)
  })

  test('keeps the right of an admin from a child only while it is full', async () => {
    await using full = await openMesh()
    const { mesh, disk } = full
    const id = await mesh.share()
    const child = (await mesh.complete(mesh.node(0).createStore({ parent: id, name: 'notes' }))).id
    await mesh.converge(child)
    const hasAdmin = (): boolean => isAdmin(mesh.store(1, child).kernel().tables().system, mesh.node(1).id)
    disk.full = { index: 0, holds: (path) => path.includes(toHex(child)) }
    await mesh.complete(mesh.store(0, id).setPeerRole(toHex(mesh.node(1).id), system.Role.ADMIN))
    await mesh.converge(id)
    expect(hasAdmin()).toBe(false)
    disk.full = undefined
    await mesh.run(hasAdmin, 'the admin is one of the child, too', ROOM_MS)
  })

  test('keeps the name of a node from its peers only while it is full', async () => {
    await using full = await openMesh()
    const { mesh, disk } = full
    const id = await mesh.share()
    disk.full = { index: 0, holds: file('log.db') }
    await mesh.complete(mesh.node(0).setName('attic'))
    await mesh.time.pass(5_000)
    const names = (): readonly string[] =>
      mesh
        .store(1, id)
        .peers()
        .map(({ name }) => name)
    expect(names()).not.toContain('attic')
    disk.full = undefined
    await mesh.run(() => names().includes('attic'), 'the peer knows the name', ROOM_MS)
  })
})
