/** Chains by position, against a walk over the witness log. */
import {
  equalBytes,
  genesisStoreId,
  idKey,
  isSigned,
  type ParsedIntention,
  type PublicKey,
  toHex,
} from '@lattice/model'
import { afterEach, describe, expect, test } from 'vitest'
import type { ChainSpan, Kernel } from '../src/index.ts'
import { at, createTestStore, openTestKernel, removeDirectories, signerOf, write } from './harness.ts'
import { createRandomDag, shuffled } from './random-dag.ts'

afterEach(removeDirectories)

const AUTHORS = 5

/** What a kernel has witnessed, in order. */
function witnessed(kernel: Kernel): readonly ParsedIntention[] {
  return kernel.scanWitness(1, 4096).map(({ parsed }) => parsed)
}

/** Each author's chain by position, the simplest way. */
function chainsOf(kernel: Kernel): Map<string, { readonly author: PublicKey; readonly chain: ParsedIntention[] }> {
  const chains = new Map<string, { readonly author: PublicKey; readonly chain: ParsedIntention[] }>()
  for (const parsed of witnessed(kernel)) {
    const { author } = parsed.intention
    const entry = chains.get(idKey(author)) ?? { author, chain: [] }
    chains.set(idKey(author), entry)
    const { position } = kernel.get(parsed.id) ?? {}
    if (position !== undefined) entry.chain[position] = parsed
  }
  return chains
}

function endOf(chain: readonly ParsedIntention[]): ParsedIntention {
  const end = chain.at(-1)
  if (end === undefined) throw new Error('an author has written')
  return end
}

async function randomKernel(seed: number, forks = false): Promise<Kernel> {
  const dag = createRandomDag({ seed, authors: AUTHORS, runs: 60, forks })
  const { kernel } = await openTestKernel({ storeId: genesisStoreId(dag.genesis), signer: signerOf(99) })
  await kernel.ingest(shuffled(dag.intentions, seed), undefined)
  return kernel
}

describe('chains by position', () => {
  test('end where the walk ends, and have at every position what the walk has', async () => {
    for (let seed = 1; seed <= 3; seed += 1) {
      await using kernel = await randomKernel(seed)
      const chains = chainsOf(kernel)
      const tips = kernel.chainTips(AUTHORS)
      expect(tips?.map(({ author }) => toHex(author))).toEqual(tips?.map(({ author }) => toHex(author)).toSorted())
      expect(new Map(tips?.map(({ author, position, id }) => [idKey(author), `${position} ${toHex(id)}`]))).toEqual(
        new Map([...chains].map(([key, { chain }]) => [key, `${chain.length - 1} ${toHex(endOf(chain).id)}`])),
      )
      // The genesis included, the positions of the ends count what is here.
      expect((tips ?? []).reduce((sum, { position }) => sum + position, 1)).toBe(kernel.digest().witnessCount)
      for (const { author, chain } of chains.values()) {
        for (let position = -1; position <= chain.length; position += 1) {
          expect(kernel.chainId(author, position)).toEqual(chain[position]?.id)
        }
        expect(kernel.chainId(author, 2 ** 53)).toBeUndefined()
        expect(kernel.chainId(author, 0.5)).toBeUndefined()
      }
    }
  })

  test('spans are read in witness order, closed, each position once, whatever the budget', async () => {
    for (let seed = 11; seed <= 13; seed += 1) {
      await using kernel = await randomKernel(seed)
      const chains = [...chainsOf(kernel).values()]
      // From anywhere, up to a signed one as ends are.
      const spans = chains.map(({ author, chain }, index): ChainSpan => {
        const after = Math.floor((chain.length * index) / AUTHORS) - 1
        return { author, after, through: chain.length - 1 }
      })
      const expected = witnessed(kernel).filter(({ id, intention }) => {
        const span = spans.find(({ author }) => equalBytes(author, intention.author))
        return span !== undefined && (kernel.get(id)?.position ?? -1) > span.after
      })
      for (const maxBytes of [1, 900, 1_000_000]) {
        const read: Uint8Array[] = []
        for (let left: readonly ChainSpan[] = spans; left.length > 0;) {
          const part = kernel.readSpans(left, maxBytes)
          const last = part.intentions.at(-1)
          expect(last !== undefined && isSigned(last)).toBe(true)
          read.push(...part.intentions.map(({ bytes }) => bytes))
          left = part.rest
        }
        expect(read).toEqual(expected.map(({ bytes }) => bytes))
      }
    }
  })

  test('of a stranger, past the end or upside down are empty', async () => {
    await using kernel = await randomKernel(3)
    const [tip] = kernel.chainTips(AUTHORS) ?? []
    if (tip === undefined) throw new Error('the history has authors')
    const { author, position } = tip
    const empty = { intentions: [], rest: [] }
    expect(kernel.readSpans([{ author: signerOf(77).publicKey, after: -1, through: 9 }], 9)).toEqual(empty)
    expect(kernel.readSpans([{ author, after: position, through: 2 ** 53 }], 9)).toEqual(empty)
    expect(kernel.readSpans([{ author, after: 3, through: 1 }], 9)).toEqual(empty)
    expect(kernel.readSpans([], 9)).toEqual(empty)
  })

  test('tell nothing of more authors than asked for, nor once one forked', async () => {
    await using store = (await createTestStore()).kernel
    const [genesis] = witnessed(store)
    if (genesis === undefined) throw new Error('a store has a genesis')
    const bob = signerOf(2)
    const first = write(bob, { prev: genesis.id, at: at(1) })
    await store.ingest([first], undefined)
    expect(store.chainTips(1)).toBeUndefined()
    expect(store.chainTips(2)).toHaveLength(2)
    expect(store.chainId(bob.publicKey, 1)).toEqual(first.id)
    await store.ingest([write(bob, { prev: genesis.id, at: at(2) })], undefined)
    expect(store.chainTips(2)).toBeUndefined()
    expect(store.chainId(bob.publicKey, 1)).toBeUndefined()
  })

  test('a span goes on while its author forks', async () => {
    await using kernel = (await createTestStore()).kernel
    const [genesis] = witnessed(kernel)
    if (genesis === undefined) throw new Error('a store has a genesis')
    const bob = signerOf(2)
    const first = write(bob, { prev: genesis.id, at: at(1) })
    const second = write(bob, { prev: first.id, at: at(2) })
    await kernel.ingest([first, second], undefined)
    const spans = [{ author: bob.publicKey, after: 0, through: 2 }]
    const { rest } = kernel.readSpans(spans, 1)
    await kernel.ingest([write(bob, { prev: genesis.id, at: at(3) })], undefined)
    expect(kernel.readSpans(rest, 1).intentions.map(({ bytes }) => bytes)).toEqual([second.bytes])
  })
})
