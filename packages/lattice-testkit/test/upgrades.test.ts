/** A schema that is activated: newer nodes write as before until then, older ones wait from then on, nothing is lost. */
import { kvStore } from '@lattice/kvstore'
import { concatBytes, type IntentionId, type StoreId, type StoreType } from '@lattice/model'
import type { StateMachine } from '@lattice/store-base'
import { readSchema } from '@lattice/systemstore'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, get, kvOf, put } from './support.ts'

const MARK = Uint8Array.of(2)

type Commands = StateMachine['commands']

/** The kv machine with one schema, and with another second one, in which a payload begins with a mark. */
function machineOf(schemaVersion: 1 | 2): StateMachine {
  const { commandSchema: _, purge: __, ...rest } = kvStore as StateMachine
  const machine: StateMachine = { ...rest, schemaVersion: 1 }
  if (schemaVersion === 1) return machine
  const commands: Commands = Object.fromEntries(
    Object.entries(machine.commands).map(([name, command]) => {
      const { plan: _, ...definition } = command
      const upgraded: Commands[string] = {
        ...definition,
        run: async (context, request) =>
          command.run(
            {
              ...context,
              submit: async (payload, deps) =>
                context.submit(context.schema >= 2 ? concatBytes(MARK, payload) : payload, deps),
            },
            request,
          ),
      }
      return [name, upgraded]
    }),
  )
  return {
    ...machine,
    schemaVersion,
    commands,
    apply: (table, op) => {
      if (op.schema === 1) return machine.apply(table, op)
      if (op.payload[0] !== MARK[0]) return { kind: 'rejected', reason: 'mark_missing' }
      return machine.apply(table, { ...op, payload: op.payload.subarray(1) })
    },
  }
}

const openers = (schemaVersion: 1 | 2): ReadonlyMap<StoreType, () => StateMachine> =>
  new Map([[kvStore.storeType, () => machineOf(schemaVersion)]])

async function upgrade(mesh: SimMesh, index: number): Promise<void> {
  await mesh.stop(index)
  await mesh.start(index, { openers: openers(2) })
}

async function holds(mesh: SimMesh, index: number, [id, write]: readonly [StoreId, IntentionId]): Promise<void> {
  await mesh.run(() => mesh.store(index, id).kernel().has(write), `node ${index} holds the write`)
}

describe('an activated schema', () => {
  test('is written from then on; an older node stalls, keeps replicating, and catches up once upgraded', async () => {
    await using mesh = await createSimMesh({ seed: 5, nodes: 3, openers: openers(1) })
    const id = await mesh.share('team')
    await put(mesh, 0, id, ['old', '1'])
    await upgrade(mesh, 0)
    // Upgraded and not activated: still what everybody reads.
    await put(mesh, 0, id, ['between', '2'])
    await mesh.converge(id)
    expect(await get(mesh, 2, id, 'between')).toBe('2')

    await upgrade(mesh, 1)
    expect(await codeOf(mesh, mesh.store(1, id).activateSchema(2))).toBe('NOT_ADMIN')
    await mesh.complete(mesh.store(0, id).activateSchema(2))
    await mesh.converge(id)
    await holds(mesh, 0, [id, await mesh.complete(kvOf(mesh, 1, id).put('new', '3'))])
    await holds(mesh, 2, [id, await mesh.complete(kvOf(mesh, 0, id).put('newer', '4'))])
    await mesh.run(() => mesh.store(2, id).status().projection.stalled !== undefined, 'node 2 stalls')
    expect(mesh.store(2, id).status().projection.stalled?.error).toMatchObject({
      code: 'SCHEMA_TOO_NEW',
      detail: { known: 1, needed: 2 },
    })
    expect(await get(mesh, 2, id, 'between')).toBe('2')
    expect(await get(mesh, 2, id, 'new')).toBeUndefined()
    // Stalled, it takes in and passes on what it cannot read.
    mesh.partition([0, 2], [1])
    const newest = await mesh.complete(kvOf(mesh, 0, id).put('newest', '5'))
    await holds(mesh, 2, [id, newest])
    expect(mesh.store(1, id).kernel().has(newest)).toBe(false)
    mesh.partition([1, 2], [0])
    await holds(mesh, 1, [id, newest])
    expect(await get(mesh, 1, id, 'newest')).toBe('5')
    expect(await codeOf(mesh, mesh.store(2, id).retry())).toBe('PROJECTION_STALLED')

    await upgrade(mesh, 2)
    mesh.heal()
    await put(mesh, 2, id, ['last', '6'])
    await mesh.converge(id)
    const keys = ['old', 'between', 'new', 'newer', 'newest', 'last']
    for (const index of [0, 1, 2]) {
      const values = await Promise.all(keys.map(async (key) => get(mesh, index, id, key)))
      expect(values).toEqual(['1', '2', '3', '4', '5', '6'])
      expect(mesh.store(index, id).kernel().rejections(0, 10)).toEqual([])
    }
  })

  test('is no other than one that is known here, is later, and is a version', async () => {
    await using mesh = await createSimMesh({ seed: 7, nodes: 1, openers: openers(1) })
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    await upgrade(mesh, 0)
    const activate = async (version: number): Promise<string> => codeOf(mesh, mesh.store(0, id).activateSchema(version))
    for (const version of [0, -1, 1.5, Number.NaN, 3, 2 ** 40]) expect(await activate(version)).toBe('INVALID_ARGUMENT')
    expect(await activate(1)).toBe('resolved')
    expect(await activate(2)).toBe('resolved')
    const { witnessCount } = mesh.store(0, id).kernel().stats()
    expect(await activate(2)).toBe('resolved')
    expect(mesh.store(0, id).kernel().stats().witnessCount).toBe(witnessCount)
    expect(await activate(1)).toBe('INVALID_ARGUMENT')
    await mesh.stop(0)
    await mesh.start(0, { openers: new Map() })
    expect(await codeOf(mesh, mesh.store(0, id).activateSchema(2))).toBe('STORE_TYPE_UNKNOWN')
  })

  test('is that of who creates a store, from the first on', async () => {
    await using mesh = await createSimMesh({ seed: 8, nodes: 1, openers: openers(2) })
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    expect(readSchema(mesh.store(0, id).kernel().tables().system)).toBe(2)
  })
})
