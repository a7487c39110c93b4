import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { kvStore, type KvWatchEvent, openKv } from '@lattice/kvstore'
import {
  concatBytes,
  createAbortController,
  equalBytes,
  formatSExpr,
  idKey,
  type IntentionId,
  isLatticeError,
  MAX_FRAME_BYTES,
  toHex,
  toIntentionId,
  toPublicKey,
  toStoreId,
  utf8Decode,
  utf8Encode,
} from '@lattice/model'
import { createMemoryTable, createSeededRandom, type MemoryTable } from '@lattice/model/testing'
import { kv, root } from '@lattice/proto'
import { describeMachine, emptyLog, openStream } from '@lattice/store-base'
import { createMachineHost, type ForeignOp, type MachineHost } from '@lattice/store-base/testing'
import { sha256 } from '@noble/hashes/sha2.js'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RootEvent } from './apply-root.ts'
import { looseParts, scanParts } from './bundle-parts.ts'
import { findBundle } from './bundle-queries.ts'
import { MAX_INLINE_BYTES, MAX_LOOSE_PARTS, PART_BYTES, UPLOAD_PATIENCE_MS } from './limits.ts'
import { type AppsEvent, openRoot, type Root } from './open-root.ts'
import { encodeOperation } from './payload.ts'
import { rootStore } from './root-store.ts'
import { SLICE_BYTES } from './sliced.ts'
import { appManifest, buildZip } from './testing/build-zip.ts'

const other = toPublicKey(new Uint8Array(32).fill(9))
const dataStore = toStoreId(new Uint8Array(32).fill(5))
const otherStore = toStoreId(new Uint8Array(32).fill(6))
const random = createSeededRandom('root')

interface Opened {
  readonly host: MachineHost<RootEvent>
  readonly table: MemoryTable
  readonly store: Root
}

function open(isBelowEpoch?: (id: IntentionId) => boolean): Opened {
  const table = createMemoryTable()
  const host = createMachineHost({
    machine: rootStore,
    table,
    streamCapacity: 4096,
    ...(isBelowEpoch && { isBelowEpoch }),
  })
  return { host, table, store: openRoot(host) }
}

/** A bundle of about so many bytes, which do not pack. */
function bundleOf(bytes: number, appId = 'notes', version = '1.0.0'): Uint8Array {
  const files = Array.from({ length: Math.ceil(bytes / 1_000_000) }, (_, index) => ({
    name: `data-${index}`,
    data: random.bytes(Math.min(1_000_000, bytes - index * 1_000_000)),
    stored: true,
  }))
  return buildZip([appManifest(appId, `version = "${version}"\nname = "Notes"`), ...files])
}

async function codeOf(attempt: Promise<unknown>): Promise<unknown> {
  return attempt.then(
    () => 'no error',
    (error: unknown) => (isLatticeError(error) ? error.code : error),
  )
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}

/** The first that `isIt`; then the stream ends. */
async function firstOf<T, U extends T>(
  items: AsyncIterable<T>,
  { isIt, stop }: { readonly isIt: (item: T) => item is U; readonly stop: { readonly abort: () => void } },
): Promise<U> {
  for await (const item of items) {
    if (!isIt(item)) continue
    stop.abort()
    return item
  }
  throw new Error('the stream ended')
}

const partCount = ({ table }: Opened, appId = 'notes'): number => [...scanParts(table, appId)].length
/** A record with content that is never read. */
const recordOf = (content: root.BundleRecord['content'], size: number): root.BundleRecord =>
  create(root.BundleRecordSchema, {
    manifest: { id: 'notes', version: '9' },
    size: BigInt(size),
    hash: new Uint8Array(32),
    content,
  })

describe('the keys of a root store', () => {
  test('are a key-value store: openKv works unchanged, with import, conflicts, pages and watch', async () => {
    const { host } = open()
    const store = openKv(host)
    const stop = createAbortController()
    const watched = collect(store.watch({ prefix: 'a', signal: stop.signal }))
    await store.put('a', '1')
    await store.batch().put('b', '2').delete('a').commit()
    expect(await store.import([{ key: 'c', value: '3' }])).toBe(1)
    host.deliver({
      payload: toBinary(
        kv.KvPayloadSchema,
        create(kv.KvPayloadSchema, {
          operations: [{ key: utf8Encode('b'), operation: { case: 'put', value: utf8Encode('theirs') } }],
        }),
      ),
      author: other,
    })
    expect((await store.get('b')).conflicted).toBe(true)
    expect(await store.inspect('b')).toHaveLength(2)
    await store.resolve('b', undefined)
    expect(await store.count()).toBe(2)
    expect((await collect(store.list({ reverse: true, pageSize: 1 }))).map(({ key }) => utf8Decode(key))).toEqual([
      'c',
      'b',
    ])
    stop.abort()
    expect((await watched).map(({ kind }) => kind)).toEqual(['put', 'deleted'])
  })

  test('and apps and bundles do not see each other, whatever the keys', async () => {
    const { host, store } = open()
    const keys = openKv(host)
    for (const key of ['a', 'b', 'anotes', 'bnotes', 'pnotes\0', 'k']) await keys.put(key, 'x')
    expect(await collect(store.listApps())).toEqual([])
    expect(await collect(store.listBundles())).toEqual([])
    await store.registerApp('notes', { appId: 'notes', storeId: dataStore })
    await store.uploadBundle(bundleOf(10))
    expect(await keys.count()).toBe(6)
  })

  test('are told to watchers of keys alone, and apps to watchers of apps', async () => {
    const { host, store } = open()
    const stop = createAbortController()
    const keyEvents = openKv(host).watch({ signal: stop.signal })[Symbol.asyncIterator]()
    const appEvents = store.watchApps({ signal: stop.signal })[Symbol.asyncIterator]()
    const nextKey = keyEvents.next()
    const nextApp = appEvents.next()
    await store.registerApp('notes', { appId: 'notes', storeId: dataStore })
    await store.kv.put('k', 'v')
    expect((await nextKey).value).toMatchObject({ kind: 'put', value: utf8Encode('v') })
    expect((await nextApp).value).toMatchObject({ kind: 'app', subdomain: 'notes' })
    stop.abort()
  })

  test('every method of the key-value store is there under its name, with its messages', () => {
    for (const { name, input, output, methodKind } of kvStore.service.methods) {
      const own = rootStore.service.methods.find((method) => method.name === name)
      const shapeOf = (method: typeof own): unknown => [
        method?.input.typeName,
        method?.output.typeName,
        method?.methodKind,
      ]
      expect([name, shapeOf(own)]).toEqual([name, [input.typeName, output.typeName, methodKind]])
    }
  })
})

