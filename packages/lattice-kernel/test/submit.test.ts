/** This node's own writes: groups, deps, refusals. */
import {
  compareHlc,
  decodeWitnessContent,
  equalBytes,
  isSigned,
  MAX_OPS_BYTES,
  toHex,
  toIntentionId,
  toWitnessSeq,
  utf8Encode,
  ZERO_HASH,
  checkWitnessPage,
} from '@lattice/model'
import { afterEach, describe, expect, test } from 'vitest'
import { MAX_FOLDED_DEPS } from '@lattice/store-base'
import { at, createTestStore, crypto, openTestKernel, removeDirectories, signerOf, write } from './harness.ts'
import { appEnvelope, appOp, trackingAuthority } from './tracking-projector.ts'

afterEach(removeDirectories)

describe('submit', () => {
  test('makes one commit of writes that wait together: one run signature, one witness signature, one fsync', async () => {
    let commits = 0
    const { kernel, genesis } = await createTestStore({
      storageHooks: {
        at: (point, path) => {
          if (point === 'commit' && path.endsWith('log.db')) commits += 1
        },
      },
    })
    commits = 0
    const batches: number[] = []
    kernel.onWitnessed(({ intentions, source }) => {
      expect(source).toBeUndefined()
      batches.push(intentions.length)
    })
    const ids = await Promise.all(Array.from({ length: 50 }, async (_, n) => kernel.submit(appOp(`w ${n}`))))
    expect(commits).toBe(1)
    expect(batches).toEqual([50])
    const entries = kernel.scanWitness(2, 100)
    expect(entries.map(({ parsed }) => parsed.id)).toEqual(ids)
    expect(entries.filter(({ parsed }) => isSigned(parsed)).map(({ seq }) => seq)).toEqual([51])
    expect(
      entries.filter(({ record }) => isSigned({ bytes: record.content, ...record })).map(({ seq }) => seq),
    ).toEqual([51])
    const { records } = kernel.witnessPage(1, 10)
    // The first signed record within the limit is the genesis'; the next page reaches the group's end.
    expect(records).toHaveLength(1)
    const page = kernel.witnessPage(2, 10)
    expect(page.records).toHaveLength(50)
    const check = { crypto, storeId: kernel.storeId, witness: signerOf(1).publicKey }
    const first = checkWitnessPage({ ...check, fromSeq: toWitnessSeq(1), prevHash: ZERO_HASH, records })
    expect(first.ok).toBe(true)
    const prevHash = first.ok ? first.value.lastHash : ZERO_HASH
    expect(checkWitnessPage({ ...check, fromSeq: toWitnessSeq(2), prevHash, records: page.records }).ok).toBe(true)
    const content = decodeWitnessContent(records[0]?.content ?? new Uint8Array())
    expect(content).toMatchObject({ ok: true, value: { intentionId: genesis.id } })
    await kernel.close()
  })

  test('resolves deps in the writer, against state with the earlier writes of its group in it', async () => {
    const { kernel } = await createTestStore()
    const seen: string[] = []
    const ids = await Promise.all(
      Array.from({ length: 20 }, async (_, n) =>
        kernel.submit(appOp(`set k ${n}`), {
          deps: ({ app }) => {
            const row = app.get(utf8Encode('k'))
            seen.push(row === undefined ? 'none' : new TextDecoder().decode(row))
            return []
          },
        }),
      ),
    )
    const greatest = ids.slice(0, 19).map(toHex).toSorted().at(-1)
    expect(seen[0]).toBe('none')
    expect(seen[19]?.startsWith(greatest ?? '?')).toBe(true)
    const after = await kernel.submit(appOp('set k last'), { deps: () => [ids[3] ?? kernel.storeId] })
    expect(kernel.get(after)?.parsed.intention.causalDeps).toEqual([ids[3]])
    await kernel.close()
  })

  test('never leaves deps empty, chains own writes, and takes the generated envelope too', async () => {
    const { kernel, genesis } = await createTestStore()
    const one = await kernel.submit(appEnvelope('a'))
    const two = await kernel.submit(appEnvelope('b'), { hints: { ephemeral: true } })
    expect(kernel.get(one)?.parsed.intention).toMatchObject({ storePrev: genesis.id, causalDeps: [genesis.id] })
    expect(kernel.get(two)?.parsed.intention).toMatchObject({
      storePrev: one,
      causalDeps: [genesis.id],
      hints: { supersedesAll: false, ephemeral: true },
    })
    expect(kernel.get(two)).toMatchObject({ seq: 3, position: 2, generation: 2 })
    await kernel.close()
  })

  test('cites what its authority requires, unless it is in its past', async () => {
    const signer = signerOf(2)
    const store = await createTestStore()
    const admission = write(signerOf(1), { prev: store.genesis.id, at: at(1), op: appOp('count') })
    const authority = { admits: () => true, requiredDeps: () => [admission.id] }
    const { kernel } = await openTestKernel({ storeId: store.kernel.storeId, signer, authority })
    await kernel.ingest([store.genesis, admission], undefined)
    const one = await kernel.submit(appOp('a'))
    const two = await kernel.submit(appOp('b'))
    expect(kernel.get(one)?.parsed.intention.causalDeps).toEqual([admission.id])
    expect(kernel.get(two)?.parsed.intention.causalDeps).toEqual([store.genesis.id])
    await kernel.close()
    await store.kernel.close()
  })

  test.each([
    ['what the store would reject', appOp('reject'), {}, 'INVALID_ARGUMENT'],
    [
      'a payload beyond the limit',
      { kind: 'appData', schema: 0, value: new Uint8Array(MAX_OPS_BYTES) } as const,
      {},
      'LIMIT_EXCEEDED',
    ],
    ['a dep nobody has', appOp('x'), { deps: () => [toIntentionId(new Uint8Array(32).fill(3))] }, 'INVALID_ARGUMENT'],
  ])('refuses %s, alone in its group and without a trace', async (_, op, options, code) => {
    const { kernel } = await createTestStore()
    const before = await kernel.stateDigest()
    await expect(kernel.submit(op, options)).rejects.toMatchObject({ code, name: 'WriteRefused' })
    expect(kernel.stats().witnessCount).toBe(1)
    expect(await kernel.stateDigest()).toEqual(before)
    const results = await Promise.allSettled([
      kernel.submit(appOp('a')),
      kernel.submit(op, options),
      kernel.submit(appOp('b')),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(kernel.stats()).toMatchObject({ witnessCount: 3, rejectionCount: 0 })
    await kernel.close()
  })

  test('refuses too many deps, a node that is not admitted, and a machine that throws', async () => {
    const { kernel, projector } = await createTestStore()
    const ids = Array.from({ length: MAX_FOLDED_DEPS + 1 }, (_, n) => toIntentionId(crypto.blake3(utf8Encode(`${n}`))))
    await expect(kernel.submit(appOp('x'), { deps: () => ids })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
    projector.faults.throwing = true
    await expect(kernel.submit(appOp('throw'))).rejects.toThrow('the machine is broken')
    expect(kernel.projection().stalled).toBeUndefined()
    expect(kernel.tables().app.get(utf8Encode('half'))).toBeUndefined()
    await kernel.submit(appOp('still works'))
    await kernel.close()

    const outsider = await openTestKernel({
      storeId: kernel.storeId,
      signer: signerOf(2),
      authority: trackingAuthority,
    })
    const { intentions } = { intentions: [kernel.storeId] }
    expect(intentions).toHaveLength(1)
    await outsider.kernel.close()
  })

  test('a node that nobody admitted may not write', async () => {
    const store = await createTestStore({ authority: trackingAuthority })
    const { kernel } = await openTestKernel({
      storeId: store.kernel.storeId,
      signer: signerOf(2),
      authority: trackingAuthority,
    })
    await kernel.ingest([store.genesis], undefined)
    await expect(kernel.submit(appOp('x'))).rejects.toMatchObject({ code: 'NOT_ADMITTED' })
    await kernel.close()
    await store.kernel.close()
  })

  test('goes on from its last time when the clock is set back, also after opening again', async () => {
    const { kernel, clock, options } = await createTestStore()
    const one = await kernel.submit(appOp('a'))
    await kernel.close()
    clock.setWallMs(at(-86_400_000).wall)
    const again = await openTestKernel({ ...options, peerTime: () => ({ medianMs: at(5000).wall, count: 1 }) })
    const two = await again.kernel.submit(appOp('b'))
    const [first, second] = [one, two].map((id) => again.kernel.get(id)?.parsed.intention.timestamp)
    expect(first && second && compareHlc(second, first) > 0).toBe(true)
    // A peer's write from the true present is taken in, and what follows here is after it.
    const his = write(signerOf(2), { prev: again.kernel.storeId, at: at(5000) })
    await again.kernel.ingest([his], undefined)
    await again.kernel.submit(appOp('c'), { deps: () => [his.id] })
    await again.kernel.close()
  })

  test('says that this clock is too far ahead of the peers', async () => {
    const { kernel } = await createTestStore({ peerTime: () => ({ medianMs: at(-60_000).wall, count: 1 }) })
    await expect(kernel.submit(appOp('x'))).rejects.toMatchObject({ code: 'CLOCK_SKEW' })
    await kernel.close()
  })

  test('is refused after close, which finishes what was accepted and may be called twice', async () => {
    const { kernel, options } = await createTestStore()
    const writes = Array.from({ length: 600 }, async (_, n) => kernel.submit(appOp(`w ${n}`)))
    await Promise.all([kernel.close(), kernel.close()])
    await Promise.all(writes)
    await expect(kernel.submit(appOp('late'))).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(kernel.ingest([], undefined)).rejects.toMatchObject({ code: 'CLOSED' })
    const again = await openTestKernel({ ...options })
    expect(again.kernel.stats().witnessCount).toBe(601)
    await again.kernel.close()
  })

  test('finds intentions by prefix, and both when it is not unique', async () => {
    const { kernel } = await createTestStore()
    const id = await kernel.submit(appOp('x'))
    const [found] = kernel.getByPrefix(toHex(id).slice(0, 13))
    expect(found !== undefined && equalBytes(found.parsed.id, id)).toBe(true)
    for (let n = 0; n < 300; n += 1) await kernel.submit(appOp(`w ${n}`))
    expect(kernel.getByPrefix(toHex(id).slice(0, 2)).length).toBeGreaterThan(0)
    expect(kernel.getByPrefix('zz')).toEqual([])
    await kernel.close()
  })
})
