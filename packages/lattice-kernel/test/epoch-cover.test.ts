/** Nobody cites below an epoch it has seen, and what is written means the same. */
import { create } from '@bufbuild/protobuf'
import {
  type IntentionId,
  type KnownOp,
  type ParsedIntention,
  toHex,
  toIntentionId,
  fromHex,
  utf8Decode,
  utf8Encode,
} from '@lattice/model'
import { weaver } from '@lattice/proto'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel } from '../src/index.ts'
import { at, createTestStore, openTestKernel, removeDirectories, signerOf, write } from './harness.ts'
import { admitOp, createModelPolicy } from './model-policy.ts'
import { appOp, headsOf } from './tracking-projector.ts'

afterEach(removeDirectories)

const anna = signerOf(2)
const hex = (ids: readonly Uint8Array[]): readonly string[] => ids.map(toHex)

describe('a write', () => {
  test('leaves out what lies below an epoch its chain has seen, cites the head instead, and replaces it all the same', async () => {
    const { kernel } = await createTestStore({ membership: createModelPolicy() })
    const old = await kernel.submit(appOp('put k old'))
    const kept = await kernel.submit(appOp('put other x'))
    const epoch = await kernel.submitEpoch({ kind: 'initial' })
    const fresh = await kernel.submit(appOp('put other y'), { deps: () => [kept] })
    const both = await kernel.submit(appOp('put k new'), { deps: () => [old, fresh] })
    expect(hex(kernel.get(fresh)?.parsed.intention.causalDeps ?? [])).toEqual(hex([epoch]))
    expect(hex(kernel.get(both)?.parsed.intention.causalDeps ?? [])).toEqual(hex([fresh]))
    expect(headsOf(kernel.tables().app, 'k')).toEqual(hex([both]))
    expect(headsOf(kernel.tables().app, 'other')).toEqual(hex([fresh]))
    // What nothing is said about is not cited at all.
    const plain = await kernel.submit(appOp('plain'))
    expect(hex(kernel.get(plain)?.parsed.intention.causalDeps ?? [])).toEqual(hex([epoch]))
    await kernel.rebuild()
    expect(headsOf(kernel.tables().app, 'k')).toEqual(hex([both]))
    await kernel.close()
  })

  test('leaves it out, too, where only what else it cites has seen the epoch', async () => {
    const made = await createTestStore({ membership: createModelPolicy() })
    const old = await made.kernel.submit(appOp('put k old'))
    await made.kernel.submit(admitOp(anna.publicKey))
    const epoch = await made.kernel.submitEpoch({ kind: 'initial' })
    const history = made.kernel.scanWitness(1, 100).map(({ parsed }) => parsed)
    const { kernel } = await openTestKernel({
      storeId: made.kernel.storeId,
      signer: anna,
      membership: createModelPolicy(),
    })
    await kernel.ingest(history, undefined)
    const id = await kernel.submit(appOp('put k new'), { deps: () => [old, epoch] })
    expect(hex(kernel.get(id)?.parsed.intention.causalDeps ?? [])).toEqual(hex([epoch]))
    await kernel.close()
    await made.kernel.close()
  })
})

describe('an intention that cites below an epoch its chain has seen', () => {
  async function openStore() {
    const store = await createTestStore({ membership: createModelPolicy() })
    const old = await store.kernel.submit(appOp('old'))
    await store.kernel.submit(admitOp(anna.publicKey))
    const beside = write(anna, { prev: store.genesis.id, at: at(1500) })
    const epoch = await store.kernel.submitEpoch({ kind: 'initial' })
    // Came later, and is not below the epoch, whatever its time.
    const bert = write(signerOf(3), { prev: store.genesis.id, at: at(1) })
    await store.kernel.ingest([beside, bert], undefined)
    return { ...store, old, epoch, beside, bert }
  }

  const ACK: KnownOp = { kind: 'ack', schema: 0, value: create(weaver.AckOpSchema) }

  test('is invalid for ever, alone or in a run, whatever it is', async () => {
    const { kernel, old, epoch, beside, genesis } = await openStore()
    const seen = write(anna, { prev: beside.id, deps: [epoch], at: at(2000) })
    const bad = write(anna, { prev: seen.id, deps: [old], at: at(2001) })
    const badAck = write(anna, { prev: seen.id, deps: [old, seen.id], at: at(2002), op: ACK })
    const after = write(anna, { prev: bad.id, at: at(2003) })
    const outcomes = await kernel.ingest([seen, bad, badAck, after], undefined)
    const code = { kind: 'invalid', code: 'dep_below_epoch' }
    expect(outcomes).toMatchObject([{ kind: 'witnessed' }, code, code, { kind: 'invalid', code: 'cause_invalid' }])
    const inside = write(signerOf(4), { prev: genesis.id, deps: [epoch], at: at(2000), close: false })
    const closer = write(signerOf(4), { prev: inside.id, deps: [old], at: at(2001) })
    expect((await kernel.ingest([inside, closer], undefined)).at(-1)).toMatchObject(code)
    expect(kernel.has(inside.id)).toBe(false)
    await kernel.close()
  })

  test('is right where it has not, and what it cites may be an epoch, the genesis, or beside the epoch', async () => {
    const { kernel, old, epoch, beside, bert, genesis } = await openStore()
    const unseen = write(anna, { prev: beside.id, deps: [old], at: at(2000) })
    const seen = write(anna, { prev: unseen.id, deps: [epoch, old], at: at(2001) })
    const next = await kernel.submitEpoch({ kind: 'initial' })
    const allowed = write(anna, { prev: seen.id, deps: [epoch, genesis.id, bert.id, unseen.id], at: at(2002) })
    const later = write(anna, { prev: allowed.id, deps: [next, epoch], at: at(90_000) })
    const last = write(anna, { prev: later.id, deps: [epoch], at: at(90_001) })
    const outcomes = await kernel.ingest([unseen, seen, allowed], undefined)
    expect(outcomes.map(({ kind }) => kind)).toEqual(['witnessed', 'witnessed', 'witnessed'])
    expect((await kernel.ingest([later, last], undefined)).map(({ kind }) => kind)).toEqual(['floating', 'floating'])
    await kernel.close()
  })
})

