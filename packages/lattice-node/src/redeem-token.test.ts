import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createGenesis,
  createSigner,
  equalBytes,
  genesisStoreId,
  idKey,
  parseStoreType,
  type PublicKey,
  silentLogger,
  toHex,
  toPublicKey,
  toSeed,
} from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { createManualScheduler, createSeededRandom } from '@lattice/model/testing'
import type { JoinGrant, JoinHandler, JoinRefusal } from '@lattice/net'
import { admitPeer, cancelInvite, readInvites, readPeers, setPeerStatus } from '@lattice/systemstore'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NodeError } from './errors.ts'
import { decodeInviteToken, type InviteToken } from './invite-token.ts'
import { invitePeer } from './invite-peer.ts'
import type { NodeContext } from './node-context.ts'
import { createNodeHealth } from './node-health.ts'
import { openStore, type OpenStore } from './open-store.ts'
import { createRedeemer } from './redeem-token.ts'
import type { StoreManager } from './store-manager.ts'
import { submitSystem } from './submit-system.ts'

const crypto = await openCrypto({ backend: 'wasm' })
const random = createSeededRandom('redeem')
const scheduler = createManualScheduler()
const keyPair = crypto.keyPairFromSeed(toSeed(random.bytes(32)))
const signer = createSigner(crypto, keyPair)
const parsedType = parseStoreType('test:none')
if (!parsedType.ok) throw new Error('the type is valid')
const storeType = parsedType.value

let root = ''
let store: OpenStore
let handler: JoinHandler
let context: NodeContext
let manager: { entry: (wanted: Uint8Array) => unknown; readonly tablesOf: () => undefined }

async function complete<T>(promise: Promise<T>): Promise<T> {
  let settled = false
  promise
    .finally(() => {
      settled = true
    })
    .catch(() => undefined)
  while (!settled) await scheduler.advanceAsync(1)
  return promise
}

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'lattice-redeem-'))
  const genesis = createGenesis(crypto, signer, {
    storeType,
    nonce: random.bytes(16),
    timestamp: { wall: scheduler.clock.wallMs(), counter: 0 },
  })
  const id = genesisStoreId(genesis)
  context = {
    id: keyPair.publicKey,
    signer,
    crypto,
    verifier: undefined,
    ackDelayMs: undefined,
    random,
    scheduler,
    clock: scheduler.clock,
    logger: silentLogger,
    openers: new Map(),
    storageHooks: undefined,
    scrub: undefined,
    fileCheck: undefined,
    fileWork: undefined,
    directory: { storePath: () => join(root, 'store') } as unknown as NodeContext['directory'],
    meta: {
      saveAddresses: () => undefined,
      addresses: () => [],
      writeHold: () => undefined,
    } as unknown as NodeContext['meta'],
    network: () => undefined,
    publish: () => undefined,
    nodeName: () => '',
    device: '',
    about: undefined,
    health: createNodeHealth(),
  }
  store = await complete(
    openStore(context, {
      id,
      storeTypeHint: storeType,
      genesis,
      tablesOf: () => undefined,
      kernelOf: () => undefined,
      onFailed: () => undefined,
      mustExist: false,
      onSystemChange: () => undefined,
    }),
  )
  const entries = new Map([[idKey(id), { open: store, ready: true }]])
  manager = { entry: (wanted: Uint8Array) => entries.get(idKey(wanted)), tablesOf: () => undefined }
  handler = createRedeemer(context, () => manager as unknown as StoreManager)
})
afterEach(async () => {
  await complete(store.close())
  rmSync(root, { recursive: true, force: true })
})

async function secretOf(uses: number): Promise<Uint8Array> {
  return (await inviteOf(uses)).secret
}

async function inviteOf(uses: number, expiresInMs = 60_000): Promise<InviteToken> {
  const invite = invitePeer(context, { store, tablesOf: () => undefined, invite: { uses, expiresInMs } })
  const decoded = decodeInviteToken((await complete(invite)).token)
  if (!decoded.ok) throw new Error('the token is good')
  return decoded.value
}

const stranger = (): PublicKey => toPublicKey(crypto.keyPairFromSeed(toSeed(random.bytes(32))).publicKey)

function redeem(secret: Uint8Array, peer = stranger(), name = ''): Promise<JoinGrant | JoinRefusal> {
  return handler.redeem({ storeId: store.id, secret, peer, name, addresses: [] })
}

const outcomeOf = (result: JoinGrant | JoinRefusal): string => (result.kind === 'granted' ? 'granted' : result.code)
const peers = (): string[] => [...readPeers(store.kernel.tables().system)].map(({ peer }) => toHex(peer))

