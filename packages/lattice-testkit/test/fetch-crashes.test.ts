/** A node that fetches a store whose history was cut, and loses power at any step of that, has all of it in the end. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { equalBytes, type StoreId } from '@lattice/model'
import { system } from '@lattice/proto'
import { afterAll, describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh, type SimMeshOptions } from '../src/index.ts'
import { get, put } from './support.ts'

const kernelOf = (mesh: SimMesh, index: number, id: StoreId) => mesh.store(index, id).kernel()
const FETCHER = 2

const prepared: string[] = []
afterAll(() => {
  for (const directory of prepared) rmSync(directory, { recursive: true, force: true })
})

async function prune(mesh: SimMesh, id: StoreId, indices: readonly number[]): Promise<void> {
  const epoch = await mesh.complete(kernelOf(mesh, 0, id).submitEpoch({ kind: 'prune' }))
  const isCut = (index: number): boolean =>
    equalBytes(kernelOf(mesh, index, id).base()?.epoch ?? new Uint8Array(0), epoch)
  await mesh.run(() => indices.every(isCut), 'the history is cut everywhere')
}

interface Prepared {
  readonly id: StoreId
  readonly from: NonNullable<SimMeshOptions['from']>
}

/** Nodes 0 and 1 with a store whose history they have cut; node 2, which had it before, or knows nothing of it. */
async function prepare(seed: string, hadIt: boolean): Promise<Prepared> {
  await using mesh = await createSimMesh({ seed, nodes: 3, discovery: true })
  const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
  const members = hadIt ? [1, FETCHER] : [1]
  for (const index of members) await mesh.complete(mesh.node(index).join(await mesh.invite(0, id)))
  await mesh.converge(id, [0, ...members])
  for (let n = 0; n < 6; n += 1) await put(mesh, n % 2, id, [`k${n % 5}`, `of ${n}`])
  await mesh.converge(id, [0, ...members])
  if (hadIt) {
    await mesh.complete(mesh.store(0, id).setPeerStatus('node-2', system.PeerStatus.DORMANT))
    await mesh.converge(id)
    mesh.partition([0, 1], [FETCHER])
    await put(mesh, FETCHER, id, ['mine', 'written away'])
  }
  await mesh.stop(FETCHER)
  for (let n = 0; n < 6; n += 1) await put(mesh, n % 2, id, [`k${n % 5}`, `then ${n}`])
  await mesh.converge(id, [0, 1])
  await prune(mesh, id, [0, 1])
  await put(mesh, 0, id, ['after', 'v'])
  await mesh.converge(id, [0, 1])
  const directories = mesh.peers.map((peer) => peer.dataDir())
  for (const index of [0, 1]) await mesh.stop(index)
  const directory = mkdtempSync(join(tmpdir(), 'lattice-prepared-'))
  prepared.push(directory)
  for (const [index, each] of directories.entries()) {
    cpSync(each, join(directory, `node-${index}`), { recursive: true })
  }
  return { id, from: { directory, wallMs: mesh.time.scheduler.clock.wallMs() } }
}

/** What changes what is on the disk, and what comes right before or after files are moved. */
const STEPS = new Set(['opened', 'committed', 'closed'])

interface Attempt {
  /** What node 2 does once it is up, again after it was down. */
  readonly begin: (mesh: SimMesh) => Promise<unknown>
  /** What holds once all are together. */
  readonly check: (mesh: SimMesh) => Promise<void>
}

/**
 * Has node 2 lose power at the `nth` step that it takes in the store's files, and start again; false where it took fewer.
 * Ends with all nodes together.
 */
