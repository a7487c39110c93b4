import type { StoreId, StoreType } from '@lattice/model'
import { createAbortController } from '@lattice/model'
import type { StateMachine } from '@lattice/store-base'
import { describe, expect, test } from 'vitest'
import { createSimMesh, createTracker, nullMachine, type SimMesh, trackedPayload } from '../src/index.ts'
import { codeOf } from './support.ts'

/** Writes `count` numbered operations, continuing where the node's own stand. */
async function track(
  mesh: SimMesh,
  index: number,
  [id, from, count]: readonly [StoreId, number, number],
): Promise<void> {
  const kernel = mesh.store(index, id).kernel()
  const writes = Array.from({ length: count }, (_, offset) =>
    kernel.submit({ kind: 'appData', schema: 1, value: trackedPayload(from + offset) }),
  )
  await mesh.complete(Promise.all(writes))
}

async function share(mesh: SimMesh, storeType: string): Promise<StoreId> {
  const { id } = await mesh.complete(mesh.node(0).createStore({ storeType }))
  for (let index = 1; index < mesh.peers.length; index += 1) {
    await mesh.complete(mesh.node(index).join(await mesh.invite(0, id)))
  }
  return id
}

describe('an operation', () => {
  test('is applied once and after its causes, over crashes, restarts and partitions', async () => {
    const tracker = createTracker()
    const openers = new Map<StoreType, () => StateMachine>([[tracker.open().storeType, tracker.open]])
    await using mesh = await createSimMesh({ seed: 1, nodes: 3, openers, loseOneIn: 300 })
    const id = await share(mesh, 'test:tracking')
    for (let round = 0; round < 4; round += 1) {
      mesh.partition([round % 3])
      for (const index of [0, 1, 2]) await track(mesh, index, [id, round * 10, 10])
      mesh.crash(round % 3)
      await mesh.start(round % 3)
      mesh.heal()
      await mesh.restart((round + 1) % 3)
    }
    await mesh.converge(id)
    await mesh.complete(mesh.store(1, id).rebuild())
    await mesh.converge(id)
    expect(tracker.violations).toEqual([])
    for (const index of [0, 1, 2]) expect((await mesh.store(index, id).stateSummary()).appRows).toBe(120)
    expect(tracker.appliedCount()).toBeGreaterThanOrEqual(4 * 120)
  })

  test('applied too early or twice is seen by the tracker', () => {
    const tracker = createTracker()
    const machine = tracker.open()
    const rows = new Map<string, Uint8Array>()
    const table = {
      get: (key: Uint8Array) => rows.get(key.join()),
      set: (key: Uint8Array, value: Uint8Array) => void rows.set(key.join(), value),
    }
    const apply = (position: number): void => {
      const op = { author: new Uint8Array(32), id: new Uint8Array(32), payload: trackedPayload(position) }
      machine.apply(table as never, op as never)
    }
    apply(0)
    expect(tracker.violations).toEqual([])
    apply(0)
    apply(2)
    expect(tracker.violations.map(({ kind }) => kind)).toEqual(['applied_twice', 'applied_too_early'])
  })
})

describe('a store whose type has no opener', () => {
  test('replicates unread, serves others, and is read once an opener is there', async () => {
    const tracker = createTracker()
    const known = new Map<StoreType, () => StateMachine>([[tracker.open().storeType, tracker.open]])
    const unknown = new Map<StoreType, () => StateMachine>([[nullMachine.storeType, () => nullMachine]])
    await using mesh = await createSimMesh({ seed: 2, nodes: 3, openers: known })
    await mesh.stop(1)
    await mesh.start(1, { openers: unknown })
    const { id } = await mesh.complete(mesh.node(0).createStore({ storeType: 'test:tracking' }))
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, id)))
    await track(mesh, 0, [id, 0, 20])
    const token = await mesh.invite(0, id)
    await mesh.run(
      () => mesh.store(1, id).status().stats.witnessCount === mesh.store(0, id).status().stats.witnessCount,
      'the node without an opener holds everything',
    )
    const headless = mesh.store(1, id)
    expect(headless.status()).toMatchObject({ readable: false, peers: 2 })
    expect(await headless.stateSummary()).toMatchObject({ appRows: 0 })
    expect(() => headless.describe()).toThrow(expect.objectContaining({ code: 'STORE_TYPE_UNKNOWN' }))
    const signal = createAbortController().signal as AbortSignal
    expect(await codeOf(mesh, headless.exec('Put', new Uint8Array(), signal))).toBe('STORE_TYPE_UNKNOWN')

    await mesh.complete(mesh.node(2).join(token))
    await mesh.converge(id, [0, 2])
    await mesh.stop(0)
    await mesh.stop(2)
    await mesh.stop(1)
    await mesh.start(1, { openers: known })
    expect(mesh.store(1, id).status()).toMatchObject({ readable: true })
    expect(await mesh.store(1, id).stateSummary()).toMatchObject({ appRows: 20 })
    expect(tracker.violations).toEqual([])
  })
})