describe('apps', () => {
  test('are registered, read, listed page by page, and removed', async () => {
    const { host, store } = open()
    for (let index = 0; index < 250; index += 1)
      await store.registerApp(`app-${String(index).padStart(3, '0')}`, { appId: 'com.example.app', storeId: dataStore })
    await store.registerApp('app-000', { appId: 'other', storeId: otherStore })
    expect(await store.getApp('app-000')).toEqual({
      subdomain: 'app-000',
      appId: 'other',
      storeId: otherStore,
      conflicted: false,
    })
    const listed = await collect(store.listApps())
    expect(listed.map(({ subdomain }) => subdomain)).toEqual(
      Array.from({ length: 250 }, (_, index) => `app-${String(index).padStart(3, '0')}`),
    )
    await store.removeApp('app-000')
    expect(await store.getApp('app-000')).toBeUndefined()
    expect(await codeOf(store.removeApp('app-000'))).toBe('VALUE_NOT_FOUND')
    expect((await collect(store.listApps())).length).toBe(249)
    const page = fromBinary(
      root.ListAppsResponseSchema,
      await host.exec(
        'ListApps',
        toBinary(root.ListAppsRequestSchema, create(root.ListAppsRequestSchema, { limit: 249 })),
        createAbortController().signal,
      ),
    )
    expect(page.nextPageToken.length).toBe(0)
  })

  test('bound by two who did not see each other are a conflict of whole bindings, until one is chosen', async () => {
    const { host, store } = open()
    await store.registerApp('notes', { appId: 'mine', storeId: dataStore })
    const theirs = encodeOperation({
      case: 'setApp',
      value: { subdomain: 'notes', binding: { appId: 'theirs', storeId: otherStore } },
    })
    host.deliver({ payload: theirs, author: other })
    expect(await store.getApp('notes')).toEqual({
      subdomain: 'notes',
      appId: 'theirs',
      storeId: otherStore,
      conflicted: true,
    })
    expect((await store.inspectApp('notes')).map(({ binding }) => binding)).toEqual([
      { appId: 'theirs', storeId: otherStore },
      { appId: 'mine', storeId: dataStore },
    ])
    await store.registerApp('notes', { appId: 'mine', storeId: dataStore })
    expect(await store.inspectApp('notes')).toHaveLength(1)
  })

  test.each<[string, string, Uint8Array, string]>([
    ['an empty subdomain', '', dataStore, 'notes'],
    ['a subdomain of two labels', 'a.b', dataStore, 'notes'],
    ['capitals', 'Notes', dataStore, 'notes'],
    ['a leading hyphen', '-a', dataStore, 'notes'],
    ['a trailing hyphen', 'a-', dataStore, 'notes'],
    ['a long label', 'a'.repeat(64), dataStore, 'notes'],
    ['an encoded label', 'xn--ls8h', dataStore, 'notes'],
    ['a reserved name', 'api', dataStore, 'notes'],
    ['a short store id', 'a', new Uint8Array(31), 'notes'],
    ['no app id', 'a', dataStore, ''],
    ['an app id that is a path', 'a', dataStore, 'a/b'],
    ['a long app id', 'a', dataStore, 'a'.repeat(129)],
  ])(
    'with %s are refused before anything is signed, and ignored when signed all the same',
    async (_, subdomain, storeId, appId) => {
      const { host, store, table } = open()
      expect(await codeOf(store.registerApp(subdomain, { appId, storeId: storeId as typeof dataStore }))).toBe(
        'INVALID_ARGUMENT',
      )
      expect(host.applied()).toHaveLength(0)
      const payload = encodeOperation({ case: 'setApp', value: { subdomain, binding: { appId, storeId } } })
      expect(host.deliver({ payload }).outcome.kind).toBe('rejected')
      expect(table.size()).toBe(0)
    },
  )

  test('a page token of another listing is refused', async () => {
    const { host } = open()
    for (const pageToken of [Uint8Array.of(1), Uint8Array.of(1, 1, 97), Uint8Array.of(1, 0, 0x41)]) {
      const request = toBinary(root.ListAppsRequestSchema, create(root.ListAppsRequestSchema, { pageToken }))
      expect(await codeOf(host.exec('ListApps', request, createAbortController().signal))).toBe('INVALID_ARGUMENT')
    }
    const request = toBinary(root.ListAppsRequestSchema, create(root.ListAppsRequestSchema, { limit: 1001 }))
    expect(await codeOf(host.exec('ListApps', request, createAbortController().signal))).toBe('LIMIT_EXCEEDED')
  })
})

