import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectBackend, storeExecutor } from '@lattice/api'
import { openKv } from '@lattice/kvstore'
import { toStoreId } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { openRoot } from '@lattice/rootstore'
import { appManifest, buildZip } from '@lattice/rootstore/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { coreOpeners, createRuntimeBuilder, type Runtime, SOCKET_NAME } from '../src/index.ts'

let dataDir = ''
let runtime: Runtime

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'lattice-root-'))
  runtime = await createRuntimeBuilder({ dataDir }).withOpeners(coreOpeners()).withRpc().build()
})

afterAll(async () => {
  await runtime.close()
  rmSync(dataDir, { recursive: true, force: true })
})

test('the root store of a real node is served over its socket: keys, apps, bundles and refusals', async () => {
  const backend = await connectBackend({ socket: join(dataDir, SOCKET_NAME) })
  try {
    const created = await backend.store.create({ name: 'team' })
    expect(created.storeType).toBe('core:rootstore')
    const executor = storeExecutor(backend, toStoreId(created.id))
    const root = openRoot(executor)
    const stop = new AbortController()
    const watch = root.watchApps({ snapshot: true, signal: stop.signal })[Symbol.asyncIterator]()
    expect((await watch.next()).value).toEqual({ kind: 'snapshot_end' })

    const data = createSeededRandom('bundle').bytes(2 * 1024 * 1024)
    const zip = buildZip([appManifest('notes'), { name: 'data', data, stored: true }])
    await root.uploadBundle(zip)
    await root.registerApp('notes', { appId: 'notes', storeId: toStoreId(created.id) })
    await openKv(executor).put('k', 'v')
    expect(Buffer.compare(await root.downloadBundle('notes'), zip)).toBe(0)
    expect(await root.getApp('notes')).toMatchObject({ appId: 'notes' })
    expect((await watch.next()).value).toMatchObject({ kind: 'bundle', appId: 'notes', complete: true })
    expect((await watch.next()).value).toMatchObject({ kind: 'app', subdomain: 'notes' })
    stop.abort()

    // What the store refuses keeps its code and reason on the way.
    const request = { method: 'UploadBundle', request: Uint8Array.of(0x12, 1, 7), storeId: created.id }
    await expect(backend.dynamic.exec(request)).rejects.toMatchObject({
      code: 'BUNDLE_INVALID',
      detail: { reason: 'not_a_zip' },
    })
    await expect(root.removeApp('other')).rejects.toMatchObject({ code: 'VALUE_NOT_FOUND' })
  } finally {
    await backend.close()
  }
})
