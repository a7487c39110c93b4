import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type IdKey,
  idKey,
  LatticeError,
  type LatticeErrorCode,
  silentLogger,
  toHex,
  toPublicKey,
  toStoreId,
} from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { createManualScheduler, createSeededRandom } from '@lattice/model/testing'
import type { JoinGrant } from '@lattice/net'
import { system } from '@lattice/proto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeInviteToken, type InviteToken } from './invite-token.ts'
import { joinStore } from './join-store.ts'
import { type MetaDb, openMetaDb, type StoreRecord } from './meta-db.ts'
import type { NodeContext } from './node-context.ts'
import type { JoinProgress } from './node-types.ts'
import { createStoreEntry, type StoreEntry } from './store-entry.ts'
import type { StoreManager } from './store-manager.ts'

const random = createSeededRandom('join')
const crypto = await openCrypto({ backend: 'wasm' })
const { clock } = createManualScheduler()
const helper = toPublicKey(random.bytes(32))
const token: InviteToken = {
  storeId: toStoreId(random.bytes(32)),
  secret: random.bytes(32),
  inviter: toPublicKey(random.bytes(32)),
  addresses: ['127.0.0.1:4433'],
  expiresAt: clock.wallMs() + 60_000,
  uses: 1,
  role: system.Role.WRITER,
}
const grant: JoinGrant = {
  kind: 'granted',
  storeType: 'core:kvstore',
  witnessCount: 3,
  peers: [{ peer: helper, addresses: ['10.0.0.1:1'] }],
}

class Refusal extends LatticeError {
  readonly code: LatticeErrorCode
  constructor(code: LatticeErrorCode) {
    super(code)
    this.code = code
  }
}

let root = ''
let meta: MetaDb
let entries: Map<IdKey, StoreEntry>
let asked: number
let isThere: boolean
let stages: string[]
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lattice-join-'))
  meta = openMetaDb(join(root, 'meta.db'))
  entries = new Map()
  asked = 0
  isThere = true
  stages = []
})
afterEach(() => {
  meta.close()
  rmSync(root, { recursive: true, force: true })
})

/** A node whose inviter gives these answers, one after another. */
function run(...answers: readonly (JoinGrant | LatticeErrorCode)[]): Promise<unknown> {
  const context = {
    id: toPublicKey(new Uint8Array(32).fill(1)),
    clock,
    crypto,
    logger: silentLogger,
    meta,
    nodeName: () => 'here',
    publish: () => undefined,
    network: () => ({
      join: async ({ onConnected }: { onConnected: () => void }) => {
        if (isThere) onConnected()
        const answer = answers[asked]
        asked += 1
        if (answer === undefined || typeof answer === 'string') throw new Refusal(answer ?? 'INTERNAL')
        return answer
      },
    }),
  } as unknown as NodeContext
  const manager = {
    entries,
    entry: (id: Uint8Array) => entries.get(idKey(id)),
    add: (record: StoreRecord, peers: readonly Parameters<MetaDb['addresses']>[0][]) => {
      meta.putStore(record, peers)
      hold(record)
    },
    resume: (id: StoreRecord['id'], peers: readonly Parameters<MetaDb['addresses']>[0][]) => {
      const entry = entries.get(idKey(id))
      if (entry === undefined) throw new Error('it is held')
      entry.record = { ...entry.record, state: 'bootstrapping' }
      meta.putStore(entry.record, peers)
    },
    wake: () => undefined,
    nudge: () => undefined,
    onBootstrap: () => () => undefined,
    whenReady: async () => undefined,
  } as unknown as StoreManager
  return joinStore(context, manager, { text: encodeInviteToken(token), options: { onProgress: note } })
}

function note(progress: JoinProgress): void {
  if (progress.kind === 'stage') stages.push(progress.stage)
}

