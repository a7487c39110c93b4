/** The one way in: what is refused, what waits and for what. */
import {
  genesisStoreId,
  type IngestOutcome,
  type IntentionId,
  MAX_OPS_BYTES,
  type SignedIntention,
  toHex,
  utf8Encode,
  type ParsedIntention,
  verifyForkProof,
} from '@lattice/model'
import { createManualScheduler } from '@lattice/model/testing'
import { afterEach, describe, expect, test } from 'vitest'
import {
  at,
  crypto,
  createTestStore,
  genesisOf,
  openTestKernel,
  removeDirectories,
  signerOf,
  turnScheduler,
  write,
} from './harness.ts'
import type { KernelEvent } from '../src/index.ts'
import { appOp, trackingAuthority } from './tracking-projector.ts'

afterEach(removeDirectories)

const [alice, bob] = [signerOf(1), signerOf(2)]

function codesOf(outcomes: readonly IngestOutcome[]): string[] {
  return outcomes.map((outcome) => {
    if (outcome.kind === 'invalid') return outcome.code
    return outcome.kind === 'floating' ? outcome.reason : outcome.kind
  })
}

function changed({ bytes, signature }: SignedIntention, change: (bytes: Uint8Array) => void): SignedIntention {
  const copy = bytes.slice()
  change(copy)
  return { bytes: copy, signature }
}

describe('ingest refuses for ever', () => {
  test('bytes that are tampered with, truncated, oversized, not canonical or badly signed, each by its name', async () => {
    const { kernel, genesis } = await createTestStore()
    const good = write(bob, { prev: genesis.id, at: at(1) })
    const big = new Uint8Array(300 * 1024)
    const outcomes = await kernel.ingest(
      [
        changed(good, (bytes) => (bytes[bytes.length - 1] = 0xff)),
        { ...good, bytes: good.bytes.slice(0, -1) },
        { ...good, bytes: Uint8Array.of(...good.bytes, 0) },
        { ...good, bytes: big },
        changed(good, (bytes) => (bytes[0] = 2)),
        { ...good, signature: good.signature.slice(1) },
        { ...good, signature: new Uint8Array(64) },
        { ...good, bytes: new Uint8Array(0) },
      ],
      bob.publicKey,
    )
    expect(codesOf(outcomes)).toEqual([
      'bad_signature',
      'truncated',
      'trailing_bytes',
      'intention_too_large',
      'bad_version',
      'bad_signature_length',
      'bad_signature',
      'truncated',
    ])
    expect(kernel.stats()).toMatchObject({ witnessCount: 1, floatingCount: 0 })
    expect(codesOf(await kernel.ingest([good, good], undefined))).toEqual(['witnessed', 'duplicate'])
    expect(codesOf(await kernel.ingest([good], undefined))).toEqual(['duplicate'])
    await kernel.close()
  })

  test('another store: its genesis is refused, what grows from it only floats', async () => {
    const { kernel } = await createTestStore()
    const foreign = genesisOf(bob, 9)
    const grown = write(bob, { prev: foreign.id, at: at(1) })
    expect(codesOf(await kernel.ingest([foreign, grown], undefined))).toEqual(['foreign_genesis', 'missing_causes'])
    await kernel.close()
  })

  test('a timestamp that is not after its causes, a chain that is not its own, and all that waits for them', async () => {
    const { kernel, genesis } = await createTestStore()
    const first = write(bob, { prev: genesis.id, at: at(5) })
    const stale = write(bob, { prev: first.id, at: at(5) })
    const onStale = write(bob, { prev: stale.id, at: at(9) })
    const stolen = write(alice, { prev: first.id, at: at(9) })
    const early = write(alice, { prev: genesis.id, deps: [first.id], at: at(4) })
    const outcomes = await kernel.ingest([onStale, stale, stolen, early, first], undefined)
    expect(codesOf(outcomes)).toEqual([
      'cause_invalid',
      'timestamp_not_after_causes',
      'store_prev_foreign',
      'timestamp_not_after_causes',
      'witnessed',
    ])
    expect(kernel.stats().floatingCount).toBe(0)
    await kernel.close()
  })

  test('an invalid one inside a run takes the run with it, but not what came before', async () => {
    const { kernel, genesis } = await createTestStore()
    const one = write(bob, { prev: genesis.id, at: at(5), close: false })
    const two = write(bob, { prev: one.id, at: at(4), close: false })
    const closer = write(bob, { prev: two.id, at: at(9) })
    const outcomes = await kernel.ingest([one, two, closer], undefined)
    expect(codesOf(outcomes)).toEqual(['unsigned', 'timestamp_not_after_causes', 'cause_invalid'])
    const better = write(bob, { prev: one.id, at: at(6) })
    expect(codesOf(await kernel.ingest([better], undefined))).toEqual(['witnessed'])
    expect(kernel.has(one.id)).toBe(true)
    await kernel.close()
  })
})

