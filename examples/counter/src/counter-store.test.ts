import { create, createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { formatSExpr, isLatticeError, toPublicKey, utf8Encode } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { createClient, describeMachine } from '@lattice/store-base'
import { createMachineHost } from '@lattice/store-base/testing'
import { expect, test } from 'vitest'
import { counterStore } from './counter-store.ts'
import { encodePayload, MAX_NAME_BYTES } from './payload.ts'
import { MAX_LIMIT } from './queries.ts'

const other = toPublicKey(new Uint8Array(32).fill(9))

function open(options: { readonly schema?: number; readonly streamCapacity?: number } = {}) {
  const host = createMachineHost({ machine: counterStore, table: createMemoryTable(), ...options })
  return { host, counters: createClient(counterStore, host) }
}

const codeOf = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'no error',
    (error: unknown) => (isLatticeError(error) ? error.code : error),
  )

test('adds are summed, whoever made them', async () => {
  const { host, counters } = open()
  await counters.add({ name: 'visits' })
  await counters.add({ name: 'visits', by: -3n })
  host.deliver({ payload: encodePayload({ name: 'visits', change: { kind: 'add', by: 10n } }), author: other })
  expect((await counters.get({ name: 'visits' })).value).toBe(8n)
  expect((await counters.get({ name: 'unheard of' })).value).toBe(0n)
})

test('a reset wins over adds that have not seen it, and none counts twice', async () => {
  const { host, counters } = open()
  const byOther = encodePayload({ name: 'visits', change: { kind: 'add', by: 10n } })
  await counters.add({ name: 'visits', by: 5n })
  const { id } = await counters.reset({ name: 'visits' })
  host.deliver({ payload: byOther, author: other })
  expect((await counters.get({ name: 'visits' })).value).toBe(0n)
  await counters.add({ name: 'visits', by: 2n })
  expect(host.applied().at(-1)?.deps).toEqual([id])
  expect((await counters.get({ name: 'visits' })).value).toBe(2n)
})

test('after concurrent resets an add cites them all, and the next reset replaces them', async () => {
  const { host, counters } = open()
  await counters.reset({ name: 'visits' })
  host.deliver({ payload: encodePayload({ name: 'visits', change: { kind: 'reset' } }), author: other })
  await counters.add({ name: 'visits' })
  expect(host.applied().at(-1)?.deps).toHaveLength(2)
  expect((await counters.get({ name: 'visits' })).value).toBe(1n)
  await counters.reset({ name: 'visits' })
  await counters.add({ name: 'visits' })
  expect(host.applied().at(-1)?.deps).toHaveLength(1)
  expect((await counters.get({ name: 'visits' })).value).toBe(1n)
})

test('a list goes by the bytes of the names, in pages', async () => {
  const { counters } = open()
  const names = ['a', 'ab', 'b', 'é', '\u{ffff}', '\u{1f600}']
  for (const name of names.toReversed()) await counters.add({ name })
  const namesOf = async (request: { readonly prefix?: string; readonly after?: string; readonly limit?: number }) => {
    const { counters: found, more } = await counters.list(request)
    return [...found.map(({ name }) => name), ...(more ? ['…'] : [])]
  }
  expect(await namesOf({})).toEqual(names)
  expect(await namesOf({ limit: 2 })).toEqual(['a', 'ab', '…'])
  expect(await namesOf({ limit: 4, after: 'ab' })).toEqual(names.slice(2))
  expect(await namesOf({ prefix: 'a', after: 'a' })).toEqual(['ab'])
  expect(await namesOf({ prefix: '\u{1f600}', after: '\u{ffff}' })).toEqual(['\u{1f600}'])
})

