/** Stores whose history was cut, on whole nodes: who prunes, and who comes to it later. */
import { cpSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type AbortSignal, createAbortController, isLagged, MAX_DRIFT_MS, type StoreId, toHex } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import type { NodeEvent } from '@lattice/node'
import { system } from '@lattice/proto'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, get, isAlone, kvOf, put, stateOf } from './support.ts'

const KEYS = 5
const { DORMANT } = system.PeerStatus
/** Between two looks at what the policy asks for. */
const LOOK_MS = 600_000

/** Notes what the node tells from now on. */
function listen(mesh: SimMesh, index: number, signal: AbortSignal, told: NodeEvent[]): void {
  const events = mesh.node(index).events(signal)
  const follow = async (): Promise<void> => {
    for await (const event of events) if (!isLagged(event)) told.push(event)
  }
  follow().catch(() => undefined)
}

async function overwrite(mesh: SimMesh, id: StoreId, count: number, from: readonly number[] = [0, 1]): Promise<void> {
  for (let n = 0; n < count; n += 1) await put(mesh, from[n % from.length] ?? 0, id, [`k${n % KEYS}`, `value ${n}`])
}

/** Cuts the history of the store, and resolves once these nodes have. */
async function prune(mesh: SimMesh, id: StoreId, indices: readonly number[]): Promise<void> {
  const { outcome, epoch } = await mesh.complete(mesh.store(0, id).prune())
  expect(outcome).toBe('begun')
  const isPruned = (index: number): boolean => {
    const { state, base } = mesh.store(index, id).pruning()
    return state === 'idle' && base !== undefined && epoch !== undefined && base.seq >= epoch.seq
  }
  await mesh.run(() => indices.every(isPruned), 'the log is pruned')
}

async function rootsOf(mesh: SimMesh, id: StoreId, indices: readonly number[]): Promise<readonly string[]> {
  const summaries = await Promise.all(indices.map((index) => mesh.complete(mesh.store(index, id).stateSummary())))
  return summaries.map(({ digest }) => toHex(digest))
}