describe('ingest keeps floating', () => {
  test('what lacks causes, naming those nobody here has, until they come in any order', async () => {
    const { kernel, genesis } = await createTestStore()
    const a = write(bob, { prev: genesis.id, at: at(1) })
    const b = write(bob, { prev: a.id, at: at(2) })
    const c = write(bob, { prev: b.id, at: at(3) })
    const [outcome] = await kernel.ingest([c], undefined)
    expect(outcome).toMatchObject({ kind: 'floating', reason: 'missing_causes', missing: [b.id] })
    expect(kernel.get(c.id)).toMatchObject({ floating: 'missing_causes', seq: undefined })
    expect(codesOf(await kernel.ingest([b], undefined))).toEqual(['missing_causes'])
    const done = kernel.waitFor(c.id)
    expect(codesOf(await kernel.ingest([a], undefined))).toEqual(['witnessed'])
    await done
    expect(kernel.history(undefined, 3).map(({ parsed }) => parsed.id)).toEqual([c.id, b.id, a.id])
    expect(kernel.stats().floatingCount).toBe(0)
    await kernel.close()
  })

  test('a run until its signature comes, also over a restart; then all of it is authentic by that one', async () => {
    const first = await createTestStore()
    const { genesis } = first
    const run = [write(bob, { prev: genesis.id, at: at(1), close: false })]
    for (let n = 2; n < 40; n += 1)
      run.push(write(bob, { prev: run.at(-1)?.id ?? genesis.id, at: at(n), close: false }))
    const closer = write(bob, { prev: run.at(-1)?.id ?? genesis.id, at: at(100) })
    expect(new Set(codesOf(await first.kernel.ingest(run, undefined)))).toEqual(new Set(['unsigned']))
    expect(first.kernel.stats().witnessCount).toBe(1)
    await first.kernel.close()
    const { kernel } = await openTestKernel({ ...first.options })
    expect(kernel.stats().floatingCount).toBe(39)
    expect(codesOf(await kernel.ingest([closer], undefined))).toEqual(['witnessed'])
    expect(kernel.stats()).toMatchObject({ witnessCount: 41, floatingCount: 0 })
    await kernel.close()
  })

  test('an intention whose signature was stripped on the way, until the true one comes', async () => {
    const { kernel, genesis } = await createTestStore()
    const true1 = write(bob, { prev: genesis.id, at: at(1) })
    const stripped = { bytes: true1.bytes, signature: new Uint8Array(0) }
    expect(codesOf(await kernel.ingest([stripped], undefined))).toEqual(['unsigned'])
    expect(codesOf(await kernel.ingest([stripped, true1], undefined))).toEqual(['duplicate', 'witnessed'])
    await kernel.close()
  })

  test('a future one until its time, holding back only what follows it', async () => {
    const scheduler = createManualScheduler()
    const { clock } = scheduler
    clock.setWallMs(at(0).wall)
    const { kernel, genesis } = await createTestStore({ clock, scheduler: { ...scheduler, soon: turnScheduler.soon } })
    const ahead = write(bob, { prev: genesis.id, at: at(60_500) })
    const after = write(bob, { prev: ahead.id, at: at(60_501) })
    const other = write(signerOf(3), { prev: genesis.id, at: at(1) })
    expect(codesOf(await kernel.ingest([ahead, after, other], undefined))).toEqual([
      'future',
      'missing_causes',
      'witnessed',
    ])
    const seen = kernel.waitFor(after.id)
    scheduler.advance(499)
    expect(kernel.has(ahead.id)).toBe(false)
    scheduler.advance(20)
    await seen
    expect(kernel.has(ahead.id)).toBe(true)
    await kernel.close()
  })

  test('an author until the projected table admits it, all in one batch or later', async () => {
    const { kernel, genesis } = await createTestStore({ authority: trackingAuthority })
    const admission = write(alice, {
      prev: genesis.id,
      at: at(1),
      op: appOp(`admit ${toHex(bob.publicKey)}`),
    })
    const his = write(bob, { prev: genesis.id, deps: [admission.id], at: at(2) })
    const stranger = write(signerOf(3), { prev: genesis.id, at: at(2) })
    expect(codesOf(await kernel.ingest([his, stranger], undefined))).toEqual(['missing_causes', 'not_admitted'])
    expect(codesOf(await kernel.ingest([admission], undefined))).toEqual(['witnessed'])
    expect(kernel.has(his.id)).toBe(true)
    expect(kernel.floating(10)).toMatchObject([{ reason: 'not_admitted', missing: [] }])
    await kernel.close()
  })

  test('all again when asked: admission may have changed outside', async () => {
    let open = false
    const authority = { admits: () => open, requiredDeps: () => [] }
    const { kernel, genesis } = await createTestStore({ authority })
    const his = write(bob, { prev: genesis.id, at: at(2) })
    expect(codesOf(await kernel.ingest([his], undefined))).toEqual(['not_admitted'])
    open = true
    await kernel.recheckFloating()
    expect(kernel.has(his.id)).toBe(true)
    await kernel.close()
  })

  test('everything until the genesis is here: a joiner', async () => {
    const genesis = genesisOf(alice)
    const { kernel } = await openTestKernel({ storeId: genesisStoreId(genesis), signer: bob })
    const his = write(bob, { prev: genesis.id, at: at(2) })
    expect(kernel.storeType()).toBeUndefined()
    await expect(kernel.submit(appOp('x'))).rejects.toMatchObject({ code: 'STORE_NOT_READY' })
    expect(codesOf(await kernel.ingest([his, genesis], undefined))).toEqual(['witnessed', 'witnessed'])
    expect(kernel.storeType()).toBe('test:tracking')
    await kernel.close()
  })
})

