/** What a hostile member can send, and what it must not achieve. */
import { type IntentionId, MAX_DRIFT_MS, toHex } from '@lattice/model'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel } from '../src/index.ts'
import { at, createTestStore, openTestKernel, removeDirectories, signerOf, write } from './harness.ts'
import { appOp, openAuthority } from './tracking-projector.ts'

afterEach(removeDirectories)

function allIds(kernel: Kernel): readonly IntentionId[] {
  return [1, 4097].flatMap((from) => kernel.scanWitness(from, 4096).map(({ parsed }) => parsed.id))
}

describe('an author that forks its chain without end', () => {
  test('hides no signature: each of its intentions is handed on with the one that vouches for it', async () => {
    const { kernel, genesis } = await createTestStore()
    const bob = signerOf(2)
    const base = write(bob, { prev: genesis.id, at: at(1) })
    const siblings = Array.from({ length: 1100 }, (_, n) => write(bob, { prev: base.id, at: at(2, n) }))
    const open = write(bob, { prev: genesis.id, at: at(3), close: false })
    const closer = write(bob, { prev: open.id, at: at(4) })
    await kernel.ingest([base, ...siblings, open, closer], undefined)
    expect(kernel.read([open.id], 1).intentions.map(({ signature }) => signature.length)).toEqual([0, 64])
    expect(kernel.readChain(open.id, undefined, 10)).toHaveLength(2)
    const other = await openTestKernel({ storeId: kernel.storeId, signer: signerOf(9) })
    await other.kernel.ingest(kernel.read(allIds(kernel), 1e9).intentions, undefined)
    expect(other.kernel.digest()).toEqual(kernel.digest())
    await kernel.close()
    await other.kernel.close()
  })

  test('cannot make the question what its writes follow cost a walk over all of them', async () => {
    const { kernel, genesis } = await createTestStore()
    const grant = write(signerOf(1), { prev: genesis.id, at: at(1) })
    const bob = signerOf(2)
    const chain = [write(bob, { prev: genesis.id, at: at(2) })]
    const fork = write(bob, { prev: genesis.id, at: at(3) })
    for (let n = 0; n < 3000; n += 1) {
      const prev = chain.at(-1) ?? fork
      // Deep enough that only a walk tells, and every one of them asks.
      const op = appOp(`follows ${toHex(grant.id)}`)
      chain.push(write(bob, { prev: prev.id, deps: [genesis.id], at: at(4, n), op, close: n % 200 === 199 }))
    }
    const started = performance.now()
    await kernel.ingest([grant, fork, ...chain], undefined)
    expect(kernel.stats().rejectionCount).toBe(3000)
    // A walk each time takes minutes.
    expect(performance.now() - started).toBeLessThan(4000)
    await kernel.close()
  })
})

test('a question about ancestry that would walk too far is refused', async () => {
  const { kernel, genesis } = await createTestStore()
  const target = write(signerOf(3), { prev: genesis.id, at: at(1) })
  const bob = signerOf(2)
  const heads = [write(bob, { prev: genesis.id, at: at(2) })]
  for (let n = 0; n < 300; n += 1) {
    const prev = heads.at(-1) ?? target
    heads.push(write(bob, { prev: prev.id, at: at(3, n), close: n % 100 === 99 }))
  }
  await kernel.ingest([target, ...heads], undefined)
  const tip = heads.at(-1)?.id ?? target.id
  const causal = { edges: 'causal' } as const
  const tooLong = expect.objectContaining({ code: 'LIMIT_EXCEEDED' })
  expect(() => kernel.isAncestor(genesis.id, tip, { ...causal, budget: 100 })).toThrow(tooLong)
  expect(kernel.isAncestor(genesis.id, tip, causal)).toBe(true)
  // What all causes rule out is not looked for.
  expect(kernel.isAncestor(target.id, tip, { ...causal, budget: 1 })).toBe(false)
  expect(kernel.isAncestor(target.id, tip)).toBe(false)
  await kernel.close()
})

test('a peer whose writes are as far ahead as they may be does not stop the writes of others', async () => {
  const { kernel, genesis } = await createTestStore({ peerTime: () => ({ medianMs: at(500).wall, count: 1 }) })
  const wall = at(1000 + MAX_DRIFT_MS - 1).wall
  await kernel.ingest([write(signerOf(2), { prev: genesis.id, at: { wall, counter: 0xffff_ffff } })], undefined)
  await kernel.submit(appOp('mine'))
  await kernel.close()
})

