/** Sessions of a store that is being made, beside the one that is in use. */
import { createAbortController, createSigner, toHex, toSeed } from '@lattice/model'
import type { BiStream } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { encodeFrame, type Frame } from '../src/frame.ts'
import { createFrameDecoder } from '../src/frame-decoder.ts'
import { helloFrame } from '../src/reconcile.ts'
import { type MeshNode, openMesh } from './mesh.ts'
import { createModelStore, type ModelStore } from './model-store.ts'

const { signal } = createAbortController()
const results = ({ events }: MeshNode): number =>
  events.filter((event) => 'kind' in event && event.kind === 'sync_result').length
const fingerprint = (store: ModelStore): string => toHex(store.digest().fingerprint)

async function readUntil(stream: BiStream, cases: readonly Frame['case'][]): Promise<Frame | undefined> {
  const decoder = createFrameDecoder()
  for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read()) {
    decoder.push(bytes)
    for (let next = decoder.next(); next.ok && next.value !== undefined; next = decoder.next()) {
      if (cases.includes(next.value.case)) return next.value
    }
  }
  return undefined
}

/** Node 0 has written what node 1 does not have; the two do not know each other yet. */
async function twoNodes(seed: string) {
  const mesh = await openMesh({ nodes: 2, seed })
  const [server, maker] = [mesh.node(0), mesh.node(1)]
  for (let run = 0; run < 20; run += 1) server.store.write(20)
  const { crypto, scheduler, storeId, genesis } = mesh
  const made = (): ModelStore =>
    createModelStore({ crypto, signer: maker.signer, clock: scheduler.clock, storeId, genesis })
  const fill = (store: ModelStore, isApart = true) =>
    maker.service.bootstrap({ store, isApart, peers: [{ peer: server.id, addresses: [] }], signal })
  return { mesh, server, maker, made, fill }
}

describe('a store that is made beside one that is in use', () => {
  test('takes all from a peer, which takes none of it for held', async () => {
    const { mesh, server, maker, made, fill } = await twoNodes('not held')
    await mesh.settle(maker.service.unregister(mesh.storeId))
    const store = made()
    expect(await mesh.settle(fill(store))).toMatchObject({ synced: true })
    expect(fingerprint(store)).toBe(fingerprint(server.store))
    expect(server.service.peerDigest(maker.id, mesh.storeId)).toBeUndefined()
    expect(results(server) + results(maker)).toBe(0)
    // As it is not where it is made in its place.
    expect(await mesh.settle(fill(made(), false))).toMatchObject({ synced: true })
    const { fingerprint: held } = server.store.digest()
    expect(server.service.peerDigest(maker.id, mesh.storeId)).toMatchObject({ fingerprint: held })
  })

  test('hinders no session of that, nor one that is made as well', async () => {
    const { mesh, server, maker, made, fill } = await twoNodes('at the same time')
    const stores = [made(), made()]
    const filled = Promise.all(stores.map((store) => fill(store)))
    mesh.connectAll()
    await mesh.until('the one in use has it', mesh.converged)
    expect(await mesh.settle(filled)).toMatchObject([{ synced: true }, { synced: true }])
    for (const store of stores) expect(fingerprint(store)).toBe(fingerprint(server.store))
    const failed = [server, maker].flatMap(({ events }) =>
      events.filter((event) => 'kind' in event && event.kind === 'sync_result' && event.outcome.kind === 'failed'),
    )
    expect(failed).toEqual([])
  })

  test('is given to a peer once at a time, whatever it opens', async () => {
    const { mesh, server } = await twoNodes('one at a time')
    const keys = mesh.crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(0xee)))
    const transport = mesh.network.transport(createSigner(mesh.crypto, keys).publicKey)
    const connection = await mesh.settle(transport.connect(server.id, { addresses: [], signal }))
    const streams: BiStream[] = []
    for (let n = 0; n < 2; n += 1) streams.push(await mesh.settle(connection.open()))
    const answers = streams.map(async (stream) => {
      const { wallMs } = mesh.scheduler.clock
      const versions = { version: 2, versionMin: 1, wallTime: BigInt(wallMs()) }
      await stream.write(encodeFrame({ case: 'open', value: { protocol: net.Protocol.RECONCILE, ...versions } }))
      const nothing = { ...server.store.digest(), witnessCount: 0, fingerprint: new Uint8Array(32) }
      await stream.write(encodeFrame(helloFrame(mesh.storeId, nothing, { isApart: true })))
      return readUntil(stream, ['hello', 'refused'])
    })
    const frames = await mesh.settle(Promise.all(answers))
    expect(new Set(frames.map((frame) => frame?.case))).toEqual(new Set(['hello', 'refused']))
    const refused = frames.find((frame) => frame?.case === 'refused')
    expect(refused?.value).toMatchObject({ code: net.RefusalCode.BUSY })
  })

  test('is whole over the connection of the one in use, and another set than that, which goes on', async () => {
    const { mesh, server, maker, made, fill } = await twoNodes('beside')
    mesh.connectAll()
    await mesh.until('the one in use has it', mesh.converged)
    const store = made()
    expect(await mesh.settle(fill(store))).toMatchObject({ synced: true })
    expect(fingerprint(store)).toBe(fingerprint(server.store))
    // What that holds is not what is made.
    maker.store.write(1)
    await mesh.until('the one in use goes on', mesh.converged)
    expect(fingerprint(store)).not.toBe(fingerprint(server.store))
  })
})