describe('ingest', () => {
  test('witnesses once what two signatures vouch for', async () => {
    const { kernel, genesis } = await createTestStore()
    const shared = write(bob, { prev: genesis.id, at: at(1), close: false })
    const closers = [2, 3].map((ms) => write(bob, { prev: shared.id, at: at(ms) }))
    // Both runs are ready at once, and hold it.
    expect(codesOf(await kernel.ingest([shared, ...closers], undefined))).toEqual([
      'witnessed',
      'witnessed',
      'witnessed',
    ])
    expect(kernel.stats()).toMatchObject({ witnessCount: 4, forkCount: 1, floatingCount: 0 })
    await kernel.close()
  })

  test('witnesses both sides of a fork, shows the proof, and the next own write joins them', async () => {
    const { kernel, genesis } = await createTestStore()
    const events: KernelEvent[] = []
    kernel.onEvent((event) => events.push(event))
    const mine = await kernel.submit(appOp('one'))
    // What a backup restored elsewhere would have made.
    const other = write(alice, { prev: genesis.id, at: at(500) })
    expect(codesOf(await kernel.ingest([other], undefined))).toEqual(['witnessed'])
    const [event] = events
    expect(event).toMatchObject({ kind: 'fork_detected', author: alice.publicKey })
    const proof = event?.kind === 'fork_detected' ? event.proof : undefined
    const ids = [mine, other.id].map(toHex).toSorted()
    const proven = proof && verifyForkProof(crypto, proof)
    expect(proven?.ok === true ? proven.value.ids.map(toHex) : proven).toEqual(ids)
    expect(kernel.forkProof([mine, other.id])).toEqual(proof)
    expect(kernel.forkProof([mine, genesis.id])).toBeUndefined()
    expect(kernel.forks(10)).toMatchObject([{ ids: [mine, other.id] }])
    expect(kernel.tips()[0]?.tips).toHaveLength(2)
    const join = await kernel.submit(appOp('two'))
    const joined = kernel.get(join)?.parsed.intention
    const cited: IntentionId[] = [...(joined?.causalDeps ?? [])]
    expect([...cited, joined?.storePrev].map((id) => toHex(id ?? new Uint8Array()))).toEqual(
      expect.arrayContaining([toHex(mine), toHex(other.id)]),
    )
    expect(kernel.tips()[0]?.tips.map(({ joined: isJoined }) => isJoined)).toEqual([true, false])
    // What is joined is cited no more.
    const after = await kernel.submit(appOp('three'))
    expect(kernel.get(after)?.parsed.intention.storePrev).toEqual(join)
    expect(kernel.get(after)?.parsed.intention.causalDeps).toEqual([genesis.id])
    await kernel.close()
  })

  test('proves a fork of intentions that later ones vouch for, also after opening again', async () => {
    const { kernel, genesis, options } = await createTestStore()
    const branch = (from: number): ParsedIntention[] => {
      const made = [write(bob, { prev: genesis.id, at: at(from), close: false })]
      for (let n = 1; n < 4; n += 1) {
        made.push(write(bob, { prev: made.at(-1)?.id ?? genesis.id, at: at(from + n), close: n === 3 }))
      }
      return made
    }
    const [left, right] = [branch(10), branch(20)]
    await kernel.ingest([...left, ...right], undefined)
    await kernel.close()
    const { kernel: again } = await openTestKernel({ ...options })
    const [fork] = again.forks(10)
    const proof = fork && again.forkProof(fork.ids)
    expect([proof?.first.length, proof?.second.length]).toEqual([4, 4])
    const proven = proof && verifyForkProof(crypto, proof)
    expect(proven?.ok === true && proven.value).toMatchObject({ author: bob.publicKey, storePrev: genesis.id })
    await again.close()
  })

  test('joins a fork for good: refused and failed writes between change nothing', async () => {
    const { kernel, genesis } = await createTestStore()
    const others = [1, 2, 3].map((n) => write(alice, { prev: genesis.id, at: at(500 + n) }))
    await kernel.ingest(others, undefined)
    const many = Array.from({ length: 20 }, (_, n) => write(bob, { prev: genesis.id, at: at(600, n) }))
    await kernel.ingest(many, undefined)
    // The ack that joins the tips is taken back with the write it was made for.
    const cite = { deps: () => many.map(({ id }) => id) }
    await expect(kernel.submit(appOp('reject'), cite)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    const join = await kernel.submit(appOp('now'))
    const { storePrev, causalDeps } = kernel.get(join)?.parsed.intention ?? {}
    const joined = [storePrev, ...(causalDeps ?? [])].map((id) => toHex(id ?? new Uint8Array()))
    expect(joined).toEqual(expect.arrayContaining(others.map(({ id }) => toHex(id))))
    await kernel.close()
  })

  test('wakes a chain of thousands from its one missing cause without holding the event loop', async () => {
    const { kernel, genesis } = await createTestStore()
    const chain = [write(bob, { prev: genesis.id, at: at(1) })]
    for (let n = 2; n <= 3000; n += 1) chain.push(write(bob, { prev: chain.at(-1)?.id ?? genesis.id, at: at(1, n) }))
    const outcomes = await kernel.ingest(chain.slice(1), undefined)
    expect(new Set(codesOf(outcomes))).toEqual(new Set(['missing_causes']))
    let turns = 0
    const count = (): void => {
      turns += 1
      if (!kernel.has(chain.at(-1)?.id ?? genesis.id)) setImmediate(count)
    }
    count()
    await kernel.ingest(chain.slice(0, 1), undefined)
    expect(kernel.stats()).toMatchObject({ witnessCount: 3001, floatingCount: 0 })
    expect(turns).toBeGreaterThan(3)
    await kernel.close()
  })

  test('records a rejected operation as a no-op, and nothing of it is in state', async () => {
    const { kernel, genesis } = await createTestStore()
    const notices: unknown[] = []
    kernel.onProjected(({ ops }) => notices.push(...ops))
    const rejected = write(bob, { prev: genesis.id, at: at(1), op: appOp('reject') })
    const kept = write(bob, { prev: rejected.id, at: at(2), op: appOp('set k v') })
    await kernel.ingest([rejected, kept], undefined)
    expect(kernel.tables().app.get(utf8Encode('never'))).toBeUndefined()
    expect(kernel.tables().app.get(utf8Encode('k'))).toBeDefined()
    expect(kernel.rejections(0, 10)).toEqual([{ seq: 2, id: rejected.id, reason: 'asked_for' }])
    expect(notices).toMatchObject([
      { id: rejected.id, rejected: 'asked_for', events: [] },
      { id: kept.id, events: ['set k v'] },
    ])
    await kernel.close()
  })

  test('goes in at the limit of a payload', async () => {
    const { kernel, genesis } = await createTestStore()
    const ops = { kind: 'appData', schema: 0, value: new Uint8Array(MAX_OPS_BYTES - 4) } as const
    const huge = write(bob, { prev: genesis.id, at: at(1), op: ops })
    expect(codesOf(await kernel.ingest([huge], undefined))).toEqual(['witnessed'])
    await kernel.close()
  })
})
