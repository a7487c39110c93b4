/** Watches and followings that go on where they left off, over restarts and crashes of whole nodes; and the log behind. */
import { type KvWatchEvent, kvStore, openKv } from '@lattice/kvstore'
import { type LogFollowEvent, logStore, openLog } from '@lattice/logstore'
import { createAbortController, type StoreType, utf8Decode } from '@lattice/model'
import type { StateMachine } from '@lattice/store-base'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { kvOf, put } from './support.ts'

const openers = new Map<StoreType, () => StateMachine>([
  [kvStore.storeType, () => kvStore as StateMachine],
  [logStore.storeType, () => logStore as StateMachine],
])

type StreamEvent = KvWatchEvent | LogFollowEvent

interface Reader<Event extends StreamEvent> {
  readonly lines: () => readonly string[]
  /** Runs until the event is told. */
  readonly until: (line: string) => Promise<void>
  readonly cursor: () => Uint8Array
  readonly events: readonly Event[]
  readonly end: () => void
}

function read<Event extends StreamEvent>(
  mesh: SimMesh,
  open: (signal: AbortSignal) => AsyncIterable<Event>,
): Reader<Event> {
  const controller = createAbortController()
  const events: Event[] = []
  const reading = async (): Promise<void> => {
    for await (const event of open(controller.signal as AbortSignal)) events.push(event)
  }
  reading().catch(() => undefined)
  const lines = (): readonly string[] => events.map(lineOf)
  return {
    lines,
    events,
    until: (line) => mesh.run(() => lines().includes(line), `${line} is told, of ${lines().join(' ')}`),
    cursor: () => {
      const cursor = events.at(-1)?.cursor
      if (cursor === undefined) throw new Error('the last event has a cursor')
      return cursor
    },
    end: () => controller.abort(),
  }
}

function lineOf(event: StreamEvent): string {
  switch (event.kind) {
    case 'put':
      return `${utf8Decode(event.key) ?? '?'}=${utf8Decode(event.value) ?? '?'}`
    case 'deleted':
      return `-${utf8Decode(event.key) ?? '?'}`
    case 'entry':
      return utf8Decode(event.content) ?? '?'
    case 'lagged':
      return `lagged ${event.count}`
    case 'snapshot_end':
    case 'caught_up':
      return event.kind
  }
}