interface Step {
  readonly node: number
  readonly what: 'put' | 'sync' | 'epoch'
  readonly key: number
}

const steps = fc.array(
  fc.record({
    node: fc.nat({ max: 2 }),
    what: fc.constantFrom<Step['what'][]>('put', 'put', 'put', 'sync', 'sync', 'epoch'),
    key: fc.nat({ max: 2 }),
  }),
  { minLength: 6, maxLength: 30 },
)

/** The values that stand at each key on each node at the end, and whether a stranger takes all of it in. */
async function play(plan: readonly Step[], hasEpochs: boolean): Promise<readonly string[]> {
  const { kernel: first, genesis } = await createTestStore({ membership: createModelPolicy(), ackDelayMs: Infinity })
  const kernels: Kernel[] = [first]
  for (const number of [2, 3]) await first.submit(admitOp(signerOf(number).publicKey))
  for (const number of [2, 3]) {
    const about = { storeId: first.storeId, genesis, signer: signerOf(number), ackDelayMs: Infinity }
    kernels.push((await openTestKernel({ ...about, membership: createModelPolicy() })).kernel)
  }
  const all = (kernel: Kernel): readonly ParsedIntention[] => kernel.scanWitness(1, 4096).map(({ parsed }) => parsed)
  const exchange = async (from: Kernel, to: Kernel): Promise<void> => {
    const outcomes = await to.ingest(all(from), undefined)
    expect(outcomes.filter(({ kind }) => kind === 'invalid')).toEqual([])
  }
  for (const [index, { node, what, key }] of plan.entries()) {
    const kernel = kernels[node] ?? first
    const deps = (): readonly IntentionId[] =>
      headsOf(kernel.tables().app, `${key}`).flatMap((head) => {
        const bytes = fromHex(head)
        return bytes === undefined ? [] : [toIntentionId(bytes)]
      })
    if (what === 'put') await kernel.submit(appOp(`put ${key} v${index}`), { deps })
    else if (what === 'sync') await exchange(kernels[(node + 1) % 3] ?? first, kernel)
    else if (hasEpochs) await first.submitEpoch({ kind: 'initial' })
  }
  for (const from of kernels) for (const to of kernels) if (from !== to) await exchange(from, to)
  const valuesOf = (kernel: Kernel): string =>
    [0, 1, 2]
      .map((key) => {
        const row = utf8Decode(kernel.tables().app.get(utf8Encode(`key/${key}`)) ?? new Uint8Array()) ?? ''
        const values = row.split('\n').map((head) => head.split(' ')[1] ?? '')
        return values.toSorted((a, b) => (a < b ? -1 : 1)).join(',')
      })
      .join(' / ')
  const found = kernels.map(valuesOf)
  // In another order, and projected anew: the same.
  const stranger = await openTestKernel({
    storeId: first.storeId,
    genesis,
    signer: signerOf(9),
    membership: createModelPolicy(),
  })
  await exchange(kernels[2] ?? first, stranger.kernel)
  found.push(valuesOf(stranger.kernel))
  for (const kernel of [...kernels, stranger.kernel]) await kernel.close()
  return found
}

test('the same writes leave the same values, with epochs between them and without', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (plan) => {
      const without = await play(plan, false)
      expect(new Set(without).size).toBe(1)
      expect(await play(plan, true)).toEqual(without)
    }),
    { numRuns: 6 },
  )
})