describe('a bundle', () => {
  test.each([100, MAX_INLINE_BYTES - 400, MAX_INLINE_BYTES + 1, PART_BYTES, 3 * PART_BYTES + 5, 2_500_000])(
    'of about %i bytes is downloaded as it was uploaded',
    async (bytes) => {
      const opened = open()
      const zip = bundleOf(bytes)
      const told: number[] = []
      await opened.store.uploadBundle(zip, { onProgress: ({ done }) => told.push(done) })
      expect(told[0]).toBe(0)
      expect(told.at(-1)).toBe(zip.length)
      expect(equalBytes(await opened.store.downloadBundle('notes'), zip)).toBe(true)
      const shown = await opened.store.getBundle('notes')
      expect(shown).toMatchObject({
        appId: 'notes',
        name: 'Notes',
        version: '1.0.0',
        size: zip.length,
        complete: true,
        conflicted: false,
      })
      expect(shown?.hash).toEqual(sha256(zip))
      expect(partCount(opened)).toBe(zip.length <= MAX_INLINE_BYTES ? 0 : Math.ceil(zip.length / PART_BYTES))
    },
  )

  test('in one request is cut into parts by the store', async () => {
    const opened = open()
    const zip = bundleOf(400_000)
    const request = create(root.UploadBundleRequestSchema, { content: { case: 'data', value: zip } })
    const response = fromBinary(
      root.UploadBundleResponseSchema,
      await opened.host.exec(
        'UploadBundle',
        toBinary(root.UploadBundleRequestSchema, request),
        createAbortController().signal,
      ),
    )
    expect(response.bundle).toMatchObject({ appId: 'notes', parts: 4, missingParts: 0 })
    expect(equalBytes(await opened.store.downloadBundle('notes'), zip)).toBe(true)
  })

  test('that is replaced or removed leaves no part behind', async () => {
    const opened = open()
    await opened.store.uploadBundle(bundleOf(500_000))
    await opened.store.uploadBundle(bundleOf(300_000, 'notes', '2.0.0'))
    expect(partCount(opened)).toBe(3)
    expect(await opened.store.getBundle('notes')).toMatchObject({ version: '2.0.0', complete: true })
    await opened.store.uploadBundle(bundleOf(100))
    expect(partCount(opened)).toBe(0)
    await opened.store.uploadBundle(bundleOf(300_000))
    await opened.store.removeBundle('notes')
    expect(partCount(opened)).toBe(0)
    expect(await opened.store.getBundle('notes')).toBeUndefined()
    expect(await codeOf(opened.store.downloadBundle('notes'))).toBe('VALUE_NOT_FOUND')
    expect(await codeOf(opened.store.removeBundle('notes'))).toBe('VALUE_NOT_FOUND')
    expect([...opened.table.entries()].filter(({ key }) => key[0] === 'c'.charCodeAt(0))).toEqual([])
  })

  test('is refused as a whole, and nothing of it is there', async () => {
    const { host, store } = open()
    const zip = bundleOf(300_000)
    zip[60] = (zip[60] ?? 0) ^ 1
    const refusal: unknown = await store.uploadBundle(zip).catch((error: unknown) => error)
    expect(refusal).toMatchObject({ name: 'BundleInvalid', code: 'BUNDLE_INVALID' })
    expect(await codeOf(store.uploadBundle(bundleOf(10), { appId: 'other' }))).toBe('BUNDLE_INVALID')
    expect(host.applied()).toHaveLength(0)
  })

  test('of parts is checked again where it is signed', async () => {
    const { host } = open()
    const call = async (method: string, request: Uint8Array): Promise<Uint8Array> =>
      host.exec(method, request, createAbortController().signal)
    const putPart = async (data: Uint8Array, appId = 'notes'): Promise<Uint8Array> => {
      const request = create(root.PutBundlePartRequestSchema, { appId, data })
      return fromBinary(
        kv.WriteResponseSchema,
        await call('PutBundlePart', toBinary(root.PutBundlePartRequestSchema, request)),
      ).id
    }
    const upload = async (ids: Uint8Array[], appId = 'notes'): Promise<unknown> => {
      const request = create(root.UploadBundleRequestSchema, { appId, content: { case: 'parts', value: { ids } } })
      return call('UploadBundle', toBinary(root.UploadBundleRequestSchema, request)).catch((error: unknown) => error)
    }
    const zip = bundleOf(2 * PART_BYTES)
    const [first, second, third] = [
      await putPart(zip.subarray(0, PART_BYTES)),
      await putPart(zip.subarray(PART_BYTES, 2 * PART_BYTES)),
      await putPart(zip.subarray(2 * PART_BYTES)),
    ]
    expect(await upload([second, first, third])).toMatchObject({ code: 'BUNDLE_INVALID' })
    expect(await upload([first, second])).toMatchObject({ code: 'BUNDLE_INVALID' })
    expect(await upload([first, third, second])).toMatchObject({ detail: { reason: 'part_not_full' } })
    expect(await upload([first, first])).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await upload([])).toMatchObject({ code: 'LIMIT_EXCEEDED' })
    expect(await upload([first, Uint8Array.of(1)])).toMatchObject({ detail: { reason: 'part_missing' } })
    expect(await upload([first, new Uint8Array(32)])).toMatchObject({ detail: { reason: 'part_missing' } })
    expect(await upload([first, second, third], 'other')).toMatchObject({ detail: { reason: 'part_missing' } })
    expect(await upload([first, second, third], '')).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await codeOf(putPart(new Uint8Array()))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(putPart(new Uint8Array(PART_BYTES + 1)))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(putPart(zip.subarray(0, 9), 'No Id'))).toBe('INVALID_ARGUMENT')
    expect(await upload([first, second, third])).toBeInstanceOf(Uint8Array)
    // The answer was lost and the request repeated: its parts are those of the bundle, and stay.
    expect(await upload([first, second, third])).toBeInstanceOf(Uint8Array)
    expect(equalBytes(await openRoot(host).downloadBundle('notes'), zip)).toBe(true)
  })

  test('uploaded by two at once is a conflict with both contents, and the next upload clears both', async () => {
    const opened = open()
    const { host, store } = opened
    await store.uploadBundle(bundleOf(200_000))
    const theirs = host.deliver({
      payload: encodeOperation({ case: 'putPart', value: { appId: 'notes', data: Uint8Array.of(1) } }),
      author: other,
    })
    const record = recordOf({ case: 'parts', value: create(root.PartListSchema, { ids: [theirs.id] }) }, 1)
    host.deliver({
      payload: encodeOperation({ case: 'putBundle', value: { record, droppedParts: [] } }),
      author: other,
      deps: [theirs.id],
    })
    expect(await store.getBundle('notes')).toMatchObject({ version: '9', conflicted: true, complete: true })
    expect(looseParts(opened.table, 'notes')).toEqual([])
    const zip = bundleOf(150_000, 'notes', '3.0.0')
    await store.uploadBundle(zip)
    expect(await store.getBundle('notes')).toMatchObject({ version: '3.0.0', conflicted: false })
    expect(equalBytes(await store.downloadBundle('notes'), zip)).toBe(true)
    expect(partCount(opened)).toBe(2)
  })

  test('whose parts were dropped says so, and is given to nobody', async () => {
    const { host, store } = open()
    await store.uploadBundle(bundleOf(300_000))
    const parts = host
      .applied()
      .filter(({ payload }) => payload[0] === 0x22)
      .map(({ id }) => id)
    host.deliver({
      payload: encodeOperation({ case: 'dropParts', value: { appId: 'notes', parts: [...parts].slice(-1) } }),
      deps: parts,
      author: other,
    })
    expect(await store.getBundle('notes')).toMatchObject({ complete: false })
    const given: number[] = []
    const download = store.downloadBundle('notes', { onProgress: ({ done }) => given.push(done) })
    expect(await codeOf(download)).toBe('WRONG_STATE')
    expect(given).toEqual([])
    await store.uploadBundle(bundleOf(300_000))
    expect(await store.getBundle('notes')).toMatchObject({ complete: true })
  })

  test('lost while it is downloaded ends with an error, never with other bytes', async () => {
    const { host, store } = open()
    await store.uploadBundle(bundleOf(600_000))
    const removing = openRoot({
      ...host,
      async *subscribe(stream, params, signal) {
        let isFirst = true
        for await (const item of host.subscribe(stream, params, signal)) {
          yield item
          if (isFirst) await store.removeBundle('notes')
          isFirst = false
        }
      },
    })
    expect(await codeOf(removing.downloadBundle('notes'))).toBe('WRONG_STATE')
  })

  test('goes on from an offset, if it is the same', async () => {
    const { host, store } = open()
    const zip = bundleOf(300_000)
    await store.uploadBundle(zip)
    const read = async (request: { offset: bigint; hash?: Uint8Array; appId?: string }): Promise<Uint8Array> => {
      const params = toBinary(
        root.DownloadBundleRequestSchema,
        create(root.DownloadBundleRequestSchema, { appId: 'notes', ...request }),
      )
      const chunks = await collect(host.subscribe('DownloadBundle', params, createAbortController().signal))
      const decoded = chunks.map((chunk) => fromBinary(root.BundleChunkSchema, chunk))
      expect(decoded[0]?.bundle?.size).toBe(BigInt(zip.length))
      expect(decoded[0]?.offset).toBe(request.offset)
      for (const { data } of decoded) expect(data.length).toBeLessThanOrEqual(256 * 1024)
      return Uint8Array.from(decoded.flatMap(({ data }) => [...data]))
    }
    for (const offset of [0, 1, PART_BYTES - 1, PART_BYTES, 250_000, zip.length])
      expect(await read({ offset: BigInt(offset), hash: sha256(zip) })).toEqual(zip.subarray(offset))
    expect(await codeOf(read({ offset: BigInt(zip.length + 1) }))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(read({ offset: 0n, hash: new Uint8Array(32) }))).toBe('WRONG_STATE')
    expect(await codeOf(read({ offset: 0n, appId: 'other' }))).toBe('VALUE_NOT_FOUND')
  })

  test('that was tampered with on the way is not taken', async () => {
    const { host, store } = open()
    await store.uploadBundle(bundleOf(300_000))
    const tampering = openRoot({
      ...host,
      async *subscribe(stream, params, signal) {
        for await (const item of host.subscribe(stream, params, signal)) {
          const chunk = fromBinary(root.BundleChunkSchema, item)
          chunk.data[7] = (chunk.data[7] ?? 0) ^ 1
          yield toBinary(root.BundleChunkSchema, chunk)
        }
      },
    })
    expect(await codeOf(tampering.downloadBundle('notes'))).toBe('WRONG_STATE')
    const stop = createAbortController()
    stop.abort(new Error('enough'))
    await expect(store.downloadBundle('notes', { signal: stop.signal })).rejects.toThrow('enough')
  })

  test('is listed with what it says of itself, page by page', async () => {
    const { store } = open()
    const ids = Array.from({ length: 130 }, (_, index) => `app-${String(index).padStart(3, '0')}`)
    for (const id of ids.toReversed())
      await store.uploadBundle(
        buildZip([appManifest(id, `long = "${'x'.repeat(4000)}"\nmore = "${'y'.repeat(4000)}"`)]),
      )
    expect((await collect(store.listBundles())).map(({ appId }) => appId)).toEqual(ids)
  })
})