describe('a store that was pruned', () => {
  test('goes on, with its state, and with less history on every node', async () => {
    await using mesh = await createSimMesh({ seed: 'pruned', nodes: 2 })
    const id = await mesh.share()
    await overwrite(mesh, id, 60)
    await mesh.converge(id)
    expect(await codeOf(mesh, mesh.store(1, id).prune())).toBe('NOT_ADMIN')
    const before = mesh.store(1, id).kernel().digest().witnessCount
    await prune(mesh, id, [0, 1])
    for (const index of [0, 1]) {
      expect(mesh.store(index, id).kernel().digest().witnessCount).toBeLessThan(before / 2)
      expect(mesh.store(index, id).pruning().base?.goneCount).toBeGreaterThan(55)
      expect(await get(mesh, index, id, 'k4')).toBe('value 59')
    }
    await overwrite(mesh, id, 6)
    await mesh.converge(id)
    expect(await get(mesh, 1, id, 'k0')).toBe('value 5')
    for (const index of [0, 1]) await mesh.restart(index)
    await mesh.converge(id)
    expect(await get(mesh, 0, id, 'k4')).toBe('value 4')
  })

  test('is pruned by its policy, as far as that keeps nothing, and no sooner than it is worth it', async () => {
    await using mesh = await createSimMesh({ seed: 'policy', nodes: 2 })
    const id = await mesh.share()
    await mesh.complete(mesh.store(0, id).setPrunePolicy({ kind: 'keep_count', count: 500 }))
    await mesh.converge(id)
    expect(mesh.store(1, id).pruning().policy).toEqual({ kind: 'keep_count', count: 500 })
    const kernel = mesh.store(0, id).kernel()
    const epochs = (): number => kernel.epochs().length
    const writeMany = async (): Promise<void> => {
      const puts = Array.from({ length: 1200 }, (_, n) => kvOf(mesh, 0, id).put(`k${n % KEYS}`, `${n}`))
      await mesh.complete(Promise.all(puts))
    }
    const before = epochs()
    await mesh.time.pass(3 * LOOK_MS)
    expect(epochs()).toBe(before)
    await writeMany()
    await mesh.run(() => epochs() === before + 1, 'there is an epoch that can be cut at', 2 * LOOK_MS)
    expect(kernel.epochs()[0]?.cause.kind).toBe('initial')
    expect(kernel.base()).toBe(undefined)
    await writeMany()
    const isCut = (index: number): boolean => (mesh.store(index, id).pruning().base?.goneCount ?? 0) > 1000
    await mesh.run(() => [0, 1].every(isCut), 'all have cut what is not to be kept', 2 * LOOK_MS)
    expect(kernel.epochs()[0]?.cause).toMatchObject({ kind: 'prune', below: kernel.base()?.epoch })
    expect(kernel.digest().witnessCount).toBeGreaterThan(1200)
    const after = epochs()
    await mesh.time.pass(3 * LOOK_MS)
    expect(epochs()).toBe(after)
    await mesh.converge(id)
  })

  test('is come back to by who was away, with its own writes, but those whose causes are gone, which are told', async () => {
    await using mesh = await createSimMesh({ seed: 'return', nodes: 3 })
    const id = await mesh.share()
    await overwrite(mesh, id, 12)
    await mesh.converge(id)
    // Overwritten before anybody acknowledges it, so nothing that is kept cites it.
    await put(mesh, 0, id, ['k3', 'for a moment'])
    await mesh.converge(id)
    mesh.partition([0, 1], [2])
    await overwrite(mesh, id, 20)
    await put(mesh, 2, id, ['mine', 'written away'])
    // Over what the others have cut when it comes back.
    await put(mesh, 2, id, ['k3', 'over what is gone'])
    await mesh.complete(mesh.store(0, id).setPeerStatus('node-2', DORMANT))
    await prune(mesh, id, [0, 1])
    await overwrite(mesh, id, 20)
    await prune(mesh, id, [0, 1])
    await overwrite(mesh, id, 3)
    const told: NodeEvent[] = []
    const listening = createAbortController()
    listen(mesh, 2, listening.signal, told)
    mesh.heal()
    await mesh.run(() => mesh.store(2, id).pruning().base !== undefined, 'it has begun anew')
    // Peers may hold beside the cut what it had to put aside: it writes nothing over that before one was found equal.
    mesh.partition([0, 1], [2])
    await expect(put(mesh, 2, id, ['early', 'v'])).rejects.toThrow('fetched anew behind a cut of its history')
    mesh.heal()
    await mesh.converge(id)
    listening.abort(new Error('the test is over'))
    expect(await get(mesh, 0, id, 'mine')).toBe('written away')
    const [stranded, ...more] = mesh.store(2, id).stranded()
    expect(stranded?.op.kind).toBe('appData')
    expect(more).toEqual([])
    expect(told.filter(({ kind }) => kind === 'returned')).toMatchObject([{ storeId: id, waiting: 1 }])
    expect(await get(mesh, 2, id, 'k3')).not.toBe('over what is gone')
    await mesh.run(() => mesh.store(2, id).status().held === undefined, 'both were found equal')
    const { settled, kept, failure } = await mesh.complete(mesh.store(2, id).resubmitStranded())
    expect([settled.map(({ lost }) => lost), kept, failure]).toEqual([[stranded?.id], [], undefined])
    expect(mesh.store(2, id).stranded()).toEqual([])
    await mesh.converge(id)
    expect(await get(mesh, 1, id, 'k3')).toBe('over what is gone')
    expect(new Set(await rootsOf(mesh, id, [0, 1, 2])).size).toBe(1)
    await put(mesh, 2, id, ['mine', 'again'])
    await mesh.converge(id)
    expect(await get(mesh, 1, id, 'mine')).toBe('again')
  })

  test('is come back to by whose clock was ahead: its chain goes on where it ended, once that has its time', async () => {
    await using mesh = await createSimMesh({ seed: 'early', nodes: 3 })
    const id = await mesh.share()
    await overwrite(mesh, id, 12)
    await mesh.converge(id)
    // What it acknowledges alone would cite what is gone by then.
    await mesh.time.pass(30_000)
    await mesh.converge(id)
    mesh.partition([0, 1], [2])
    await mesh.run(() => isAlone(mesh, 2, id), 'node 2 is alone')
    mesh.skew(2, 10 * MAX_DRIFT_MS)
    await put(mesh, 2, id, ['mine', 'ahead of its time'])
    await put(mesh, 2, id, ['last', 'after it'])
    await mesh.complete(mesh.store(0, id).setPeerStatus('node-2', DORMANT))
    await overwrite(mesh, id, 20)
    await prune(mesh, id, [0, 1])
    mesh.skew(2, 0)
    mesh.heal()
    await mesh.run(() => mesh.store(2, id).pruning().base !== undefined, 'it has begun anew')
    await mesh.run(() => mesh.store(2, id).status().held?.includes('in the future') === true, 'it is told why')
    await expect(put(mesh, 2, id, ['early', 'v'])).rejects.toThrow('in the future')
    await mesh.run(() => mesh.store(2, id).status().held === undefined, 'it may write')
    await put(mesh, 2, id, ['mine', 'in time'])
    await mesh.converge(id)
    expect(await get(mesh, 0, id, 'mine')).toBe('in time')
    expect(await get(mesh, 0, id, 'last')).toBe('after it')
    for (const index of [0, 1, 2]) expect(mesh.store(index, id).kernel().forks(1)).toEqual([])
  })

  test('that a restart kept from being fetched anew is gone on with, or let be where nobody cut anything more', async () => {
    await using mesh = await createSimMesh({ seed: 'begun', nodes: 2 })
    const id = await mesh.share()
    await overwrite(mesh, id, 12)
    await mesh.converge(id)
    const begun = join(mesh.peers[1]?.dataDir() ?? '', 'stores', toHex(id), 'fetching')
    await mesh.stop(1)
    mkdirSync(begun)
    await mesh.start(1)
    await mesh.run(() => !existsSync(begun), 'what was begun is let be')
    await mesh.stop(1)
    mkdirSync(begun)
    await mesh.complete(mesh.store(0, id).setPeerStatus('node-1', DORMANT))
    await prune(mesh, id, [0])
    await mesh.start(1)
    await mesh.converge(id)
    await mesh.run(() => !existsSync(begun), 'it is gone on with')
    expect(mesh.store(1, id).pruning().base).toBeDefined()
  })

  test('that was cut later meanwhile stays, whatever was fetched for it', async () => {
    await using mesh = await createSimMesh({ seed: 'overtaken', nodes: 2 })
    const id = await mesh.share()
    await overwrite(mesh, id, 12)
    await mesh.converge(id)
    await prune(mesh, id, [0, 1])
    const path = join(mesh.peers[1]?.dataDir() ?? '', 'stores', toHex(id))
    const [aside, fetched] = [join(mesh.peers[1]?.dataDir() ?? '', 'aside'), join(path, 'fetching')]
    await mesh.stop(1)
    cpSync(path, aside, { recursive: true })
    await mesh.start(1)
    await overwrite(mesh, id, 6)
    await mesh.converge(id)
    await prune(mesh, id, [0, 1])
    const later = mesh.store(1, id).pruning().base
    await put(mesh, 1, id, ['after', 'the later cut'])
    await mesh.converge(id)
    await mesh.stop(1)
    // As it was at the earlier cut: whole, and not in place yet.
    cpSync(aside, fetched, { recursive: true })
    mesh.partition([0], [1])
    await mesh.start(1)
    await mesh.run(() => !existsSync(fetched), 'what was fetched is dropped')
    await mesh.run(() => stateOf(mesh, 1, id) === 'active', 'the store is in use')
    expect(mesh.store(1, id).pruning().base).toEqual(later)
    expect(await get(mesh, 1, id, 'after')).toBe('the later cut')
    mesh.heal()
    await mesh.converge(id)
  })
})