describe('a watch', () => {
  test.each([
    ['a restart', (mesh: SimMesh) => mesh.stop(1)],
    ['a crash', async (mesh: SimMesh) => mesh.crash(1)],
  ])('goes on over %s of its node with what changed meanwhile, each key once', async (_name, takeDown) => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 2 })
    const id = await mesh.share()
    await put(mesh, 0, id, ['kept', '1'])
    await put(mesh, 0, id, ['gone', '1'])
    await mesh.converge(id)
    const before = read(mesh, (signal) => kvOf(mesh, 1, id).watch({ snapshot: true, signal }))
    await before.until('snapshot_end')
    await put(mesh, 0, id, ['live', '1'])
    await before.until('live=1')
    before.end()
    await takeDown(mesh)
    for (const value of ['2', '3', '4']) await put(mesh, 0, id, ['live', value])
    await mesh.complete(kvOf(mesh, 0, id).delete('gone'))
    await mesh.start(1)
    await mesh.converge(id)
    await put(mesh, 1, id, ['own', '5'])
    const after = read(mesh, (signal) => kvOf(mesh, 1, id).watch({ cursor: before.cursor(), signal }))
    await after.until('caught_up')
    expect(after.lines()).toEqual(['live=4', '-gone', 'own=5', 'caught_up'])
    await put(mesh, 0, id, ['live', '6'])
    await after.until('live=6')
    after.end()
  })

  test('on another node does not take a cursor for its own, nor one that was changed', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 2 })
    const id = await mesh.share()
    await put(mesh, 0, id, ['k', '1'])
    await mesh.converge(id)
    const here = read(mesh, (signal) => kvOf(mesh, 0, id).watch({ snapshot: true, signal }))
    await here.until('snapshot_end')
    const cursor = here.cursor()
    const foreign = read(mesh, (signal) => kvOf(mesh, 1, id).watch({ cursor, signal }))
    await foreign.until('lagged 0')
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: cursor.length - 1 }), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = cursor.slice()
        changed[at] = (changed[at] ?? 0) ^ flip
        const controller = createAbortController()
        const events = kvOf(mesh, 0, id).watch({ cursor: changed, signal: controller.signal })
        for await (const event of events) {
          expect(lineOf(event)).toBe('lagged 0')
          break
        }
        controller.abort()
      }),
      { numRuns: 200 },
    )
    here.end()
    foreign.end()
  })

  test('of a node whose state is rebuilt is told to read again, and its cursors stay good', async () => {
    await using mesh = await createSimMesh({ seed: 3, nodes: 1 })
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    await put(mesh, 0, id, ['k', '1'])
    const watch = read(mesh, (signal) => kvOf(mesh, 0, id).watch({ snapshot: true, signal }))
    await watch.until('snapshot_end')
    const cursor = watch.cursor()
    await mesh.complete(mesh.store(0, id).rebuild())
    await watch.until('lagged 0')
    expect(watch.events.at(-1)?.cursor).toBeUndefined()
    await put(mesh, 0, id, ['k', '2'])
    await watch.until('k=2')
    const again = read(mesh, (signal) => kvOf(mesh, 0, id).watch({ cursor, signal }))
    await again.until('caught_up')
    expect(again.lines()).toEqual(['k=2', 'caught_up'])
    watch.end()
    again.end()
  })

  test('with many writes to catch up with lets the store go on, and misses nothing of that', async () => {
    await using mesh = await createSimMesh({ seed: 4, nodes: 1 })
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    const kv = kvOf(mesh, 0, id)
    const first = read(mesh, (signal) => kv.watch({ snapshot: true, signal }))
    await first.until('snapshot_end')
    first.end()
    const entries = Array.from({ length: 3000 }, (_, at) => ({ key: `k${at % 10}`, value: `${at}` }))
    await mesh.complete(kv.import(entries, { keysPerWrite: 1 }))
    const again = read(mesh, (signal) => kv.watch({ cursor: first.cursor(), signal }))
    await put(mesh, 0, id, ['k3', 'meanwhile'])
    await put(mesh, 0, id, ['end', ''])
    await again.until('end=')
    const latest = new Map(again.lines().map((line) => line.split('=') as [string, string]))
    expect(latest.get('k3')).toBe('meanwhile')
    expect(latest.get('k9')).toBe('2999')
    expect(again.lines().length).toBeLessThan(20)
    again.end()
  })
})

describe('a following of a log', () => {
  test('goes on over a crash of its node, every entry once and in the order of arrival', async () => {
    await using mesh = await createSimMesh({ seed: 5, nodes: 2, openers })
    const { id } = await mesh.complete(mesh.node(0).createStore({ storeType: logStore.storeType }))
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, id)))
    const logOf = (index: number) => openLog(mesh.store(index, id))
    await mesh.complete(logOf(0).append('one'))
    await mesh.converge(id)
    const before = read(mesh, (signal) => logOf(1).follow({ tail: 10, signal }))
    await before.until('caught_up')
    await mesh.complete(logOf(0).append('two'))
    await before.until('two')
    before.end()
    mesh.crash(1)
    await mesh.complete(logOf(0).appendBatch(['three', 'four']))
    await mesh.complete(logOf(0).append('five'))
    await mesh.start(1)
    await mesh.converge(id)
    await mesh.complete(logOf(1).append('six'))
    const after = read(mesh, (signal) => logOf(1).follow({ cursor: before.cursor(), signal }))
    await after.until('caught_up')
    expect(after.lines()).toEqual(['three', 'four', 'five', 'six', 'caught_up'])
    after.end()
    await mesh.converge(id)
    for (const index of [0, 1]) {
      const entries: string[] = []
      for await (const entry of logOf(index).read()) entries.push(utf8Decode(entry.content) ?? '?')
      expect(entries).toEqual(['one', 'two', 'three', 'four', 'five', 'six'])
    }
  })

  test('concurrent appends of nodes that were apart are read in one order by all', async () => {
    await using mesh = await createSimMesh({ seed: 6, nodes: 3, openers })
    const { id } = await mesh.complete(mesh.node(0).createStore({ storeType: logStore.storeType }))
    for (const index of [1, 2]) await mesh.complete(mesh.node(index).join(await mesh.invite(0, id)))
    await mesh.converge(id)
    mesh.partition([0], [1], [2])
    for (let round = 0; round < 5; round += 1)
      for (const index of [0, 1, 2]) await mesh.complete(openLog(mesh.store(index, id)).append(`${index}.${round}`))
    mesh.heal()
    await mesh.converge(id)
    const reads = await Promise.all(
      [0, 1, 2].map(async (index) => {
        const entries = []
        for await (const entry of openLog(mesh.store(index, id)).read()) entries.push(entry)
        return entries
      }),
    )
    expect(reads[0]).toHaveLength(15)
    expect(reads[1]).toEqual(reads[0])
    expect(reads[2]).toEqual(reads[0])
  })
})

