/** Services that know of each other nothing but the keys, over a network where a dial needs an address. */
import { createAbortController, createSigner, type PublicKey, silentLogger, toSeed } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import { createNetworkService, type NetworkService } from '../src/index.ts'
import { createMesh, type Mesh } from './mesh.ts'

interface Found {
  readonly mesh: Mesh
  readonly open: (index: number, options?: { readonly discovers?: boolean }) => NetworkService
  readonly idOf: (index: number) => PublicKey
}

async function create(): Promise<Found> {
  const mesh = await createMesh({ nodes: 0, network: { discovery: false } })
  const { crypto, scheduler, network } = mesh
  const signerOf = (index: number) =>
    createSigner(crypto, crypto.keyPairFromSeed(toSeed(crypto.blake3(new Uint8Array([index, 9])))))
  return {
    mesh,
    idOf: (index) => signerOf(index).publicKey,
    open: (index, { discovers = true } = {}) => {
      const id = signerOf(index).publicKey
      return createNetworkService({
        transport: network.transport(id),
        ...(discovers ? { discovery: network.discoveryOf(id) } : {}),
        crypto,
        clock: scheduler.clock,
        scheduler,
        random: createSeededRandom(index),
        logger: silentLogger,
        joinHandler: { redeem: async () => ({ kind: 'refused', code: 'TOKEN_UNKNOWN' }) },
      })
    },
  }
}

const isConnected = (service: NetworkService): boolean => service.connectedPeers().length > 0

describe('services that know only the keys of each other', () => {
  test('find each other, and do not without discovery', async () => {
    const { mesh, open, idOf } = await create()
    const [a, b, c] = [open(0), open(1), open(2, { discovers: false })]
    a.want(idOf(1), [])
    c.want(idOf(1), [])
    await mesh.until('the two are connected', () => isConnected(a) && isConnected(b), 1_000)
    await mesh.advance(300_000)
    expect(isConnected(c)).toBe(false)
    await mesh.settle(Promise.all([a.close(), b.close(), c.close()]))
  })

  test('find each other as soon as the one that was away is back, however long that was', async () => {
    const { mesh, open, idOf } = await create()
    const a = open(0)
    a.want(idOf(1), [])
    await mesh.advance(3_600_000)
    const b = open(1)
    await mesh.until('the two are connected', () => isConnected(a) && isConnected(b), 1_000)
    await mesh.settle(Promise.all([a.close(), b.close()]))
  })

  test('find each other once a partition has healed', async () => {
    const { mesh, open, idOf } = await create()
    mesh.network.partition([[idOf(0)], [idOf(1)]])
    const [a, b] = [open(0), open(1)]
    a.want(idOf(1), [])
    b.want(idOf(0), [])
    await mesh.advance(600_000)
    expect(isConnected(a)).toBe(false)
    mesh.network.heal()
    await mesh.until('the two are connected', () => isConnected(a) && isConnected(b), 70_000)
    await mesh.settle(Promise.all([a.close(), b.close()]))
  })

  test('reach an inviter whose token says where it was', async () => {
    const { mesh, open, idOf } = await create()
    const [inviter, joiner] = [open(0), open(1)]
    const request = { inviter: idOf(0), addresses: [`sim:${'00'.repeat(32)}`], storeId: mesh.storeId }
    const secret = new Uint8Array(32)
    const { signal } = createAbortController()
    const joining = joiner.join({ ...request, secret, name: 'b' }, signal).catch((error: unknown) => error)
    expect(await mesh.settle(joining, 3_000)).toMatchObject({ code: 'TOKEN_UNKNOWN' })
    await mesh.settle(Promise.all([inviter.close(), joiner.close()]))
  })

  test('leave nothing running when they close', async () => {
    const { mesh, open, idOf } = await create()
    const [a, b] = [open(0), open(1)]
    a.want(idOf(1), [])
    b.want(idOf(2), [])
    await mesh.advance(10_000)
    await mesh.settle(Promise.all([a.close(), b.close()]))
    await mesh.advance(60_000)
    expect(mesh.scheduler.pending()).toBe(0)
    // The keys are free: what was opened for them is closed.
    const again = open(0)
    await mesh.settle(again.close())
  })
})
