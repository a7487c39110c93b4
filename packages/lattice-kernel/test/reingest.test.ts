/** Nothing that an old log holds alone is lost when its store begins anew, but what cannot be placed; and that is named. */
import { create } from '@bufbuild/protobuf'
import { equalBytes, genesisStoreId, idKey, type IntentionId, type ParsedIntention, toHex } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { weaver } from '@lattice/proto'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { type Kernel, openReingest, type Reingest } from '../src/index.ts'
import { createCutoffDag } from './cutoff-dag.ts'
import { createHistory, modelPolicy } from './cutoff-history.ts'
import { crypto, removeDirectories, signerOf, temporaryDirectory } from './harness.ts'
import { counting, foundLog, openPlain } from './plain-foundation.ts'

afterEach(removeDirectories)

/** A log of its own with these, which is closed. */
async function oldLog(owner: number, storeId: Kernel['storeId'], held: readonly ParsedIntention[]): Promise<string> {
  const directory = temporaryDirectory()
  const { kernel } = await openPlain({ storeId, directory, signer: signerOf(owner) })
  await kernel.ingest(held, undefined)
  await kernel.recheckFloating()
  await kernel.close()
  return directory
}

function open(directory: string, owner: number, into: Kernel): Reingest {
  return openReingest({
    directory,
    storeId: into.storeId,
    crypto,
    signer: signerOf(owner),
    membership: modelPolicy,
    into,
  })
}

const hex = (ids: readonly { readonly id: IntentionId }[]): readonly string[] => ids.map(({ id }) => toHex(id))

