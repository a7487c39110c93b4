import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createAbortController,
  createSigner,
  type PublicKey,
  toHash,
  toPublicKey,
  toSeed,
  toStoreId,
} from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { createManualScheduler } from '@lattice/model/testing'
import { afterEach, expect, test } from 'vitest'
import { createDoubtedPeers } from './doubted-peers.ts'
import { fetchPruned, type PrunedFetch } from './fetch-pruned.ts'
import type { NodeContext } from './node-context.ts'

const crypto = await openCrypto({ backend: 'wasm' })
const signer = createSigner(crypto, crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(1))))
const id = toStoreId(toHash(new Uint8Array(32).fill(9)))
const hintOf = (byte: number) => ({ peer: toPublicKey(new Uint8Array(32).fill(byte)), addresses: [] })
const [early, other] = [hintOf(2), hintOf(3)]

const directories: string[] = []
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true })
})

test('that nobody else cut anything says nothing of whom nobody is asked for the moment', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'lattice-fetch-'))
  directories.push(directory)
  const { clock, advanceAsync } = createManualScheduler()
  const doubts = createDoubtedPeers(clock)
  const context = {
    directory: { storePath: () => directory },
    crypto,
    signer,
    clock,
    openers: new Map(),
  } as unknown as NodeContext
  const asked: (readonly PublicKey[])[] = []
  const fetch = {
    id,
    storeTypeHint: 'core:kvstore',
    tablesOf: () => undefined,
    kernelOf: () => undefined,
    signal: createAbortController().signal,
    peers: [early, other],
    doubts,
    network: {
      fetchSnapshot: async ({ peers }: { readonly peers: readonly { readonly peer: PublicKey }[] }) => {
        asked.push(peers.map(({ peer }) => peer))
        return { kind: 'unpruned' }
      },
    },
    onProgress: () => undefined,
  } as unknown as PrunedFetch
  doubts.doubt(early.peer)
  await expect(fetchPruned(context, fetch)).rejects.toMatchObject({ code: 'BOOTSTRAP_FAILED' })
  await advanceAsync(10 * 60_000)
  expect(await fetchPruned(context, fetch)).toBe(false)
  expect(asked).toEqual([[other.peer], [early.peer, other.peer]])
})