describe('while a bundle is checked', () => {
  const { signal } = createAbortController()

  /** A store with the parts of a bundle, `atPause` run with how many pauses there were. */
  function withParts(
    zip: Uint8Array,
    atPause: (count: number, host: MachineHost<RootEvent>, parts: readonly Uint8Array[]) => void,
  ): {
    readonly upload: () => Promise<unknown>
    readonly table: MemoryTable
    readonly pauses: () => number
    /** The parts whose content was read. */
    readonly reads: readonly number[]
  } {
    const memory = createMemoryTable()
    const reads: number[] = []
    const table: MemoryTable = {
      ...memory,
      get: (key) => {
        const index = parts.findIndex((id) => equalBytes(key, concatBytes(utf8Encode('cnotes\0'), id)))
        if (index !== -1) reads.push(index)
        return memory.get(key)
      },
    }
    let pauses = 0
    const parts: Uint8Array[] = []
    const host: MachineHost<RootEvent> = createMachineHost({
      machine: rootStore,
      table,
      pause: async () => atPause((pauses += 1), host, parts),
    })
    for (let at = 0; at < zip.length; at += PART_BYTES) {
      const value = { appId: 'notes', data: zip.subarray(at, at + PART_BYTES) }
      parts.push(host.deliver({ payload: encodeOperation({ case: 'putPart', value }) }).id)
    }
    const content = { case: 'parts' as const, value: create(root.PartListSchema, { ids: parts }) }
    const request = create(root.UploadBundleRequestSchema, { appId: 'notes', content })
    const upload = async (): Promise<unknown> =>
      host.exec('UploadBundle', toBinary(root.UploadBundleRequestSchema, request), signal)
    return { upload, table, pauses: () => pauses, reads }
  }

  test('others get a turn after every slice, while it is joined, unpacked and hashed', async () => {
    const zip = bundleOf(1_000_000)
    const { upload, pauses } = withParts(zip, () => undefined)
    await upload()
    const bytes = 3 * zip.length
    expect(pauses()).toBeGreaterThan(bytes / (2 * PART_BYTES))
    expect(pauses()).toBeLessThan((2 * bytes) / SLICE_BYTES)
  })

  test('a part that is dropped ends the upload, whenever it is: no record lists what is not there', async () => {
    const zip = bundleOf(400_000)
    const whole = withParts(zip, () => undefined)
    await whole.upload()
    const codes = new Set<unknown>()
    for (let when = 1; when <= whole.pauses(); when += 1) {
      const dropped = withParts(zip, (count, host, parts) => {
        if (count !== when) return
        const value = { appId: 'notes', parts: parts.slice(-1) }
        host.deliver({ payload: encodeOperation({ case: 'dropParts', value }), deps: [...parts].map(toIntentionId) })
      })
      codes.add(await codeOf(dropped.upload()))
      expect(findBundle(dropped.table, 'notes')).toBeUndefined()
    }
    expect(codes).toEqual(new Set(['INVALID_ARGUMENT', 'WRONG_STATE']))
  })

  test('the next check of its store waits, so that one bundle is held at a time', async () => {
    const { upload, reads } = withParts(bundleOf(400_000), () => undefined)
    await Promise.all([upload(), upload()])
    expect(reads).toEqual([0, 1, 2, 3, 0, 1, 2, 3])
  })

  test('whoever has had enough ends it at the next slice', async () => {
    const stop = createAbortController()
    const table = createMemoryTable()
    let pauses = 0
    const host = createMachineHost({
      machine: rootStore,
      table,
      pause: async () => {
        pauses += 1
        if (pauses === 2) stop.abort(new Error('enough'))
      },
    })
    await expect(openRoot(host).uploadBundle(bundleOf(1_000_000), { signal: stop.signal })).rejects.toThrow('enough')
    expect([...scanParts(table, 'notes')]).toEqual([])
  })
})

