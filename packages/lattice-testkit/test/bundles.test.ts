import { kvStore, openKv } from '@lattice/kvstore'
import type { StoreId, StoreType } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { openRoot, PART_BYTES, type Root, rootStore } from '@lattice/rootstore'
import { appManifest, buildZip } from '@lattice/rootstore/testing'
import { createClient, type StateMachine } from '@lattice/store-base'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf } from './support.ts'

const openers = new Map<StoreType, () => StateMachine>([
  [kvStore.storeType, () => kvStore as StateMachine],
  [rootStore.storeType, () => rootStore as StateMachine],
])

/** A bundle of so many kibibytes that do not pack. */
function bundleOf(kib: number, seed: string): Uint8Array {
  const random = createSeededRandom(seed)
  return buildZip([
    appManifest('notes', `version = "${seed}"`),
    { name: 'data', data: random.bytes(kib * 1024), stored: true },
  ])
}

function rootOf(mesh: SimMesh, index: number, id: StoreId): Root {
  return openRoot(mesh.store(index, id))
}

async function appRows(mesh: SimMesh, index: number, id: StoreId): Promise<number> {
  return (await mesh.store(index, id).stateSummary()).appRows
}

describe('a root store in a mesh', () => {
  test('is what a root is made as where it can be opened; a child holds keys and values', async () => {
    await using mesh = await createSimMesh({ seed: 1, nodes: 1, openers })
    const node = mesh.node(0)
    const { id } = await mesh.complete(node.createStore())
    const child = await mesh.complete(node.createStore({ parent: id }))
    expect([mesh.store(0, id), child].map((store) => store.summary().storeType)).toEqual([
      'core:rootstore',
      'core:kvstore',
    ])
    const plain = await mesh.complete(node.createStore({ storeType: 'core:kvstore' }))
    expect(plain.summary().storeType).toBe('core:kvstore')
    await mesh.stop(0)
    const other = await mesh.start(0, { openers: new Map([...openers].slice(0, 1)) })
    expect((await mesh.complete(other.createStore())).summary().storeType).toBe('core:kvstore')
  })

  test('serves keys and values by the interface of a key-value store', async () => {
    await using mesh = await createSimMesh({ seed: 2, nodes: 2, openers })
    const id = await mesh.share()
    const kv = openKv(mesh.store(0, id))
    await mesh.complete(kv.put('a', '1'))
    await mesh.complete(kv.import(Array.from({ length: 600 }, (_, index) => ({ key: `k${index}`, value: 'v' }))))
    await mesh.converge(id)
    expect(await openKv(mesh.store(1, id)).count()).toBe(601)
    expect(await openKv(mesh.store(1, id)).inspect('a')).toHaveLength(1)
  })

  test('replicates a bundle of three mebibytes, and its replacement and removal', async () => {
    await using mesh = await createSimMesh({ seed: 3, nodes: 2, openers })
    const id = await mesh.share()
    const [here, there] = [rootOf(mesh, 0, id), rootOf(mesh, 1, id)]
    const zip = bundleOf(3 * 1024, 'one')
    await mesh.complete(here.uploadBundle(zip))
    await mesh.complete(here.registerApp('notes', { appId: 'notes', storeId: id }))
    await mesh.converge(id)
    expect(Buffer.compare(await mesh.complete(there.downloadBundle('notes')), zip)).toBe(0)
    const [mine, theirs] = [await here.getBundle('notes'), await there.getBundle('notes')]
    expect(theirs).toEqual(mine)
    expect(theirs).toMatchObject({ complete: true, size: zip.length, version: 'one' })
    expect(await there.getApp('notes')).toEqual({ subdomain: 'notes', appId: 'notes', storeId: id, conflicted: false })

    const next = bundleOf(300, 'two')
    await mesh.complete(there.uploadBundle(next))
    await mesh.converge(id)
    expect(Buffer.compare(await mesh.complete(here.downloadBundle('notes')), next)).toBe(0)
    // The app, the bundle, and two rows for each of three parts.
    expect(await appRows(mesh, 0, id)).toBe(2 + 2 * 3)
    await mesh.complete(here.removeBundle('notes'))
    await mesh.complete(here.removeApp('notes'))
    await mesh.converge(id)
    expect(await there.getBundle('notes')).toBeUndefined()
    expect(await appRows(mesh, 1, id)).toBe(2)
    await mesh.complete(mesh.store(1, id).rebuild())
    await mesh.converge(id)
  })

  test('joined later has every bundle', async () => {
    await using mesh = await createSimMesh({ seed: 4, nodes: 2, openers })
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const zip = bundleOf(1024, 'one')
    await mesh.complete(rootOf(mesh, 0, id).uploadBundle(zip))
    await mesh.complete(mesh.node(1).join(await mesh.invite(0, id)))
    await mesh.converge(id)
    expect(Buffer.compare(await mesh.complete(rootOf(mesh, 1, id).downloadBundle('notes')), zip)).toBe(0)
  })

  test('keeps both of two bundles that were uploaded apart, shows the conflict, and the next upload ends it', async () => {
    await using mesh = await createSimMesh({ seed: 5, nodes: 2, openers })
    const id = await mesh.share()
    await mesh.complete(rootOf(mesh, 0, id).uploadBundle(bundleOf(200, 'base')))
    await mesh.converge(id)
    mesh.partition([0], [1])
    await mesh.complete(rootOf(mesh, 0, id).uploadBundle(bundleOf(250, 'left')))
    await mesh.time.pass(1000)
    const right = bundleOf(370, 'right')
    await mesh.complete(rootOf(mesh, 1, id).uploadBundle(right))
    mesh.heal()
    await mesh.converge(id)
    for (const index of [0, 1]) {
      const root = rootOf(mesh, index, id)
      expect(await root.getBundle('notes')).toMatchObject({ version: 'right', conflicted: true, complete: true })
      expect(Buffer.compare(await mesh.complete(root.downloadBundle('notes')), right)).toBe(0)
    }
    // The bundle, and two rows for each of three and four parts: those of the base are gone.
    expect(await appRows(mesh, 0, id)).toBe(1 + 2 * (3 + 4))
    await mesh.complete(rootOf(mesh, 0, id).uploadBundle(bundleOf(100, 'last')))
    await mesh.converge(id)
    expect(await rootOf(mesh, 1, id).getBundle('notes')).toMatchObject({ version: 'last', conflicted: false })
    expect(await appRows(mesh, 1, id)).toBe(1 + 2 * 1)
  })

  test('counts a bundle whose parts another node put', async () => {
    await using mesh = await createSimMesh({ seed: 6, nodes: 2, openers })
    const id = await mesh.share()
    const zip = bundleOf(3 * 1024, 'one')
    const [parts, record] = [mesh.store(0, id), mesh.store(1, id)]
    let isConverged = false
    // Parts go to one node, and the record is signed by the other once it has them.
    const split = openRoot({
      ...parts,
      exec: async (method, request, signal) => {
        if (method !== 'UploadBundle') return parts.exec(method, request, signal)
        isConverged = true
        await arrived
        return record.exec(method, request, signal)
      },
    })
    let arrive = (): void => {}
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve
    })
    const upload = split.uploadBundle(zip)
    await mesh.run(() => isConverged, 'every part was put')
    await mesh.converge(id)
    arrive()
    await mesh.complete(upload)
    await mesh.converge(id)
    for (const index of [0, 1])
      expect(Buffer.compare(await mesh.complete(rootOf(mesh, index, id).downloadBundle('notes')), zip)).toBe(0)
  })
})

