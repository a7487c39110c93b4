import { createGenesis, createSigner, type Crypto, isSigned, parseStoreType, toSeed, toStoreId } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { createManualScheduler } from '@lattice/model/testing'
import { beforeAll, describe, expect, test } from 'vitest'
import { createModelStore, type ModelStore } from '../../test/model-store.ts'
import { splitRuns } from './gossip-run.ts'

let crypto: Crypto
beforeAll(async () => {
  crypto = await openCrypto({ backend: 'wasm' })
})

/** Two authors of one store, each with a replica of its own. */
function authors(): { readonly anna: ModelStore; readonly bert: ModelStore } {
  const { clock } = createManualScheduler()
  const signerOf = (fill: number): ReturnType<typeof createSigner> =>
    createSigner(crypto, crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(fill))))
  const storeType = parseStoreType('test:model')
  if (!storeType.ok) throw new Error('a good type')
  const genesis = createGenesis(crypto, signerOf(1), {
    storeType: storeType.value,
    nonce: new Uint8Array(16),
    timestamp: { wall: clock.wallMs(), counter: 0 },
  })
  const of = (fill: number): ModelStore =>
    createModelStore({ crypto, signer: signerOf(fill), clock, storeId: toStoreId(genesis.id), genesis })
  return { anna: of(1), bert: of(2) }
}

describe('the runs of a batch', () => {
  test('are told apart where they are mixed, each in its order and named by what closes it', () => {
    const { anna, bert } = authors()
    const [a, b] = [anna.write(3), bert.write(2)]
    const [single] = anna.write(1)
    if (a[0] === undefined || a[1] === undefined || a[2] === undefined || single === undefined)
      throw new Error('written')
    const [b0, b1] = b
    if (b0 === undefined || b1 === undefined) throw new Error('written')
    const { runs, unclosed } = splitRuns([a[0], b0, a[1], a[2], single, b1])
    expect(unclosed).toBe(0)
    expect(runs.map(({ id }) => id)).toEqual([a[2].id, single.id, b1.id])
    expect(runs.map(({ intentions }) => intentions.length)).toEqual([3, 1, 2])
    expect(runs[0]?.intentions.map(({ bytes }) => bytes)).toEqual(a.map(({ bytes }) => bytes))
    expect(runs[2]?.author).toEqual(b1.intention.author)
  })

  test('without the one that closes them are counted, and no run', () => {
    const { anna } = authors()
    const written = anna.write(4)
    const open = written.filter((parsed) => !isSigned(parsed))
    expect(splitRuns(open)).toEqual({ runs: [], unclosed: 3 })
    expect(splitRuns([])).toEqual({ runs: [], unclosed: 0 })
  })
})