describe('whatever a peer piles up', () => {
  test('an answer fits a frame, and the next write clears it', async () => {
    const { host, store } = open()
    const record = create(root.BundleRecordSchema, {
      manifest: { id: 'notes', version: 'v'.repeat(4096), name: 'n'.repeat(4096) },
      size: 1n,
      hash: new Uint8Array(32),
      content: { case: 'inline', value: Uint8Array.of(1) },
    })
    const payload = encodeOperation({ case: 'putBundle', value: { record, droppedParts: [] } })
    const bind = encodeOperation({
      case: 'setApp',
      value: { subdomain: 'notes', binding: { appId: 'a'.repeat(128), storeId: dataStore } },
    })
    for (let count = 0; count < 100; count += 1)
      for (const each of [payload, bind]) host.deliver({ payload: each, author: other })
    const signal = createAbortController().signal
    const request = toBinary(root.GetBundleRequestSchema, create(root.GetBundleRequestSchema, { appId: 'notes' }))
    const answer = await host.exec('GetBundle', request, signal)
    expect(answer.length).toBeLessThan(MAX_FRAME_BYTES)
    expect(fromBinary(root.GetBundleResponseSchema, answer)).toMatchObject({
      standing: 100,
      bundle: { conflicted: true },
    })
    expect(await store.inspectApp('notes')).toHaveLength(64)
    await store.uploadBundle(bundleOf(10))
    await store.registerApp('notes', { appId: 'notes', storeId: dataStore })
    expect(await store.getBundle('notes')).toMatchObject({ conflicted: false })
    expect(await store.inspectApp('notes')).toHaveLength(1)
  })
})