function know(state: StoreRecord['state'], parentId?: StoreRecord['parentId']): void {
  const record = { id: token.storeId, parentId, storeType: 'core:kvstore', state, createdAt: 1, creation: undefined }
  meta.putStore(record)
  hold(record)
}

function hold({ id }: { readonly id: StoreRecord['id'] }): void {
  const record = meta.store(id)
  if (record === undefined) throw new Error('it is recorded')
  entries.set(idKey(id), createStoreEntry(record, { entryOf: () => undefined, hasData: false }))
}

describe('joining', () => {
  test('keeps nothing of a token that was refused: no store and no address', async () => {
    const codes = [
      'TOKEN_UNKNOWN',
      'TOKEN_EXPIRED',
      'TOKEN_USED',
      'TOKEN_REVOKED',
      'REVOKED',
      'STORE_NOT_READY',
    ] as const
    for (const code of codes) {
      asked = 0
      await expect(run(code)).rejects.toMatchObject({ code })
    }
    asked = 0
    await expect(run('STORE_NOT_FOUND')).rejects.toMatchObject({ code: 'TOKEN_FOREIGN' })
    expect(meta.stores()).toEqual([])
    expect(meta.knownPeers(10)).toEqual([])
  })

  test('says that the inviter does not answer, and shows the token to nobody before one does', async () => {
    isThere = false
    for (const code of ['PEER_UNREACHABLE', 'DEADLINE_EXCEEDED'] as const) {
      asked = 0
      const message = `the node that made the token (${toHex(token.inviter).slice(0, 12)}) does not answer`
      await expect(run(code)).rejects.toMatchObject({
        code: 'PEER_UNREACHABLE',
        message: expect.stringContaining(message) as string,
      })
    }
    expect(stages).toEqual(['connecting', 'connecting'])
    expect(meta.knownPeers(10)).toEqual([])
    isThere = true
    asked = 0
    await expect(run('DEADLINE_EXCEEDED')).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    expect(stages.at(-1)).toBe('redeeming')
  })

  test('keeps the way to the inviter and to those it names', async () => {
    await run(grant)
    expect(meta.stores()).toMatchObject([{ id: token.storeId, state: 'bootstrapping', storeType: 'core:kvstore' }])
    expect(meta.addresses(token.inviter)).toEqual(token.addresses)
    expect(meta.addresses(helper)).toEqual(['10.0.0.1:1'])
    expect(meta.bootstrapPeers(token.storeId)).toHaveLength(2)
  })

  test('comes back to a store that was left, as to one that is still on its way', async () => {
    know('left')
    await run(grant)
    expect(asked).toBe(1)
    expect(meta.store(token.storeId)).toMatchObject({ state: 'bootstrapping' })
    expect(entries.get(idKey(token.storeId))?.record.state).toBe('bootstrapping')
    expect(meta.bootstrapPeers(token.storeId)).toHaveLength(2)
  })

  test('leaves a store that was left as it is when the token is refused', async () => {
    know('left')
    await expect(run('TOKEN_USED')).rejects.toMatchObject({ code: 'TOKEN_USED' })
    expect(meta.store(token.storeId)).toMatchObject({ state: 'left' })
    expect(meta.knownPeers(10)).toEqual([])
  })

  test('asks for a child that its parent declares, and only waits for a root on its way', async () => {
    know('bootstrapping')
    await run()
    expect(asked).toBe(0)
    know('bootstrapping', toStoreId(random.bytes(32)))
    await run(grant)
    expect(asked).toBe(1)
    expect(meta.bootstrapPeers(token.storeId)).toHaveLength(2)
  })

  test.each([
    ['active', 'STORE_EXISTS'],
    ['archived', 'WRONG_STATE'],
    ['creating', 'STORE_EXISTS'],
    ['destroyed', 'WRONG_STATE'],
  ] as const)('does not ask for a store that is %s here', async (state, code) => {
    know(state)
    await expect(run(grant)).rejects.toMatchObject({ code })
    expect(asked).toBe(0)
  })
})