describe('a writer that met a bug', () => {
  test('stands still: all is rejected with it, only what is committed is read, and opening again goes on', async () => {
    const { kernel, genesis, options } = await createTestStore()
    const kept = await kernel.submit(appOp('kept'))
    const [bob, eve] = [signerOf(2), signerOf(3)]
    const first = write(bob, { prev: genesis.id, at: at(1) })
    const second = write(eve, { prev: genesis.id, deps: [first.id], at: at(2) })
    let asked = 0
    const admits = (): boolean => {
      asked += 1
      // Asked in the middle of a group: one is appended, the next is not judged yet.
      if (asked === 2) throw new Error('the authority is broken')
      return true
    }
    await kernel.close()
    const { kernel: reopened } = await openTestKernel({ ...options, authority: { ...openAuthority, admits } })
    const waiting = reopened.waitFor(second.id)
    waiting.catch(() => {})
    const results = await Promise.allSettled([
      reopened.ingest([second, first], undefined),
      reopened.ingest([first], undefined),
      reopened.recheckFloating(),
    ])
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { message: 'the authority is broken' } })
    }
    await expect(reopened.submit(appOp('late'))).rejects.toThrow('the authority is broken')
    expect(reopened.has(first.id)).toBe(false)
    expect(reopened.has(kept)).toBe(true)
    expect(reopened.stats()).toMatchObject({ witnessCount: 2, appliedSeq: 2 })
    expect(reopened.history(undefined, 10)).toHaveLength(2)
    await reopened.close()
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' })
    const { kernel: again } = await openTestKernel({ ...options })
    expect((await again.ingest([second, first], undefined)).map(({ kind }) => kind)).toEqual(['witnessed', 'witnessed'])
    await again.close()
  })
})

describe('two authors whose runs cite the inside of each other', () => {
  test('float for ever and the same everywhere, with all that follows, until one inside is signed', async () => {
    const { genesis, ...first } = await createTestStore()
    const [bob, eve] = [signerOf(2), signerOf(3)]
    const b1 = write(bob, { prev: genesis.id, at: at(1), close: false })
    const e1 = write(eve, { prev: genesis.id, at: at(1), close: false })
    const b2 = write(bob, { prev: b1.id, deps: [e1.id], at: at(2) })
    const e2 = write(eve, { prev: e1.id, deps: [b1.id], at: at(2) })
    const after = write(signerOf(4), { prev: genesis.id, deps: [b2.id], at: at(3) })
    const all = [b1, b2, e1, e2, after]
    const second = await openTestKernel({ storeId: first.kernel.storeId, signer: signerOf(9) })
    await second.kernel.ingest([genesis], undefined)
    for (const [kernel, arrivals] of [
      [first.kernel, all],
      [second.kernel, all.toReversed()],
    ] as const) {
      for (const one of arrivals) await kernel.ingest([one], undefined)
      // Each waits for another that is here: nothing is to be fetched.
      const waiting = kernel
        .floating(10)
        .map(({ parsed, reason, missing }) => `${toHex(parsed.id)} ${reason} ${missing.length}`)
      expect(waiting.toSorted()).toEqual(all.map(({ id }) => `${toHex(id)} missing_causes 0`).toSorted())
      expect(kernel.stats()).toMatchObject({ witnessCount: 1, floatingCount: 5 })
    }
    await first.kernel.close()
    const { kernel } = await openTestKernel({ ...first.options })
    expect(kernel.stats()).toMatchObject({ witnessCount: 1, floatingCount: 5 })
    const signed = { bytes: b1.bytes, signature: bob.sign('lattice/intention/v1', b1.id) }
    for (const one of [kernel, second.kernel]) {
      expect(await one.ingest([signed], undefined)).toMatchObject([{ kind: 'witnessed' }])
      expect(one.stats()).toMatchObject({ witnessCount: 6, floatingCount: 0 })
    }
    expect(kernel.digest()).toEqual(second.kernel.digest())
    await kernel.close()
    await second.kernel.close()
  })
})