describe('any sequence of writes', () => {
  const names = fc.constantFrom('a', 'b', 'c')
  const step = fc.oneof(
    fc.record({ kind: fc.constant('register' as const), name: names, appId: names }),
    fc.record({ kind: fc.constant('remove' as const), name: names }),
    fc.record({ kind: fc.constant('upload' as const), name: names, bytes: fc.constantFrom(10, 40_000, 130_000) }),
    fc.record({ kind: fc.constant('clear' as const), name: names }),
    fc.record({ kind: fc.constant('put' as const), name: names }),
  )

  // Model: three maps.
  test('reads as maps of keys, apps and bundles would, and holds no part too many', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const opened = open()
        const { store, table } = opened
        const [apps, bundles, keys] = [new Map<string, string>(), new Map<string, Uint8Array>(), new Set<string>()]
        for (const each of steps) {
          if (each.kind === 'register') {
            await store.registerApp(each.name, { appId: each.appId, storeId: dataStore })
            apps.set(each.name, each.appId)
          } else if (each.kind === 'remove') {
            expect(await codeOf(store.removeApp(each.name))).toBe(
              apps.delete(each.name) ? 'no error' : 'VALUE_NOT_FOUND',
            )
          } else if (each.kind === 'upload') {
            const zip = bundleOf(each.bytes, each.name)
            await store.uploadBundle(zip)
            bundles.set(each.name, zip)
          } else if (each.kind === 'clear') {
            const had = bundles.delete(each.name)
            expect(await codeOf(store.removeBundle(each.name))).toBe(had ? 'no error' : 'VALUE_NOT_FOUND')
          } else {
            await store.kv.put(each.name, 'v')
            keys.add(each.name)
          }
        }
        const listed = (await collect(store.listApps())).map(({ subdomain, appId }) => [subdomain, appId])
        expect(listed).toEqual([...apps].toSorted(([a], [b]) => (a < b ? -1 : 1)))
        expect((await collect(store.listBundles())).map(({ appId }) => appId)).toEqual([...bundles.keys()].sort())
        let parts = 0
        for (const [appId, zip] of bundles) {
          expect(equalBytes(await store.downloadBundle(appId), zip)).toBe(true)
          if (zip.length > MAX_INLINE_BYTES) parts += Math.ceil(zip.length / PART_BYTES)
        }
        expect(['a', 'b', 'c'].reduce((sum, appId) => sum + [...scanParts(table, appId)].length, 0)).toBe(parts)
        expect(await store.kv.count()).toBe(keys.size)
      }),
      { numRuns: 40 },
    )
  })
})

describe('an upload that was given up', () => {
  const part = (wall: number): { payload: Uint8Array; timestamp: { wall: number; counter: number } } => ({
    payload: encodeOperation({ case: 'putPart', value: { appId: 'notes', data: Uint8Array.of(1) } }),
    timestamp: { wall, counter: 0 },
  })

  test('goes with the next that is an hour younger; one on its way stays', async () => {
    const opened = open()
    const { host, store } = opened
    const start = 10 * UPLOAD_PATIENCE_MS
    const old = [host.deliver(part(start)).id, host.deliver({ ...part(start + 1), author: other }).id]
    const young = host.deliver(part(start + UPLOAD_PATIENCE_MS + 5)).id
    await store.uploadBundle(bundleOf(10))
    expect([...scanParts(opened.table, 'notes')].map(({ id }) => idKey(id))).toEqual([idKey(young)])
    expect(old).toHaveLength(2)
  })

  test('goes with a removal, also where there is no bundle', async () => {
    const opened = open()
    opened.host.deliver(part(1))
    opened.host.deliver({ ...part(2), author: other })
    await opened.store.removeBundle('notes')
    expect(partCount(opened)).toBe(0)
  })

  test('does not grow without bound', async () => {
    const opened = open()
    for (let count = 0; count < MAX_LOOSE_PARTS - 2; count += 1) opened.host.deliver(part(count + 1))
    expect(await codeOf(opened.store.uploadBundle(bundleOf(300_000)))).toBe('LIMIT_EXCEEDED')
    await opened.store.uploadBundle(bundleOf(10))
    await opened.store.removeBundle('notes')
    expect(partCount(opened)).toBe(0)
    await opened.store.uploadBundle(bundleOf(300_000))
  })
})