async function crashAt({ id, from }: Prepared, nth: number, { begin, check }: Attempt): Promise<boolean> {
  let left = Number.POSITIVE_INFINITY
  let where = 'nothing'
  await using mesh = await createSimMesh({
    seed: `fetch ${nth}`,
    nodes: 3,
    startNodes: 2,
    discovery: true,
    from,
    disk: (index, point, path) => {
      if (index !== FETCHER || left <= 0 || !STEPS.has(point) || !path.includes('/stores/')) return
      left -= 1
      if (left > 0) return
      where = `${point} ${path.split('/').slice(-2).join('/')}`
      mesh.crash(FETCHER, { tear: nth % 2 === 0 })
      throw new Error('this node crashes here')
    },
  })
  left = nth
  const life = mesh.life(FETCHER).generation
  const begun = mesh.begin(FETCHER)
  begun.catch(() => undefined)
  const isDone = (): boolean => mesh.life(FETCHER).generation > life || isTogether(mesh, id)
  await mesh.run(() => mesh.peers[FETCHER]?.isUp() === true || isDone(), 'it is up')
  if (mesh.peers[FETCHER]?.isUp() === true) begin(mesh).catch(() => undefined)
  await mesh.run(isDone, 'it has crashed, or come to its end')
  const hasCrashed = mesh.life(FETCHER).generation > life
  if (hasCrashed) {
    await mesh.start(FETCHER)
    begin(mesh).catch(() => undefined)
    await mesh.run(() => isTogether(mesh, id), `it has come good after ${where}`)
  }
  left = Number.POSITIVE_INFINITY
  await check(mesh)
  return hasCrashed
}

function isTogether(mesh: SimMesh, id: StoreId): boolean {
  const has =
    mesh.peers[FETCHER]?.isUp() === true &&
    mesh
      .node(FETCHER)
      .stores()
      .some((store) => equalBytes(store.id, id) && store.state === 'active')
  // Of what is closed for a moment nothing can be asked.
  return has && mesh.isConverged(id) && kernelOf(mesh, FETCHER, id).base() !== undefined
}

/** Steps that there are at least: those up to there have to be met. */
const STEPS_LEAST = 35
/** Every fifth, others for each way to begin; each where all are asked for. */
const stepsFrom = (first: number): readonly number[] => {
  const every = process.env['LATTICE_CRASH_ALL'] === undefined ? 5 : 1
  return Array.from({ length: Math.ceil(45 / every) }, (_, at) => (every === 1 ? 1 : first) + every * at)
}

/** Made by the first that needs it. */
function once(make: () => Promise<Prepared>): () => Promise<Prepared> {
  let made: Promise<Prepared> | undefined
  return () => (made ??= make())
}

describe('a node that comes back to a store whose history was cut', () => {
  const scene = once(() => prepare('back', true))

  test.each(stepsFrom(1))('and loses power at step %d has it, and no write of its own is lost', async (nth) => {
    const { id } = await scene()
    const hasCrashed = await crashAt(await scene(), nth, {
      begin: async () => undefined,
      check: async (mesh) => {
        expect(await get(mesh, FETCHER, id, 'after')).toBe('v')
        const stranded = mesh.store(FETCHER, id).stranded().length
        const isThere = (await get(mesh, FETCHER, id, 'mine')) === 'written away'
        expect([stranded, isThere]).toEqual(isThere ? [0, true] : [1, false])
        expect((await mesh.complete(mesh.store(FETCHER, id).verify())).outcome).toBe('sound')
      },
    })
    expect(hasCrashed || nth > STEPS_LEAST).toBe(true)
  })
})

describe('a node that joins such a store', () => {
  const scene = once(() => prepare('join', false))

  test.each(stepsFrom(3))('and loses power at step %d has it, by itself or by the same token', async (nth) => {
    const { id } = await scene()
    const tokens = new WeakMap<SimMesh, string>()
    const hasCrashed = await crashAt(await scene(), nth, {
      begin: async (mesh) => {
        const token = tokens.get(mesh) ?? (await mesh.invite(0, id))
        tokens.set(mesh, token)
        return mesh.node(FETCHER).join(token)
      },
      check: async (mesh) => {
        expect(await get(mesh, FETCHER, id, 'after')).toBe('v')
        expect((await mesh.complete(mesh.store(FETCHER, id).verify())).outcome).toBe('sound')
        await put(mesh, FETCHER, id, ['by', 'the joiner'])
        await mesh.converge(id)
      },
    })
    expect(hasCrashed || nth > STEPS_LEAST).toBe(true)
  })
})