describe('a history', () => {
  test('goes on through writes whose citations an ack folds, and through those of other nodes', async () => {
    await using mesh = await createSimMesh({ seed: 7, nodes: 2 })
    const id = await mesh.share()
    const kv = openKv(mesh.store(0, id))
    const keys = Array.from({ length: 40 }, (_, at) => `k${at}`)
    for (const key of keys) await mesh.complete(kv.put(key, 'alone'))
    const batch = kv.batch()
    for (const key of keys) batch.put(key, 'together')
    await mesh.complete(batch.commit())
    await mesh.converge(id)
    await put(mesh, 1, id, ['k7', 'elsewhere'])
    await mesh.converge(id)
    for (const index of [0, 1]) {
      const told: string[] = []
      for await (const item of kvOf(mesh, index, id).history('k7', { pageSize: 1 })) {
        const value = item.kind === 'write' ? (item.value ?? new Uint8Array()) : undefined
        told.push(
          value === undefined ? item.kind : `${utf8Decode(value) ?? '?'}${'stands' in item && item.stands ? '*' : ''}`,
        )
      }
      expect(told).toEqual(['elsewhere*', 'together', 'alone'])
    }
  })

  test('leaves out what the store rejected, as a watch that goes on does', async () => {
    // A node that is stricter than the others rejects what they take, so long as they replace it.
    const machine = kvStore as StateMachine
    const strict: StateMachine = {
      ...machine,
      apply: (table, op) =>
        Buffer.from(op.payload).includes('bad') ? { kind: 'rejected', reason: 'bad' } : machine.apply(table, op),
    }
    await using mesh = await createSimMesh({ seed: 9, nodes: 2 })
    const id = await mesh.share()
    await put(mesh, 0, id, ['k', '1'])
    await mesh.converge(id)
    await mesh.stop(0)
    await mesh.start(0, { openers: new Map([[kvStore.storeType, () => strict]]) })
    const watch = read(mesh, (signal) => kvOf(mesh, 0, id).watch({ snapshot: true, signal }))
    await watch.until('snapshot_end')
    watch.end()
    await mesh.complete(kvOf(mesh, 1, id).batch().put('k', 'bad').put('l', 'bad').commit())
    await mesh.complete(kvOf(mesh, 1, id).batch().put('k', '2').put('l', '').commit())
    await mesh.converge(id, [1])
    await mesh.run(() => mesh.store(0, id).kernel().rejections(0, 10).length === 1, 'it is rejected')
    await put(mesh, 1, id, ['m', ''])
    const again = read(mesh, (signal) => kvOf(mesh, 0, id).watch({ cursor: watch.cursor(), signal }))
    await again.until('m=')
    expect(again.lines().slice(0, 2)).toEqual(['k=2', 'l='])
    again.end()
    const items = []
    for await (const item of kvOf(mesh, 0, id).history('k')) items.push(item.kind)
    // The rejected one led to the first, which stands beside what the others see.
    expect(items).toEqual(['write', 'write'])
  })

  test('has both sides of a conflict', async () => {
    await using mesh = await createSimMesh({ seed: 8, nodes: 2 })
    const id = await mesh.share()
    await put(mesh, 0, id, ['k', 'first'])
    await mesh.converge(id)
    mesh.partition([0], [1])
    await put(mesh, 0, id, ['k', 'a'])
    await put(mesh, 1, id, ['k', 'b'])
    mesh.heal()
    await mesh.converge(id)
    const items = []
    for await (const item of kvOf(mesh, 0, id).history('k')) items.push(item)
    expect(items).toHaveLength(3)
    expect(items).toMatchObject([
      { stands: true, wins: true },
      { stands: true, wins: false },
      { stands: false, wins: false },
    ])
  })
})