describe('an old log', () => {
  test('gives what is not below the new base, and names own writes whose causes are gone', async () => {
    const history = createHistory()
    const gone = history.write(3, 'set x 1')
    const after = history.write(3, 'set x 2')
    // The one that was away has the chain of the fifth up to before this.
    const unknown = history.write(5, 'set z 1')
    const epoch = history.remove(1, 5, [after, unknown, ...history.start.slice(-4, -1)])
    const mesh = [...history.all]
    // What only the one that was away has.
    const kept = history.write(4, 'set a 1', [], false)
    const closing = history.write(4, 'set a 2')
    const foreign = history.write(2, 'set b 1')
    const stranded = history.write(4, 'set c 1', [gone])
    // Made again by itself where it is still needed.
    const value = create(weaver.EpochOpSchema, { cause: { cause: { case: 'joinOfEpochs', value: {} } } })
    const joins = history.write(4, { kind: 'epoch', schema: 0, value })
    const follows = history.write(4, 'set c 2')
    const away = [...history.start, gone, after, kept, closing, foreign, stranded, joins, follows]
    const directory = await oldLog(4, history.storeId, away)

    const { kernel } = await openPlain({ storeId: history.storeId })
    await kernel.ingest(mesh, undefined)
    const items = kernel.foundation(epoch.id)?.read(0, 1e9) ?? []
    const made = await openPlain({
      storeId: history.storeId,
      directory: foundLog(kernel, items, epoch, signerOf(4)),
      signer: signerOf(4),
    })
    const again = open(directory, 4, made.kernel)
    const given = []
    expect(again.isOwnChainCut()).toBe(false)
    for (let part = again.next(1); part.length > 0; part = again.next(1)) given.push(...part)
    expect(again.isOwnChainCut()).toBe(true)
    const parsed = [kept, closing, foreign]
    expect(given.map(({ bytes }) => toHex(bytes)).sort()).toEqual(parsed.map(({ bytes }) => toHex(bytes)).sort())
    expect(again.left()).toBe(0)
    expect(again.strandedCount()).toBe(2)
    expect(hex(again.stranded(0, 10))).toEqual(hex([stranded, follows]))
    expect(hex(again.stranded(1, 10))).toEqual(hex([follows]))
    expect(again.stranded(0, 1)[0]).toMatchObject({ op: stranded.op, ops: stranded.intention.ops })
    expect(again.strandedOfOthers()).toBe(0)
    again.close()
    const outcomes = await made.kernel.ingest(given, undefined)
    expect(outcomes.map(({ kind }) => kind)).toEqual(['witnessed', 'witnessed', 'witnessed'])
    await made.kernel.close()
    await kernel.close()
  })

  test('gives all that can be placed of any history, and loses no own write without a word', async () => {
    let looked = 0
    const dags = fc.record({
      seed: fc.integer({ min: 1, max: 1_000_000 }),
      authors: fc.integer({ min: 3, max: 5 }),
      runs: fc.integer({ min: 20, max: 40 }),
      timePasses: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(dags, fc.nat(), async (options, choice) => {
        const { genesis, intentions } = createCutoffDag({ ...options, isWaited: true })
        const storeId = genesisStoreId(genesis)
        const random = createSeededRandom(choice)
        const [owner, until] = [2, Math.floor(intentions.length * (0.3 + 0.05 * random.below(10)))]
        const isOwn = ({ intention }: ParsedIntention): boolean =>
          equalBytes(intention.author, signerOf(owner).publicKey)
        // The mesh has nothing that this node wrote later, nor what was built on it.
        const lost = new Set<string>()
        const mesh = intentions.filter((one, index) => {
          const { storePrev, causalDeps } = one.intention
          const isLost = [storePrev, ...causalDeps].some((id) => lost.has(idKey(id)))
          if (!isLost && !(isOwn(one) && index > until)) return true
          lost.add(idKey(one.id))
          return false
        })
        const { kernel } = await openPlain({ storeId })
        await kernel.ingest(mesh, undefined)
        await kernel.recheckFloating()
        const bases = counting(kernel).filter((id) => kernel.foundation(id) !== undefined)
        const base = bases[choice % Math.max(1, bases.length)]
        const epoch = mesh.find(({ id }) => base !== undefined && equalBytes(id, base))
        if (base === undefined || epoch === undefined) {
          await kernel.close()
          return
        }
        looked += 1
        const items = kernel.foundation(base)?.read(0, 1e9) ?? []
        const directory = foundLog(kernel, items, epoch, signerOf(owner))
        const made = await openPlain({ storeId, directory, signer: signerOf(owner) })
        const index = kernel.over(base)?.rangeIndex()
        const over = new Set(index === undefined ? [] : [...index.items(0, index.size())].map(({ id }) => idKey(id)))
        await made.kernel.ingest(
          mesh.filter(({ id }) => over.has(idKey(id))),
          undefined,
        )

        const held = intentions.filter((one, at) => at <= until || isOwn(one) || random.below(3) > 0)
        const old = await openPlain({ storeId, signer: signerOf(owner) })
        await old.kernel.ingest(held, undefined)
        await old.kernel.recheckFloating()
        const witnessed = held.filter(({ id }) => old.kernel.has(id))
        await old.kernel.close()
        const again = open(old.directory, owner, made.kernel)
        for (let part = again.next(2000); part.length > 0; part = again.next(2000)) {
          const outcomes = await made.kernel.ingest(part, undefined)
          // Each has its causes, if not as what counts: a removal may keep it waiting.
          for (const outcome of outcomes) {
            if (outcome.kind !== 'floating' || outcome.reason === 'revoked') continue
            expect(outcome.reason).toBe('missing_causes')
            expect(outcome.missing.filter((id) => made.kernel.get(id) === undefined)).toEqual([])
          }
          expect(outcomes.filter(({ kind }) => kind === 'invalid')).toEqual([])
        }
        const stranded = new Set(again.stranded(0, 1000).map(({ id }) => idKey(id)))
        for (const one of witnessed.filter(isOwn)) {
          const isBelow = kernel.has(one.id) && kernel.isAncestor(one.id, base)
          const isThere = made.kernel.get(one.id) !== undefined
          expect(isThere || isBelow || stranded.has(idKey(one.id))).toBe(true)
          expect(isBelow && stranded.has(idKey(one.id))).toBe(false)
        }
        again.close()
        await made.kernel.close()
        await kernel.close()
      }),
      { numRuns: 8, endOnFailure: true },
    )
    expect(looked).toBeGreaterThan(3)
  })
})
