import { toHex } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { FrameInit } from '../src/frame.ts'
import { CREDIT_WINDOW, MAX_INVALID_PER_SESSION, WANT_IDS_MAX } from '../src/limits.ts'
import { createReconcileInitiator } from '../src/reconcile-initiator.ts'
import { createReconcileResponder } from '../src/reconcile-responder.ts'
import { doneFrame, helloFrame } from '../src/reconcile.ts'
import { noSuchStore } from '../src/session.ts'
import { converse, type ConversationOptions, feed, toFrame } from './drive.ts'
import { createPair, type Pair } from './pair.ts'

function reconcile(pair: Pair, options?: ConversationOptions) {
  const initiator = createReconcileInitiator(pair.viewOfA)
  const responder = createReconcileResponder({ resolve: () => pair.viewOfB })
  return converse(initiator, responder, options)
}
const same = ({ a, b }: Pair): boolean => toHex(a.store.digest().fingerprint) === toHex(b.store.digest().fingerprint)

describe('a reconcile session', () => {
  test('between equal sets is one Hello and one Done each', async () => {
    const { a, b } = await reconcile(await createPair())
    expect(a.outcome).toMatchObject({ synced: true, sent: 0, received: 0 })
    expect(b.outcome).toMatchObject({ synced: true, sent: 0, received: 0 })
    expect(a.sent.map((frame) => frame.case)).toEqual(['hello', 'done'])
    expect(b.sent.map((frame) => frame.case)).toEqual(['hello', 'done'])
  })

  test('moves what either side lacks, both ways in one session', async () => {
    const pair = await createPair()
    for (let run = 0; run < 20; run += 1) pair.a.store.write(50)
    for (let run = 0; run < 7; run += 1) pair.b.store.write(3)
    const { a, b } = await reconcile(pair)
    expect(a.outcome).toMatchObject({ synced: true, sent: 1000, received: 21, witnessed: 21, floating: 0, invalid: 0 })
    expect(b.outcome).toMatchObject({ synced: true, sent: 21, received: 1000, witnessed: 1000, floating: 0 })
    expect(same(pair)).toBe(true)
  })

  test('sends no more than the credit window ahead', async () => {
    const pair = await createPair()
    for (let run = 0; run < 12; run += 1) pair.a.store.write(256)
    let ahead = 0
    let most = 0
    const { b } = await reconcile(pair, {
      alter: (from, frame) => {
        if (from === 'a' && frame.case === 'intentions') ahead += frame.value.intentions.length
        if (from === 'b' && frame.case === 'ingested') ahead -= frame.value.count
        most = Math.max(most, ahead)
        return frame
      },
    })
    expect(most).toBeLessThanOrEqual(CREDIT_WINDOW)
    expect(b.outcome).toMatchObject({ synced: true, witnessed: 3072, floating: 0 })
  })

  test('with payloads at the limit stays within frames and is complete', async () => {
    const pair = await createPair()
    pair.a.store.write(9, 127 * 1024)
    pair.b.store.write(5, 127 * 1024)
    const { a, b } = await reconcile(pair)
    expect([a.outcome?.synced, b.outcome?.synced]).toEqual([true, true])
  })

  test('cut after any number of frames loses nothing, and the next one completes', async () => {
    const whole = await createPair()
    const build = (pair: Pair): void => {
      for (let run = 0; run < 4; run += 1) pair.a.store.write(40)
      for (let run = 0; run < 3; run += 1) pair.b.store.write(40)
    }
    build(whole)
    const { delivered } = await reconcile(whole)
    expect(delivered).toBeGreaterThan(8)
    for (let frames = 0; frames < delivered; frames += 1) {
      const pair = await createPair()
      build(pair)
      await reconcile(pair, { frames })
      const next = await reconcile(pair)
      expect(next.a.outcome?.synced, `after a cut at ${frames}`).toBe(true)
      expect(same(pair)).toBe(true)
      expect(pair.a.store.digest().witnessCount).toBe(281)
    }
  })

  test('converges for any two sets with a common past', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 1, max: 30 })), { maxLength: 12 }),
        async (writes) => {
          const pair = await createPair()
          for (const [who, count] of writes) {
            if (who === 2) await reconcile(pair)
            else (who === 0 ? pair.a : pair.b).store.write(count)
          }
          const { a, b } = await reconcile(pair)
          expect([a.outcome?.synced, b.outcome?.synced]).toEqual([true, true])
          expect(same(pair)).toBe(true)
        },
      ),
      { numRuns: 40 },
    )
  })

  test('a write during the session leaves synced unsaid', async () => {
    const pair = await createPair()
    pair.a.store.write(5)
    let wrote = false
    const { a, b } = await reconcile(pair, {
      alter: (_, frame) => {
        if (frame.case === 'intentions' && !wrote) {
          wrote = true
          pair.b.store.write(1)
        }
        return frame
      },
    })
    expect([a.outcome?.synced, b.outcome?.synced]).toEqual([false, false])
    expect((await reconcile(pair)).a.outcome?.synced).toBe(true)
  })

  test('what is invalid is counted and never stored; the session goes on', async () => {
    const pair = await createPair()
    for (let run = 0; run < 3; run += 1) pair.a.store.write(1)
    const { b } = await reconcile(pair, {
      alter: (from, frame) => {
        if (from === 'a' && frame.case === 'intentions') {
          const [, second] = frame.value.intentions
          // Of the same length: windows count bytes.
          if (second !== undefined) second.intention = new Uint8Array(second.intention.length)
        }
        return frame
      },
    })
    expect(b.outcome).toMatchObject({ invalid: 1, received: 3, synced: false })
    expect(pair.b.store.digest().witnessCount).toBe(2)
  })
})