test('an upload that an epoch overtook says that it has to be made again', async () => {
  let isMarked = true
  const { store } = open(() => isMarked)
  await expect(store.uploadBundle(bundleOf(300_000))).rejects.toMatchObject({ name: 'UploadOvertaken' })
  isMarked = false
  await store.uploadBundle(bundleOf(300_000))
})

describe('an operation from a peer', () => {
  test('counts a bundle only where its author had seen every part', () => {
    const opened = open()
    const { host } = opened
    const seen = host.deliver({
      payload: encodeOperation({ case: 'putPart', value: { appId: 'notes', data: Uint8Array.of(1) } }),
    })
    const record = recordOf({ case: 'parts', value: create(root.PartListSchema, { ids: [seen.id] }) }, 1)
    const payload = encodeOperation({ case: 'putBundle', value: { record, droppedParts: [] } })
    expect(host.deliver({ payload, author: other }).outcome).toEqual({ kind: 'rejected', reason: 'part_not_in_past' })
    expect(host.deliver({ payload, author: other, deps: [seen.id] }).outcome.kind).toBe('applied')
  })

  test('lists no part below an epoch that it does not cite, whether or not that is still known to have been', () => {
    let below: IntentionId | undefined
    const { host } = open((id) => below !== undefined && equalBytes(id, below))
    const data = Uint8Array.of(1)
    const seen = host.deliver({ payload: encodeOperation({ case: 'putPart', value: { appId: 'notes', data } }) })
    const next = host.deliver({
      payload: encodeOperation({ case: 'putPart', value: { appId: 'notes', data } }),
      deps: [seen.id],
    })
    const never = toIntentionId(new Uint8Array(32).fill(7))
    const outcomeOf = (part: IntentionId, about: Pick<ForeignOp, 'deps' | 'isPruned'>) => {
      const record = recordOf({ case: 'parts', value: create(root.PartListSchema, { ids: [part] }) }, 1)
      const payload = encodeOperation({ case: 'putBundle', value: { record, droppedParts: [] } })
      return host.deliver({ payload, author: other, ...about }).outcome
    }
    const refused = { kind: 'rejected', reason: 'part_not_in_past' }
    for (const isPruned of [false, true]) {
      expect(outcomeOf(never, { deps: [next.id], isPruned })).toEqual(refused)
      // It is below the epoch for who has it still, and gone for who has not.
      below = seen.id
      expect(outcomeOf(seen.id, { deps: [next.id], isPruned })).toEqual(refused)
      below = undefined
      expect(outcomeOf(seen.id, { deps: [next.id], isPruned }).kind).toBe('applied')
    }
  })

  test('drops only parts that its author had seen, of the app that it names', () => {
    const opened = open()
    const { host } = opened
    const { id } = host.deliver({
      payload: encodeOperation({ case: 'putPart', value: { appId: 'notes', data: Uint8Array.of(1) } }),
    })
    const drop = (appId: string): Uint8Array => encodeOperation({ case: 'dropParts', value: { appId, parts: [id] } })
    host.deliver({ payload: drop('notes'), author: other })
    host.deliver({ payload: drop('other'), author: other, deps: [id] })
    expect(partCount(opened)).toBe(1)
    host.deliver({ payload: drop('notes'), author: other, deps: [id] })
    expect(partCount(opened)).toBe(0)
  })

  test('that loses is silent; what wins is told as what it reads as', () => {
    const { host } = open()
    const bind = (appId: string): Uint8Array =>
      encodeOperation({ case: 'setApp', value: { subdomain: 'notes', binding: { appId, storeId: dataStore } } })
    const first = host.deliver({ payload: bind('a'), timestamp: { wall: 10, counter: 0 } })
    expect(first.outcome).toMatchObject({
      kind: 'applied',
      events: [{ kind: 'app_changed', binding: { appId: 'a' }, conflicted: false }],
    })
    const unset = encodeOperation({ case: 'unsetApp', value: { subdomain: 'notes' } })
    const loser = host.deliver({ payload: unset, timestamp: { wall: 5, counter: 0 }, author: other })
    expect(loser.outcome).toMatchObject({
      events: [{ kind: 'app_changed', binding: { appId: 'a' }, conflicted: true }],
    })
    const again = host.deliver({ payload: unset, timestamp: { wall: 6, counter: 0 }, author: other, deps: [loser.id] })
    expect(again.outcome).toEqual({ kind: 'applied', events: [] })
    const removal = host.deliver({ payload: unset, timestamp: { wall: 11, counter: 0 }, deps: [first.id, again.id] })
    expect(removal.outcome).toEqual({ kind: 'applied', events: [{ kind: 'app_removed', subdomain: 'notes' }] })
  })
})

