import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatSExpr, type StoreType } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { createClient, type StateMachine } from '@lattice/store-base'
import { createMachineHost } from '@lattice/store-base/testing'
import { convergesUnderAnyOrder, createSimMesh } from '@lattice/testkit'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { counterStore } from './counter-store.ts'
import { encodePayload } from './payload.ts'

test('counts', async () => {
  const counters = createClient(counterStore, createMachineHost({ machine: counterStore, table: createMemoryTable() }))
  await counters.add({ name: 'visits', delta: 2n })
  await counters.add({ name: 'visits', delta: -5n })
  expect((await counters.get({ name: 'visits' })).value).toBe(-3n)
  expect((await counters.get({ name: 'unknown' })).value).toBe(0n)
  await expect(counters.add({ name: '', delta: 1n })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('is followed from what it is on', async () => {
  const counters = createClient(counterStore, createMachineHost({ machine: counterStore, table: createMemoryTable() }))
  await counters.add({ name: 'visits', delta: 1n })
  const watch = counters.watch({ name: 'visits' })
  await counters.add({ name: 'others', delta: 7n })
  await counters.add({ name: 'visits', delta: 1n })
  const seen: bigint[] = []
  for await (const { value } of watch) if (seen.push(value) === 2) break
  expect(seen).toEqual([1n, 2n])
})

const payloads = fc.oneof(
  fc
    .record({ name: fc.constantFrom('a', 'b', ''), delta: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) })
    .map(encodePayload),
  fc.uint8Array({ maxLength: 12 }),
)

test('ends in the same bytes, whatever the order', () => {
  convergesUnderAnyOrder(counterStore, payloads)
})

test('takes or rejects any bytes, and shows them', () => {
  const [good, bad] = [encodePayload({ name: 'visits', delta: -3n }), Uint8Array.of(0xff)]
  expect(formatSExpr(counterStore.summarize(good))).toBe('(add "visits" -3)')
  expect(formatSExpr(counterStore.summarize(bad))).toBe('(rejected payload_malformed 0xff)')
  fc.assert(fc.property(payloads, (bytes) => void formatSExpr(counterStore.summarize(bytes))))
})

test('counts once what nodes count apart', async () => {
  const openers = new Map<StoreType, () => StateMachine>([[counterStore.storeType, () => counterStore as StateMachine]])
  await using mesh = await createSimMesh({ seed: 1, nodes: 2, openers })
  const { id } = await mesh.complete(mesh.node(0).createStore({ storeType: counterStore.storeType }))
  await mesh.complete(mesh.node(1).join(await mesh.invite(0, id)))
  mesh.partition([0], [1])
  for (const index of [0, 1])
    for (let count = 0; count < 3; count += 1)
      await mesh.complete(mesh.store(index, id).open(counterStore).add({ name: 'visits', delta: 1n }))
  mesh.heal()
  await mesh.converge(id)
  expect((await mesh.store(1, id).open(counterStore).get({ name: 'visits' })).value).toBe(6n)
})

test('is what the guide shows', () => {
  // Shown with less of an indent.
  const read = (path: string): string =>
    readFileSync(join(import.meta.dirname, path), 'utf8').replace(/^ +/gm, '')
  const sources = ['payload.ts', 'apply.ts', 'methods.ts', 'counter-store.ts', 'counter-store.test.ts'].map(read)
  const all = [...sources, read('../proto/example/counter/v1/counter.proto')]
  const guide = read('../../../docs/state-machines.md')
  const blocks = [...guide.matchAll(/^```(?:ts|proto)\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '')
  expect(blocks.length).toBeGreaterThan(5)
  const isShown = (block: string): boolean => all.some((text) => text.includes(block.trimEnd()))
  expect(blocks.filter((block) => !isShown(block))).toEqual([])
})
