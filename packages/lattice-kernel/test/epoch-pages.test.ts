/** The epochs of a store by page, and one by its id. */
import { type IntentionId, toHex, toIntentionId } from '@lattice/model'
import { afterEach, expect, test } from 'vitest'
import type { Kernel } from '../src/index.ts'
import { createTestStore, removeDirectories, signerOf } from './harness.ts'
import { admitOp, createModelPolicy } from './model-policy.ts'

afterEach(removeDirectories)

async function createEpochs(count: number): Promise<Kernel> {
  const { kernel } = await createTestStore({ membership: createModelPolicy(), ackDelayMs: Infinity })
  await kernel.submit(admitOp(signerOf(2).publicKey))
  for (let made = 0; made < count; made += 1) await kernel.submitEpoch({ kind: 'initial' })
  return kernel
}

test('pages hold all epochs once, newest first, whatever comes meanwhile', async () => {
  const kernel = await createEpochs(7)
  const all = kernel.epochs()
  const seen: (typeof all)[number][] = []
  let after: IntentionId | undefined
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
  expect([kernel.epoch(none), kernel.epochPage({ limit: 5, after: none })]).toEqual([undefined, undefined])
  expect(() => kernel.epochPage({ limit: 0 })).toThrow('a page has a size')
  expect(() => kernel.epochPage({ limit: 1001 })).toThrow('within bounds')
  await kernel.close()
})