describe('a watcher of apps', () => {
  test('gets what is there, then what changes, as it reads', async () => {
    const { store } = open()
    await store.registerApp('notes', { appId: 'notes', storeId: dataStore })
    await store.uploadBundle(bundleOf(10))
    const stop = createAbortController()
    const events: AppsEvent[] = []
    const watch = store.watchApps({ snapshot: true, signal: stop.signal })[Symbol.asyncIterator]()
    const take = async (count: number): Promise<void> => {
      for (let taken = 0; taken < count; taken += 1) {
        const { value } = await watch.next()
        if (value !== undefined) events.push(value)
      }
    }
    await take(3)
    const next = take(4)
    await store.removeApp('notes')
    await store.kv.put('not', 'told')
    await store.uploadBundle(bundleOf(300_000, 'notes', '2.0.0'))
    await store.registerApp('two', { appId: 'notes', storeId: dataStore })
    await store.removeBundle('notes')
    await next
    stop.abort()
    expect(events).toMatchObject([
      { kind: 'app', subdomain: 'notes', conflicted: false },
      { kind: 'bundle', appId: 'notes', version: '1.0.0', complete: true },
      { kind: 'snapshot_end' },
      { kind: 'app_removed', subdomain: 'notes' },
      { kind: 'bundle', appId: 'notes', version: '2.0.0' },
      { kind: 'app', subdomain: 'two' },
      { kind: 'bundle_removed', appId: 'notes' },
    ])
  })

  test('that is too slow is told how much it missed', async () => {
    const { host } = open()
    const stop = createAbortController()
    const watch = openStream(rootStore, 'WatchApps', {
      params: new Uint8Array(),
      context: {
        read: host.table,
        log: emptyLog,
        signal: stop.signal,
        pause: async () => Promise.resolve(),
        changes: async function* () {
          yield { kind: 'lagged', count: 7 } as const
          const events = [{ kind: 'app_removed', subdomain: 'a' }] as const
          yield { kind: 'events', events, cursor: new Uint8Array() } as const
        },
      },
    })
    const events = (await collect(watch)).map((item) => fromBinary(root.AppEventSchema, item).event)
    expect(events).toMatchObject([{ case: 'lagged', value: 7n }, { case: 'appRemoved' }])
  })
})

describe('a root store', () => {
  test('shows the history of a key, and lets a watch of keys go on from a cursor', async () => {
    const { store } = open()
    await store.kv.put('k', 'one')
    await store.registerApp('notes', { appId: 'notes', storeId: dataStore })
    const stop = createAbortController()
    const isEnd = (event: KvWatchEvent): event is KvWatchEvent & { readonly cursor: Uint8Array } =>
      event.kind === 'snapshot_end' && event.cursor !== undefined
    const { cursor } = await firstOf(store.kv.watch({ snapshot: true, signal: stop.signal }), { isIt: isEnd, stop })
    await store.kv.put('k', 'two')
    const values = await collect(store.kv.history('k'))
    expect(values).toMatchObject([{ value: utf8Encode('two') }, { value: utf8Encode('one') }])
    const again = createAbortController()
    const isPut = (event: KvWatchEvent): event is Extract<KvWatchEvent, { readonly kind: 'put' }> =>
      event.kind === 'put'
    const event = await firstOf(store.kv.watch({ cursor, signal: again.signal }), { isIt: isPut, stop: again })
    expect(event.value).toEqual(utf8Encode('two'))
  })

  test('shows its operations to people', async () => {
    const { host, store } = open()
    await store.kv.put('k', 'v')
    await store.registerApp('notes', { appId: 'notes', storeId: dataStore })
    await store.uploadBundle(bundleOf(300_000))
    await store.removeBundle('notes')
    await store.removeApp('notes')
    host.deliver({ payload: Uint8Array.of(0x12, 9) })
    const shown = host.applied().map(({ payload }) => formatSExpr(rootStore.summarize(payload)))
    const hex = toHex(dataStore)
    expect(shown[0]).toBe('(kv (put "k" "v"))')
    expect(shown[1]).toContain('(root (set-app "notes" "notes"')
    expect(shown[1]).toContain(hex)
    expect(shown[2]).toBe(`(root (put-part "notes" ${PART_BYTES}))`)
    expect(shown.find((line) => line.includes('put-bundle'))).toMatch(
      /\(root \(put-bundle "notes" "1\.0\.0" \(size \d+\) \(hash .*\) \(parts 3\)\)\)/,
    )
    expect(shown.find((line) => line.includes('unset-bundle'))).toBe('(root (unset-bundle "notes" (dropped 3)))')
    expect(shown.at(-2)).toBe('(root (unset-app "notes"))')
    expect(shown.at(-1)).toMatch(/^\(rejected payload_malformed/)
  })

  test('names only fields that exist in its formats', () => {
    const { formats, methods } = describeMachine(rootStore)
    const messages = new Map(
      [...root.file_lattice_root_v1_root.messages, ...kv.file_lattice_kv_v1_kv.messages].map((message) => [
        message.typeName,
        message,
      ]),
    )
    for (const { field } of formats) {
      const at = field.lastIndexOf('.')
      const names = messages.get(field.slice(0, at))?.fields.map(({ name }) => name)
      expect([field, names?.includes(field.slice(at + 1))]).toEqual([field, true])
    }
    expect(methods).toHaveLength(root.RootStore.methods.length)
  })
})
