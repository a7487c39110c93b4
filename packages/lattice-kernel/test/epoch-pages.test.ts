/** The epochs of a store by page, and one by its id. */
import { create } from '@bufbuild/protobuf'
import { type ParsedIntention, type Signer, toHex, toIntentionId } from '@lattice/model'
import { system, weaver } from '@lattice/proto'
import { afterEach, expect, test } from 'vitest'
import type { EpochPlace, Kernel } from '../src/index.ts'
import { at, createTestStore, removeDirectories, signerOf, write } from './harness.ts'
import { admitOp, createModelPolicy } from './model-policy.ts'

afterEach(removeDirectories)

const [creator, peer] = [signerOf(1), signerOf(2)]

async function createEpochs(count: number): Promise<Kernel> {
  const { kernel } = await createTestStore({ membership: createModelPolicy(), ackDelayMs: Infinity })
  await kernel.submit(admitOp(peer.publicKey))
  for (let made = 0; made < count; made += 1) await kernel.submitEpoch({ kind: 'initial' })
  return kernel
}

const prune = { case: 'prune', value: create(weaver.PruneCauseSchema) } as const

/** Of the peer, with any number, on top of all. */
const forge = (kernel: Kernel, wall: number): ParsedIntention =>
  write(peer, {
    prev: kernel.tipOf(peer.publicKey) ?? kernel.storeId,
    deps: kernel.frontier(),
    at: at(wall),
    op: {
      kind: 'epoch',
      schema: 0,
      value: create(weaver.EpochOpSchema, { seq: 2n ** 64n - 1n, requiredAcks: [], cause: { cause: prune } }),
    },
  })

/** An epoch by one, on top of all, by which another is removed. */
const removing = (kernel: Kernel, by: Signer, whom: Signer): ParsedIntention => {
  const removals = [{ peer: whom.publicKey, remains: system.Role.UNSPECIFIED }]
  const cause = { case: 'membership', value: create(weaver.MembershipCauseSchema, { removals }) } as const
  const value = create(weaver.EpochOpSchema, { seq: 3n, requiredAcks: [], cause: { cause } })
  const prev = kernel.tipOf(by.publicKey) ?? kernel.storeId
  return write(by, { prev, deps: kernel.frontier(), at: at(60_000), op: { kind: 'epoch', schema: 0, value } })
}

async function pagesOf(kernel: Kernel, limit: number): Promise<readonly string[]> {
  const seen: string[] = []
  let after: EpochPlace | undefined
  do {
    const page = kernel.epochPage({ limit, ...(after && { after }) })
    seen.push(...(page?.epochs ?? []).map(({ id }) => toHex(id)))
    after = page?.next
  } while (after !== undefined)
  return seen
}

test('epochs without effect come after all that count, whatever number they give themselves', async () => {
  const kernel = await createEpochs(3)
  const counting = kernel.epochs().map(({ id }) => toHex(id))
  const forged: string[] = []
  for (let n = 0; n < 3; n += 1) {
    const one = forge(kernel, 50_000 + n)
    await kernel.ingest([one], undefined)
    forged.unshift(toHex(one.id))
  }
  const newest = toHex(await kernel.submitEpoch({ kind: 'initial' }))
  const expected = [newest, ...counting, ...forged]
  expect(kernel.epochs().map(({ id }) => toHex(id))).toEqual(expected)
  expect(kernel.epochs().slice(4)).toMatchObject(forged.map(() => ({ fault: 'seq_wrong' })))
  for (const limit of [1, 2, 4, 5, 7, 100]) expect(await pagesOf(kernel, limit)).toEqual(expected)
  await kernel.close()
})

test('a page goes on where the one before ended, although its last epoch does not count any more', async () => {
  const { kernel } = await createTestStore({ membership: createModelPolicy(), ackDelayMs: Infinity })
  await kernel.submit(admitOp(peer.publicKey, system.Role.ADMIN))
  for (let made = 0; made < 3; made += 1) await kernel.submitEpoch({ kind: 'initial' })
  const before = kernel.epochs().map(({ id }) => toHex(id))
  // At the same time: the creator's stands.
  const [theirs, creators] = [removing(kernel, peer, creator), removing(kernel, creator, peer)]
  await kernel.ingest([theirs], undefined)
  const first = kernel.epochPage({ limit: 1 })
  expect(first).toMatchObject({ epochs: [{ id: theirs.id, fault: undefined }], next: { counts: true } })
  await kernel.ingest([creators], undefined)
  expect(kernel.epoch(theirs.id)?.fault).toBe('outranked')
  const rest = kernel.epochPage({ limit: 10, ...(first?.next && { after: first.next }) })
  expect(rest?.epochs.map(({ id }) => toHex(id))).toEqual([...before, toHex(theirs.id)])
  await kernel.close()
})

test('pages hold all epochs once, newest first, whatever comes meanwhile', async () => {
  const kernel = await createEpochs(7)
  const all = kernel.epochs()
  const seen: (typeof all)[number][] = []
  let after: EpochPlace | undefined
  do {
    const page = kernel.epochPage({ limit: 3, ...(after && { after }) })
    expect(page?.total).toBe(7 + (after === undefined ? 0 : 1))
    expect(page?.epochs.length).toBeLessThanOrEqual(3)
    seen.push(...(page?.epochs ?? []))
    if (after === undefined) await kernel.submitEpoch({ kind: 'initial' })
    after = page?.next
  } while (after !== undefined)
  expect(seen.map(({ id }) => toHex(id))).toEqual(all.map(({ id }) => toHex(id)))
  // The first page was told of while it was the head.
  expect(seen[0]).toMatchObject({ isHead: true })
  expect(kernel.epochPage({ limit: 1 })?.epochs).toMatchObject([{ isHead: true, seq: 7n }])
  await kernel.close()
})

test('one is told as in the list, and what is none is none', async () => {
  const kernel = await createEpochs(2)
  for (const status of kernel.epochs()) expect(kernel.epoch(status.id)).toEqual(status)
  const none = toIntentionId(new Uint8Array(32))
  expect([kernel.epoch(none), kernel.epochPage({ limit: 5, after: { id: none, counts: true } })]).toEqual([
    undefined,
    undefined,
  ])
  expect(() => kernel.epochPage({ limit: 0 })).toThrow('a page has a size')
  expect(() => kernel.epochPage({ limit: 1001 })).toThrow('within bounds')
  await kernel.close()
})