describe('a hostile peer of a reconcile session', () => {
  const empty: FrameInit = { case: 'want', value: { ids: [] } }
  const last: FrameInit = { case: 'intentions', value: { intentions: [], last: true } }

  async function responder(frames: (pair: Pair) => readonly FrameInit[], pair?: Pair) {
    const on = pair ?? (await createPair())
    on.a.store.write(3)
    on.b.store.write(2)
    return feed(createReconcileResponder({ resolve: () => on.viewOfB }), frames(on))
  }
  const helloOf = (pair: Pair, change: object = {}): FrameInit => {
    const frame = helloFrame(pair.a.store.id, pair.a.store.digest())
    return { case: 'hello', value: { ...(frame.value as object), ...change } } as FrameInit
  }
  const whyOf = (failure: unknown): unknown => (failure as { why?: string } | undefined)?.why

  test.each<[string, (pair: Pair) => readonly FrameInit[], string]>([
    ['no Hello first', () => [empty], 'unexpected_want'],
    ['a store id of another length', (p) => [helloOf(p, { storeId: new Uint8Array(31) })], 'hello_malformed'],
    ['a fingerprint of another length', (p) => [helloOf(p, { fingerprint: new Uint8Array(3) })], 'hello_malformed'],
    ['a count beyond what is countable', (p) => [helloOf(p, { witnessCount: 2n ** 60n })], 'hello_malformed'],
    ['a second Hello', (p) => [helloOf(p), helloOf(p)], 'unexpected_hello'],
    [
      'garbage for a difference',
      (p) => [helloOf(p), { case: 'reconcile', value: { message: new Uint8Array([0x61, 1, 2, 3]) } }],
      'reconcile_truncated',
    ],
    [
      'ids of another length',
      (p) => [helloOf(p), { case: 'want', value: { ids: [new Uint8Array(5)] } }],
      'want_malformed',
    ],
    [
      'more ids than a frame may ask for',
      (p) => [
        helloOf(p),
        { case: 'want', value: { ids: Array.from({ length: WANT_IDS_MAX + 1 }, () => p.a.store.id) } },
      ],
      'want_too_many',
    ],
    ['intentions before the wants ended', (p) => [helloOf(p), last], 'unexpected_intentions'],
    [
      'a difference after a want',
      (p) => [
        helloOf(p),
        { case: 'want', value: { ids: [p.a.store.id] } },
        { case: 'reconcile', value: { message: new Uint8Array([0x61]) } },
      ],
      'unexpected_reconcile',
    ],
    [
      'Done although nothing was exchanged',
      (p) => [helloOf(p), empty, doneFrame(p.a.store.digest())],
      'done_too_early',
    ],
    [
      'Done before the end of its own intentions',
      (p) => [helloOf(p), doneFrame(p.a.store.digest())],
      'unexpected_done',
    ],
    [
      'intentions after the last',
      (p) => [helloOf(p), { case: 'want', value: { ids: p.b.store.ids().slice(1, 2) } }, empty, last, last],
      'intentions_after_last',
    ],
    [
      'an empty frame of intentions',
      (p) => [helloOf(p), empty, { case: 'intentions', value: { intentions: [], last: false } }],
      'intentions_empty',
    ],
    [
      'credit for what was not sent',
      (p) => [helloOf(p), empty, { case: 'ingested', value: { count: 9 } }],
      'credit_not_owed',
    ],
    ['no credit at all', (p) => [helloOf(p), empty, { case: 'ingested', value: { count: 0 } }], 'credit_not_owed'],
    [
      'a frame of another protocol',
      (p) => [helloOf(p), { case: 'joinAccepted', value: {} }],
      'unexpected_joinAccepted',
    ],
  ])('%s ends it', async (_, frames, why) => {
    const { failure } = await responder(frames)
    expect(failure).toMatchObject({ kind: 'violation' })
    expect(whyOf(failure)).toBe(why)
  })

  test('more intentions than it says it holds end it', async () => {
    const garbage = Array.from({ length: 300 }, () => ({ intention: new Uint8Array(20), signature: new Uint8Array(0) }))
    const { failure } = await responder((p) => [
      helloOf(p, { witnessCount: 4n }),
      empty,
      { case: 'intentions', value: { intentions: garbage, last: false } },
    ])
    expect(whyOf(failure)).toBe('more_intentions_than_announced')
  })

  test('more invalid intentions than an honest peer could send end it', async () => {
    const pair = await createPair()
    const garbage = Array.from({ length: MAX_INVALID_PER_SESSION + 1 }, () => ({
      intention: new Uint8Array(20),
      signature: new Uint8Array(0),
    }))
    const { failure } = await responder(
      (p) => [helloOf(p), empty, { case: 'intentions', value: { intentions: garbage, last: true } }],
      pair,
    )
    expect(whyOf(failure)).toBe('too_many_invalid_intentions')
    expect(pair.b.store.digest().witnessCount).toBe(3)
  })

  test('intentions beyond the credit given end it', async () => {
    const pair = await createPair()
    const machine = createReconcileResponder({ resolve: () => pair.viewOfB })
    machine.receive(toFrame(helloOf(pair, { witnessCount: 100_000n, fingerprint: new Uint8Array(32) })))
    machine.receive(toFrame(empty))
    const some = (count: number): FrameInit => ({
      case: 'intentions',
      value: { intentions: Array.from({ length: count }, () => ({ intention: new Uint8Array(9) })), last: false },
    })
    expect(machine.receive(toFrame(some(CREDIT_WINDOW)))).toMatchObject([{ kind: 'call' }])
    expect(machine.receive(toFrame(some(1)))).toMatchObject([{ failure: { why: 'credit_exceeded' } }])
  })

  test('Done without credit for what was sent ends it: the peer has not said that it is durable there', async () => {
    const { failure } = await responder((p) => [
      helloOf(p),
      { case: 'want', value: { ids: p.b.store.ids().slice(1, 3) } },
      empty,
      last,
      doneFrame(p.a.store.digest()),
    ])
    expect(whyOf(failure)).toBe('done_too_early')
  })

  test('the starting side ends a session too when access ends', async () => {
    const pair = await createPair()
    const machine = createReconcileInitiator({ ...pair.viewOfA, allowed: () => false })
    machine.start()
    expect(machine.receive(toFrame(helloOf(pair)))).toEqual([noSuchStore()])
  })

  test('a store that is not shared is refused like one that is absent', async () => {
    const pair = await createPair()
    const { failure } = await feed(createReconcileResponder({ resolve: () => noSuchStore() }), [helloOf(pair)])
    expect(failure).toEqual({ kind: 'refuse', refusal: 3, message: 'no such store' })
  })

  test('access that ends in the middle of a session ends the session', async () => {
    const pair = await createPair()
    pair.b.store.write(2)
    let allowed = true
    const view = { ...pair.viewOfB, allowed: () => allowed }
    const machine = createReconcileResponder({ resolve: () => view })
    machine.receive(toFrame(helloOf(pair)))
    allowed = false
    expect(machine.receive(toFrame(empty))).toEqual([noSuchStore()])
  })

  test.each<[string, (pair: Pair) => readonly FrameInit[], string]>([
    [
      'a Hello for another store',
      (p) => [
        {
          case: 'hello',
          value: { ...(helloFrame(p.b.store.id, p.b.store.digest()).value as object), storeId: new Uint8Array(32) },
        } as FrameInit,
      ],
      'hello_for_another_store',
    ],
    ['Done instead of Hello', (p) => [doneFrame(p.b.store.digest())], 'unexpected_done'],
    [
      'a malformed Done',
      (p) => [
        helloFrame(p.a.store.id, p.a.store.digest()),
        { case: 'done', value: { witnessCount: 1n, fingerprint: new Uint8Array(4) } },
      ],
      'done_malformed',
    ],
    [
      'another version of the difference',
      (p) => [
        helloFrame(p.b.store.id, { ...p.b.store.digest(), witnessCount: 77 }),
        { case: 'reconcile', value: { message: new Uint8Array([0x62]) } },
      ],
      'reconcile_unsupported_version',
    ],
    [
      'a Want, which only the initiator sends',
      (p) => [helloFrame(p.b.store.id, { ...p.b.store.digest(), witnessCount: 77 }), empty],
      'unexpected_want',
    ],
  ])('the answering side: %s ends it', async (_, frames, why) => {
    const pair = await createPair()
    pair.a.store.write(3)
    const { failure } = await feed(createReconcileInitiator(pair.viewOfA), frames(pair))
    expect(whyOf(failure)).toBe(why)
  })

  test('an equal Hello with a different Done is not synced', async () => {
    const pair = await createPair()
    const { outcome } = await feed(createReconcileInitiator(pair.viewOfA), [
      helloFrame(pair.a.store.id, pair.a.store.digest()),
      doneFrame({ witnessCount: 9, fingerprint: new Uint8Array(32) }),
    ])
    expect(outcome).toMatchObject({ synced: false })
  })
})