describe('redeeming a token', () => {
  test('never exceeds its uses, for requests that come in one instant', async () => {
    const secret = await secretOf(3)
    const results = await complete(Promise.all(Array.from({ length: 8 }, () => redeem(secret))))
    expect(results.map(outcomeOf).sort()).toEqual([...Array(5).fill('TOKEN_USED'), ...Array(3).fill('granted')])
    expect(peers()).toHaveLength(4)
    expect([...readInvites(store.kernel.tables().system)]).toMatchObject([{ status: 'claimed', usesLeft: 0 }])
  })

  test('lets a peer that is in already in again, for nothing, also when the token is used up or over', async () => {
    const secret = await secretOf(1)
    const peer = stranger()
    expect(outcomeOf(await complete(redeem(secret, peer)))).toBe('granted')
    const count = store.kernel.stats().witnessCount
    expect(outcomeOf(await complete(redeem(secret, peer)))).toBe('granted')
    scheduler.advance(60_001)
    expect(outcomeOf(await complete(redeem(secret, peer)))).toBe('granted')
    expect(store.kernel.stats().witnessCount).toBe(count)
    expect(outcomeOf(await complete(redeem(secret)))).toBe('TOKEN_EXPIRED')
  })

  test('is one intention: admission and claim together', async () => {
    const secret = await secretOf(2)
    // The first writer that is admitted brings the first epoch with it.
    expect(outcomeOf(await complete(redeem(secret, stranger(), 'desktop')))).toBe('granted')
    expect(store.kernel.epochs()).toMatchObject([{ seq: 0n, cause: { kind: 'initial' }, fault: undefined }])
    const count = store.kernel.stats().witnessCount
    expect(outcomeOf(await complete(redeem(secret, stranger(), 'laptop')))).toBe('granted')
    expect(store.kernel.stats().witnessCount).toBe(count + 1)
  })

  test('refuses a wrong secret, an expired and a cancelled invite each for its reason', async () => {
    const { secret, expiresAt } = await inviteOf(1, 1000)
    expect(outcomeOf(await complete(redeem(new Uint8Array(32))))).toBe('TOKEN_UNKNOWN')
    scheduler.advance(expiresAt - scheduler.clock.wallMs())
    expect(outcomeOf(await complete(redeem(secret)))).toBe('TOKEN_EXPIRED')
    const cancelled = await secretOf(1)
    const write = cancelInvite({ author: context.id, tokenHash: crypto.blake3(cancelled) })
    await complete(submitSystem(store.kernel, [write], { author: context.id, act: 'cancel invites' }))
    expect(outcomeOf(await complete(redeem(cancelled)))).toBe('TOKEN_REVOKED')
    expect(peers()).toEqual([toHex(context.id)])
  })

  test('answers a guess as for a store that is not here, however long others take and however many wait', async () => {
    const secret = await secretOf(1)
    let isAdmitted = false
    const admission = redeem(secret).finally(() => {
      isAdmitted = true
    })
    // More than may wait for their turn.
    const guesses = Array.from({ length: 100 }, () => redeem(random.bytes(32)))
    const answers = await Promise.all(guesses)
    expect(isAdmitted).toBe(false)
    expect(new Set(answers.map(outcomeOf))).toEqual(new Set(['TOKEN_UNKNOWN']))
    expect(outcomeOf(await complete(admission))).toBe('granted')
  })

  test('judges on the state that is signed upon: a cancellation in the same instant is not outrun', async () => {
    const secret = await secretOf(1)
    const write = cancelInvite({ author: context.id, tokenHash: crypto.blake3(secret) })
    const cancelled = submitSystem(store.kernel, [write], { author: context.id, act: 'cancel invites' })
    const [, result] = await complete(Promise.all([cancelled, redeem(secret)]))
    expect(outcomeOf(result)).toBe('TOKEN_REVOKED')
    expect(peers()).toEqual([toHex(context.id)])
    expect([...readInvites(store.kernel.tables().system)]).toMatchObject([{ status: 'cancelled', usesLeft: 1 }])
  })

  test('costs no use for a peer that an admin lets in at the same instant', async () => {
    const secret = await secretOf(1)
    const peer = stranger()
    const write = admitPeer({ author: context.id, peer, role: 'admin', addedAt: 1 })
    const admitted = submitSystem(store.kernel, [write], { author: context.id, act: 'admit peers' })
    const [, result] = await complete(Promise.all([admitted, redeem(secret, peer)]))
    expect(outcomeOf(result)).toBe('granted')
    expect([...readInvites(store.kernel.tables().system)]).toMatchObject([{ status: 'open', usesLeft: 1 }])
    expect([...readPeers(store.kernel.tables().system)].find((entry) => equalBytes(entry.peer, peer))?.role).toBe(
      'admin',
    )
  })

  test('is put off while the store cannot be written to, and not refused for good', async () => {
    const secret = await secretOf(1)
    const { kernel } = store
    const stalled = new NodeError('PROJECTION_STALLED', 'it stalls')
    const busy = { ...store, kernel: { ...kernel, submit: () => Promise.reject(stalled) } }
    manager.entry = () => ({ open: busy, ready: true })
    expect(outcomeOf(await complete(redeem(secret)))).toBe('STORE_NOT_READY')
    manager.entry = () => ({ open: store, ready: true })
    expect(outcomeOf(await complete(redeem(secret)))).toBe('granted')
  })

  test('a peer that is away is let in as the peer it is', async () => {
    const secret = await secretOf(2)
    const peer = stranger()
    await complete(redeem(secret, peer))
    const write = setPeerStatus({ author: context.id, peer, status: 'dormant' })
    await complete(submitSystem(store.kernel, [write], { author: context.id, act: 'change the status of peers' }))
    expect(outcomeOf(await complete(redeem(secret, peer)))).toBe('granted')
    expect([...readInvites(store.kernel.tables().system)]).toMatchObject([{ usesLeft: 1 }])
  })

  test('takes a name that may not be used as no name', async () => {
    const secret = await secretOf(2)
    expect(outcomeOf(await complete(redeem(secret, stranger(), 'evil\u0007')))).toBe('granted')
    expect(outcomeOf(await complete(redeem(secret, stranger(), 'good')))).toBe('granted')
    const names = [...readPeers(store.kernel.tables().system)].flatMap(({ name }) => name ?? [])
    expect(names).toEqual(['good'])
  })
})
