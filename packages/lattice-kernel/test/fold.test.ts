/** Writes that cite more than an intention holds. */
import { idKey, type IntentionId, MAX_RUN_LENGTH, sortDeps, toHex, utf8Encode } from '@lattice/model'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel } from '../src/index.ts'
import { at, createTestStore, openTestKernel, removeDirectories, signerOf, type TestKernel, write } from './harness.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

/** A store with `count` concurrent writes of as many authors. */
async function createWideStore(count: number): Promise<TestKernel & { readonly heads: readonly IntentionId[] }> {
  const store = await createTestStore()
  const heads = Array.from({ length: count }, (_, n) =>
    write(signerOf(100 + n), { prev: store.genesis.id, at: at(1, n), op: appOp(`set k${n} v`) }),
  )
  await store.kernel.ingest(heads, undefined)
  return { ...store, heads: heads.map(({ id }) => id) }
}

function kinds(kernel: Kernel, fromSeq: number): string[] {
  return kernel.scanWitness(fromSeq, 4096).map(({ parsed }) => parsed.op.kind)
}

describe('a write that cites more than an intention holds', () => {
  test('is made after an ack that cites them, in one run, and is projected as citing them itself', async () => {
    const { kernel, projector, heads, options } = await createWideStore(40)
    const id = await kernel.submit(appOp('set k v'), { deps: () => heads })
    expect(kinds(kernel, 42)).toEqual(['ack', 'appData'])
    const [ack, own] = kernel.scanWitness(42, 2)
    expect(ack?.parsed).toMatchObject({ signature: new Uint8Array(0), intention: { causalDeps: sortDeps(heads) } })
    expect(own?.parsed.intention).toMatchObject({ storePrev: ack?.parsed.id, causalDeps: [ack?.parsed.id] })
    const cited = sortDeps([...heads, ...(ack === undefined ? [] : [ack.parsed.id])])
    expect(projector.cited.get(toHex(id))).toEqual(cited)
    expect(kernel.frontier()).toEqual([id])

    const { kernel: other, projector: his } = await openTestKernel({ storeId: kernel.storeId, signer: signerOf(9) })
    await other.ingest(
      kernel.read(
        kernel.scanWitness(1, 100).map(({ parsed }) => parsed.id),
        1e6,
      ).intentions,
      undefined,
    )
    expect(his.cited.get(toHex(id))).toEqual(cited)
    projector.cited.clear()
    await kernel.rebuild()
    expect(projector.cited.get(toHex(id))).toEqual(cited)
    expect(await other.stateDigest()).toEqual(await kernel.stateDigest())
    await kernel.close()
    await other.close()
    const again = await openTestKernel({ ...options })
    expect(again.kernel.stats()).toMatchObject({ witnessCount: 43, forkCount: 0 })
    await again.kernel.close()
  })

  test('leaves no trace when it is refused, neither of itself nor of its ack', async () => {
    const { kernel, heads, projector } = await createWideStore(20)
    const before = { frontier: kernel.frontier(), tips: kernel.tips(), digest: await kernel.stateDigest() }
    const deps = (): readonly IntentionId[] => heads
    await expect(kernel.submit(appOp('reject'), { deps })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    projector.faults.throwing = true
    await expect(kernel.submit(appOp('throw'), { deps })).rejects.toThrow('the machine is broken')
    expect({ frontier: kernel.frontier(), tips: kernel.tips(), digest: await kernel.stateDigest() }).toEqual(before)
    expect(kernel.stats().witnessCount).toBe(21)
    const notices: number[] = []
    kernel.onProjected(({ ops }) => notices.push(ops.length))
    const settled = await Promise.allSettled([
      kernel.submit(appOp('set a 1')),
      kernel.submit(appOp('reject'), { deps }),
      kernel.submit(appOp('set b 1'), { deps }),
    ])
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(kinds(kernel, 22)).toEqual(['appData', 'ack', 'appData'])
    expect(notices).toEqual([3])
    expect(kernel.stats()).toMatchObject({ witnessCount: 24, forkCount: 0 })
    expect(kernel.tables().app.get(utf8Encode('b'))).toBeDefined()
    await kernel.close()
  })

  test('counts twice in its group', async () => {
    const { kernel, heads } = await createWideStore(17)
    const groups: number[] = []
    kernel.onWitnessed(({ intentions }) => groups.push(intentions.length))
    const plain = Array.from({ length: MAX_RUN_LENGTH - 1 }, async (_, n) => kernel.submit(appOp(`w ${n}`)))
    await Promise.all([...plain, kernel.submit(appOp('folded'), { deps: () => heads }), kernel.submit(appOp('last'))])
    expect(groups).toEqual([MAX_RUN_LENGTH - 1, 3])
    await kernel.close()
  })

  test('joins a chain of its own that forked more often than a write has deps', async () => {
    const { kernel, genesis } = await createTestStore()
    const branches = Array.from({ length: 30 }, (_, n) =>
      write(signerOf(1), { prev: genesis.id, at: at(2, n), op: appOp(`b ${n}`) }),
    )
    await kernel.ingest(branches, undefined)
    const id = await kernel.submit(appOp('x'))
    expect(kernel.frontier()).toEqual([id])
    await kernel.close()
  })
})

describe('an ack counts as the deps of a write', () => {
  test('only when it is the store_prev of it and among its deps', async () => {
    const { kernel, projector, genesis } = await createTestStore()
    const [a, b] = [signerOf(2), signerOf(3)]
    const seen = write(signerOf(4), { prev: genesis.id, at: at(1) })
    const ackOp = { kind: 'ack', schema: 0, value: { $typeName: 'lattice.weaver.v1.AckOp' } } as const
    const ack = write(a, { prev: genesis.id, deps: [seen.id], at: at(2), op: ackOp })
    const cites = write(a, { prev: ack.id, deps: [ack.id], at: at(3) })
    const forked = write(a, { prev: ack.id, deps: [genesis.id], at: at(4) })
    const foreign = write(b, { prev: genesis.id, deps: [ack.id], at: at(5) })
    const later = write(a, { prev: cites.id, deps: [ack.id, cites.id], at: at(6) })
    const outcomes = await kernel.ingest([later, foreign, forked, cites, ack, seen], undefined)
    expect(outcomes.map(({ kind }) => kind)).toEqual(outcomes.map(() => 'witnessed'))
    const citedBy = ({ id }: { readonly id: IntentionId }): string[] =>
      (projector.cited.get(toHex(id)) ?? []).map(idKey)
    expect(citedBy(cites)).toEqual(sortDeps([ack.id, seen.id]).map(idKey))
    expect(citedBy(forked)).toEqual([idKey(genesis.id)])
    expect(citedBy(foreign)).toEqual([idKey(ack.id)])
    expect(citedBy(later)).toEqual(sortDeps([ack.id, cites.id]).map(idKey))
    await kernel.close()
  })
})

describe('what a write follows', () => {
  test('is not what a refused write in its place would have followed', async () => {
    const { kernel, genesis } = await createTestStore()
    const other = write(signerOf(2), { prev: genesis.id, at: at(1) })
    await kernel.ingest([other], undefined)
    for (let n = 0; n < 3; n += 1) await kernel.submit(appOp(`w ${n}`))
    const target = toHex(other.id)
    const deps = (): readonly IntentionId[] => [other.id]
    await expect(kernel.submit(appOp(`follows ${target} reject`), { deps })).rejects.toMatchObject({
      detail: { reason: 'asked_for' },
    })
    await kernel.submit(appOp('plain'))
    await expect(kernel.submit(appOp(`follows ${target}`))).rejects.toMatchObject({ detail: { reason: 'follows_not' } })
    await kernel.submit(appOp(`follows ${target}`), { deps })
    await kernel.close()
  })
})