test('a watcher is told of outcomes, and of nothing that changed nothing', async () => {
  const { host, counters } = open()
  const stop = new AbortController()
  const changes = counters.watch({ prefix: 'v' }, stop.signal)
  await counters.add({ name: 'visits', by: 2n })
  await counters.add({ name: 'elsewhere' })
  await counters.add({ name: 'visits', by: 0n })
  await counters.reset({ name: 'visits' })
  host.deliver({ payload: encodePayload({ name: 'visits', change: { kind: 'add', by: 10n } }), author: other })
  await counters.add({ name: 'votes' })
  const seen: unknown[] = []
  for await (const { event } of changes) {
    if (event.case === 'changed') seen.push([event.value.name, event.value.value])
    if (seen.length === 3) break
  }
  stop.abort()
  expect(seen).toEqual([
    ['visits', 2n],
    ['visits', 0n],
    ['votes', 1n],
  ])
})

test('a watcher that is too slow is told so, and that the rest goes on', async () => {
  const { counters } = open({ streamCapacity: 2 })
  const stop = new AbortController()
  const changes = counters.watch({}, stop.signal)
  for (let count = 0; count < 5; count += 1) await counters.add({ name: 'visits' })
  const seen: unknown[] = []
  for await (const { event } of changes) {
    seen.push(event.case === 'changed' ? event.value.value : event)
    if (event.case === 'changed' && event.value.value === 5n) break
  }
  stop.abort()
  expect(seen).toEqual([{ case: 'lagged', value: 3n }, 4n, 5n])
})

test('what a user got wrong is refused before anything is signed', async () => {
  const { host, counters } = open()
  const tooLong = 'é'.repeat(MAX_NAME_BYTES / 2 + 1)
  for (const name of ['', tooLong]) {
    expect(await codeOf(counters.add({ name }))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(counters.reset({ name }))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(counters.get({ name }))).toBe('INVALID_ARGUMENT')
  }
  expect(await codeOf(counters.list({ limit: MAX_LIMIT + 1 }))).toBe('LIMIT_EXCEEDED')
  expect(await codeOf(counters.add({ name: tooLong.slice(1) }))).toBe('no error')
  expect(host.applied()).toHaveLength(1)
})

test('a store that has not activated schema 2 counts as before, and refuses resets by name', async () => {
  const { host, counters } = open({ schema: 1 })
  await counters.add({ name: 'visits' })
  await expect(counters.reset({ name: 'visits' })).rejects.toThrow('activate schema 2')
  expect(host.applied().map(({ schema }) => schema)).toEqual([1])
})

test('a payload is shown to people, also one that is none', () => {
  const shown = (payload: Uint8Array) => formatSExpr(counterStore.summarize(payload))
  expect(shown(encodePayload({ name: 'visits', change: { kind: 'add', by: -3n } }))).toBe('(add "visits" -3)')
  expect(shown(encodePayload({ name: 'visits', change: { kind: 'reset' } }))).toBe('(reset "visits")')
  expect(shown(Uint8Array.of(0xff))).toBe('(rejected payload_malformed 0xff)')
})

test('a client that has the descriptor alone can call it', async () => {
  const { host } = open()
  const { service, fileDescriptorSet, methods } = describeMachine(counterStore)
  expect(methods.map(({ name, kind }) => `${kind} ${name}`)).toEqual([
    'command Add',
    'command Reset',
    'query Get',
    'query List',
    'stream Watch',
  ])
  const found = createFileRegistry(fromBinary(FileDescriptorSetSchema, fileDescriptorSet)).getService(service)
  const call = async (name: string, fields: Record<string, unknown>): Promise<unknown> => {
    const method = found?.methods.find((candidate) => candidate.name === name)
    if (method === undefined) throw new Error(`the descriptor has no ${name}`)
    const request = toBinary(method.input, create(method.input, fields))
    return fromBinary(method.output, await host.exec(name, request, new AbortController().signal))
  }
  await call('Add', { name: 'visits', by: 7n })
  expect(await call('Get', { name: 'visits' })).toMatchObject({ name: 'visits', value: 7n })
})

test('a row is a name and a sum: what the table holds is known to the byte', async () => {
  const { host, counters } = open()
  await counters.add({ name: 'n', by: -2n })
  expect(host.table.get(utf8Encode('n'))).toEqual(Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 254))
})