describe('a crash in the middle of an upload', () => {
  test.each([2, 4])(
    'at the %i. commit leaves the bundle there was; the next upload is whole, everywhere',
    async (commit) => {
      await using mesh = await createSimMesh({ seed: `crash ${commit}`, nodes: 2, openers })
      const id = await mesh.share()
      const first = bundleOf(200, 'one')
      await mesh.complete(rootOf(mesh, 0, id).uploadBundle(first))
      await mesh.converge(id)
      const hasCrashed = mesh.crashAt(0, 'commit', commit)
      const upload = rootOf(mesh, 0, id).uploadBundle(bundleOf(3 * 1024, 'two'))
      expect(await codeOf(mesh, upload)).not.toBe('resolved')
      expect(hasCrashed()).toBe(true)
      await mesh.start(0)
      await mesh.converge(id)
      for (const index of [0, 1]) {
        const zip = await mesh.complete(rootOf(mesh, index, id).downloadBundle('notes'))
        expect(Buffer.compare(zip, first)).toBe(0)
      }
      const loose = (await appRows(mesh, 0, id)) - (1 + 2 * 2)
      expect(loose).toBeGreaterThan(0)

      const third = bundleOf(3 * 1024, 'three')
      await mesh.complete(rootOf(mesh, 0, id).uploadBundle(third))
      await mesh.converge(id)
      expect(Buffer.compare(await mesh.complete(rootOf(mesh, 1, id).downloadBundle('notes')), third)).toBe(0)
      // An hour on, the next upload takes along what the crash has left.
      await mesh.time.pass(61 * 60 * 1000)
      await mesh.complete(rootOf(mesh, 1, id).uploadBundle(bundleOf(200, 'four')))
      await mesh.converge(id)
      expect(await appRows(mesh, 0, id)).toBe(1 + 2 * 2)
    },
  )

  /** A node with a root store that has the parts of a bundle, and the upload of them. */
  async function withParts(mesh: SimMesh): Promise<{ readonly id: StoreId; readonly upload: () => Promise<unknown> }> {
    const { id } = await mesh.complete(mesh.node(0).createStore())
    const zip = bundleOf(2 * 1024, 'parts')
    const client = createClient(rootStore, mesh.store(0, id))
    const ids: Uint8Array[] = []
    for (let at = 0; at < zip.length; at += PART_BYTES) {
      const data = zip.subarray(at, at + PART_BYTES)
      ids.push((await mesh.complete(client.putBundlePart({ appId: 'notes', data }))).id)
    }
    return { id, upload: () => client.uploadBundle({ appId: 'notes', content: { case: 'parts', value: { ids } } }) }
  }

  test('checks a bundle while another store is written to', async () => {
    await using mesh = await createSimMesh({ seed: 6, nodes: 1, openers })
    const { upload } = await withParts(mesh)
    const plain = await mesh.complete(mesh.node(0).createStore({ storeType: 'core:kvstore' }))
    const ended: string[] = []
    const uploading = upload().then(() => ended.push('bundle'))
    const kv = openKv(plain)
    const writing = (async () => {
      for (let count = 0; count < 5; count += 1) await kv.put('k', String(count)).then(() => ended.push('put'))
    })()
    await mesh.complete(Promise.all([uploading, writing]))
    expect(ended).toEqual(['put', 'put', 'put', 'put', 'put', 'bundle'])
  })

  test('whose node stops while a bundle is checked ends the check, and has no bundle', async () => {
    await using mesh = await createSimMesh({ seed: 7, nodes: 1, openers })
    const { id, upload } = await withParts(mesh)
    const ending = codeOf(mesh, upload())
    await mesh.stop(0)
    expect(await ending).toBe('STORE_NOT_READY')
    await mesh.start(0, { openers })
    expect(await rootOf(mesh, 0, id).getBundle('notes')).toBeUndefined()
  })
})
