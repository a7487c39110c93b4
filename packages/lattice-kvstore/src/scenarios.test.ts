/** What users of the store meet: conflicts, rewriting, keys that are no text, several watchers. */
import { createAbortController, idKey, toPublicKey, utf8Encode } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { createMachineHost, type MachineHost } from '@lattice/store-base/testing'
import { describe, expect, test } from 'vitest'
import type { KvEvent } from './apply-payload.ts'
import { kvStore } from './kv-store.ts'
import { type Kv, openKv } from './open-kv.ts'
import { encodePayload } from './payload.ts'
import type { KvWatchEvent } from './watch-kv.ts'

const other = toPublicKey(new Uint8Array(32).fill(9))
const key = utf8Encode('k')

function open(): { readonly host: MachineHost<KvEvent>; readonly store: Kv } {
  const host = createMachineHost({ machine: kvStore, table: createMemoryTable() })
  return { host, store: openKv(host) }
}

function put(value: string): Uint8Array {
  return encodePayload([{ key, state: { kind: 'value', value: utf8Encode(value) } }])
}

const tombstone = encodePayload([{ key, state: { kind: 'tombstone' } }])

async function take(events: AsyncIterable<KvWatchEvent>, count: number): Promise<KvWatchEvent[]> {
  const taken: KvWatchEvent[] = []
  for await (const event of events) if (taken.push(event) === count) break
  return taken
}

describe('a conflict', () => {
  test('that a deletion wins reads as deleted, everywhere alike, and the loser does not come back', async () => {
    const { host, store } = open()
    await store.put('k', 'mine')
    const events = store.watch()
    host.deliver({ payload: tombstone, author: other, timestamp: { wall: 99, counter: 0 } })
    // Concurrent to both, and earlier than the deletion.
    host.deliver({ payload: put('late'), author: other, timestamp: { wall: 50, counter: 0 } })
    await store.put('end', '')
    expect(await take(events, 2)).toMatchObject([
      { kind: 'deleted', key },
      { kind: 'put', key: utf8Encode('end') },
    ])
    expect(await store.get('k')).toEqual({ value: undefined, conflicted: true })
    expect(await store.count('k')).toBe(0)
    expect((await store.inspect('k')).map((head) => head.value)).toEqual([
      undefined,
      utf8Encode('late'),
      utf8Encode('mine'),
    ])
  })

  test('is marked in a list and a get, until a write cites both sides', async () => {
    const { host, store } = open()
    await store.put('k', 'mine')
    host.deliver({ payload: put('yours'), author: other })
    const flags = async (): Promise<boolean[]> => {
      const listed: boolean[] = []
      for await (const item of store.list()) listed.push(item.conflicted)
      return [...listed, (await store.get('k')).conflicted]
    }
    expect(await flags()).toEqual([true, true])
    await store.put('k', 'ours')
    expect(await flags()).toEqual([false, false])
    expect(await store.get('unknown')).toEqual({ value: undefined, conflicted: false })
  })

  test('is inspected with the winner first; a key without one has a head, one that never was has none', async () => {
    const { host, store } = open()
    expect(await store.inspect('k')).toEqual([])
    const mine = await store.put('k', 'mine')
    expect(await store.inspect('k')).toMatchObject([{ id: mine, value: utf8Encode('mine') }])
    const { id: yours } = host.deliver({ payload: put('yours'), author: other, timestamp: { wall: 99, counter: 1 } })
    expect(await store.inspect('k')).toMatchObject([{ id: yours, author: other, wall: 99, counter: 1 }, { id: mine }])
    const deleted = await store.delete('k')
    expect(await store.inspect('k')).toMatchObject([{ id: deleted, value: undefined }])
  })
})

test('writing the same value again is a write of its own', async () => {
  const { host, store } = open()
  const ids = [await store.put('k', 'v'), await store.put('k', 'v'), await store.delete('k'), await store.delete('k')]
  expect(new Set(ids.map(idKey)).size).toBe(4)
  expect(host.applied()).toHaveLength(4)
  expect(await store.inspect('k')).toMatchObject([{ id: ids[3] }])
})

test('keys of any bytes are written in a batch, listed, counted by range and watched', async () => {
  const { store } = open()
  const keys = [Uint8Array.of(0), Uint8Array.of(0, 0xff), Uint8Array.of(0x7f), Uint8Array.of(0xff, 0xfe)]
  const events = store.watch()
  const batch = store.batch()
  for (const each of keys) batch.put(each, each)
  await batch.commit()
  const listed: Uint8Array[] = []
  for await (const item of store.list({ reverse: true })) listed.push(item.key)
  expect(listed).toEqual(keys.toReversed())
  expect(await take(events, 4)).toMatchObject(keys.map((each) => ({ kind: 'put', key: each, value: each })))
  expect(await store.count({ start: Uint8Array.of(0, 1), end: Uint8Array.of(0xff) })).toBe(2)
  expect(await store.count({ prefix: Uint8Array.of(0), end: Uint8Array.of(0, 0xff) })).toBe(1)
})

test('every watcher hears everything, at its own pace; what peers send wrong ends none of them', async () => {
  const { host, store } = open()
  const controller = createAbortController()
  const ended = store.watch({ signal: controller.signal })
  const [all, some] = [store.watch(), store.watch({ prefix: 'k' })]
  host.deliver({ payload: Uint8Array.of(0xff, 0xff) })
  await store.put('a', '1')
  await store.put('k', '2')
  controller.abort()
  host.deliver({ payload: new Uint8Array() })
  await store.put('k', '3')
  expect(await take(all, 3)).toHaveLength(3)
  expect(await take(some, 2)).toMatchObject([{ value: utf8Encode('2') }, { value: utf8Encode('3') }])
  expect(await take(ended, 1)).toEqual([])
})
