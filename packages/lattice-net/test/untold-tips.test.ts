import { equalBytes, type SignedIntention } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import type { FrameInit } from '../src/frame.ts'
import { MAX_TIP_AUTHORS } from '../src/limits.ts'
import { createReconcileInitiator } from '../src/reconcile-initiator.ts'
import { createReconcileResponder } from '../src/reconcile-responder.ts'
import { doneFrame, helloFrame } from '../src/reconcile.ts'
import { type ConversationOptions, drive, feed, toFrame } from './drive.ts'
import { createPair, type Pair, type Peer } from './pair.ts'
import { casesOf, forkedPeers, same, session, signedOf, threePeers, view, whyOf } from './tip-peers.ts'

describe('tip maps that do not tell all', () => {
  test('an author forked between the two sides: ranges find it within the same session', async () => {
    const { a, b } = await forkedPeers()
    const result = await session(a, b)
    expect(casesOf(result.a.sent)).toContain('reconcile')
    expect(result.a.outcome).toMatchObject({ synced: true, sent: 3, received: 3 })
    expect(same(a, b)).toBe(true)
  })

  test('a fork that only the starting side can see: what the other streamed is kept, then ranges are compared', async () => {
    const pair = await createPair()
    const backup = pair.peer(0)
    backup.store.write(2, 30)
    await session(pair.b, backup)
    // The one side's chain is longer, so that only it can look the other's end up.
    pair.a.store.write(5)
    pair.b.store.write(3)
    const result = await session(pair.a, pair.b)
    expect(casesOf(result.b.sent)).toEqual([
      'hello',
      'intentions',
      'intentions',
      'done',
      'reconcile',
      'intentions',
      'intentions',
      'ingested',
      'done',
    ])
    // Three were sent before their causes were known to be lacking, and asked for again.
    expect(result.a.outcome).toMatchObject({ synced: true, sent: 5, received: 8, witnessed: 5, floating: 0 })
    expect(result.b.outcome).toMatchObject({ synced: true, sent: 8, received: 5, witnessed: 5 })
  })

  test('one side holds a fork: the other sends its first message by ranges', async () => {
    const { a: forked, b } = await forkedPeers()
    await session(forked, b)
    const pair = await createPair()
    pair.b.store.write(2)
    for (const [from, to] of [
      [pair.b, forked],
      [forked, pair.a],
    ] as const) {
      const result = await session(from, to)
      expect(result.a.outcome?.synced).toBe(true)
    }
  })

  type Tips = { author: Uint8Array; position: bigint; id: Uint8Array }[]
  const lie = (who: 'a' | 'b', change: (tips: Tips) => void, count?: bigint): ConversationOptions => ({
    alter: (from, frame) => {
      if (from !== who || frame.case !== 'hello' || !frame.value.hasTipMap) return frame
      change(frame.value.tips)
      if (count !== undefined) frame.value.witnessCount = count
      return frame
    },
  })
  const first = (tips: Tips): Tips[number] => {
    const [tip] = tips
    if (tip === undefined) throw new Error('a map has tips')
    return tip
  }
  const swap = (tips: Tips): unknown => tips.push(...tips.splice(0, 1))

  test.each<[string, (tips: Tips) => unknown]>([
    ['a position past what is countable', (tips) => (first(tips).position = 2n ** 53n)],
    ['authors out of order', swap],
    ['an author twice', (tips) => tips.push({ ...(tips.at(-1) ?? first(tips)) })],
    ['an author of another length', (tips) => (first(tips).author = new Uint8Array(31))],
    ['an id of another length', (tips) => (first(tips).id = new Uint8Array(33))],
    [
      'more authors than a map has',
      (tips) => {
        for (let index = 0; index <= MAX_TIP_AUTHORS; index += 1) tips.push({ ...first(tips) })
      },
    ],
  ])('%s end the session on either side', async (_, change) => {
    for (const who of ['a', 'b'] as const) {
      const { a, b } = await threePeers()
      a.store.write(2)
      b.store.write(3)
      const result = await session(a, b, lie(who, change))
      expect(whyOf(who === 'a' ? result.b.failure : result.a.failure)).toBe('hello_malformed')
    }
  })

  test.each<[string, (tips: Tips) => unknown, bigint?]>([
    [
      'ends that are not on the chains',
      (tips) => {
        for (const tip of tips) tip.id = new Uint8Array(32)
      },
    ],
    ['ends that do not add up', (tips) => (first(tips).position += 1n)],
    ['a position as far as one counts', (tips) => (first(tips).position = 2n ** 53n - 1n)],
    ['ends left out', (tips) => tips.pop()],
    ['more intentions than the ends have', () => undefined, 2n ** 53n - 1n],
    ['no ends at all', (tips) => tips.splice(0)],
  ])('%s lead to ranges, which find the truth', async (_, change, count) => {
    for (const who of ['a', 'b'] as const) {
      const { a, b } = await threePeers()
      a.store.write(2)
      b.store.write(3)
      const result = await session(a, b, lie(who, change, count))
      expect(casesOf(result.a.sent)).toContain('reconcile')
      expect(result.a.outcome?.synced).toBe(true)
      expect(same(a, b)).toBe(true)
    }
  })

  test('ends that add up to a count beyond all measure bring nothing, take nothing and are not believed', async () => {
    const huge = 2 ** 53 - 3
    const { a, b } = await threePeers()
    a.store.write(2)
    const others = b.store.digest().witnessCount - 1
    let grown = 0
    const result = await session(a, b, {
      alter: (from, frame) => {
        if (from !== 'b' || frame.case !== 'hello') return frame
        const tip = first(frame.value.tips)
        grown = huge - others
        tip.position += BigInt(grown)
        frame.value.witnessCount += BigInt(grown)
        tip.id = new Uint8Array(32).fill(1)
        return frame
      },
    })
    expect(grown).toBeGreaterThan(2 ** 52)
    expect(result.a.outcome).toMatchObject({ received: 0, synced: true })
    expect(same(a, b)).toBe(true)
  })

  test('the same ends with another fingerprint: not believed, and not called synced', async () => {
    const { a, b } = await threePeers()
    const result = await session(a, b, {
      alter: (from, frame) => {
        if (from === 'b' && (frame.case === 'hello' || frame.case === 'done')) {
          frame.value.fingerprint = new Uint8Array(32).fill(7)
        }
        return frame
      },
    })
    // The other side said so with its Hello, and ended: it saw no difference.
    expect(result.a.outcome?.synced ?? false).toBe(false)
  })

  test('a peer that promises by its map and sends nothing is asked by ranges', async () => {
    const { a, b } = await threePeers()
    b.store.write(3)
    const machine = createReconcileInitiator(view(a.store, b))
    const driven = drive(machine)
    await driven.take(machine.start())
    const digest = b.store.digest()
    const tips = b.store.chainTips(9) ?? []
    const frames: FrameInit[] = [
      helloFrame(b.store.id, digest, { tipMap: { tips, witnessCount: digest.witnessCount, goneCount: 0 } }),
      { case: 'intentions', value: { intentions: [], last: true } },
      { case: 'done', value: { witnessCount: BigInt(digest.witnessCount), fingerprint: digest.fingerprint } },
    ]
    for (const frame of frames) await driven.take(machine.receive(toFrame(frame)))
    expect(casesOf(driven.side.sent)).toEqual(['hello', 'intentions', 'reconcile'])
    expect(driven.side.outcome).toBeUndefined()
  })

  test('a peer that withholds causes leaves what follows floating, and synced unsaid; an honest one then brings all', async () => {
    const { a, b } = await threePeers()
    b.store.write(6)
    const [withheld] = b.store.ids().slice(-6)
    if (withheld === undefined) throw new Error('six were written')
    const isKept = (signed: SignedIntention): boolean =>
      !equalBytes(signed.bytes, b.store.get(withheld)?.bytes ?? signed.bytes)
    const { read, readSpans } = b.store
    Object.assign(b.store, {
      read: (...asked: Parameters<typeof read>) => {
        const { intentions, rest } = read(...asked)
        return { intentions: intentions.filter(isKept), rest }
      },
      readSpans: (...asked: Parameters<typeof readSpans>) => {
        const { intentions, rest } = readSpans(...asked)
        return { intentions: intentions.filter(isKept), rest }
      },
    })
    const result = await session(a, b)
    expect(result.a.outcome).toMatchObject({ synced: false, witnessed: 0, floating: 5 })
    expect(result.b.outcome).toMatchObject({ synced: false })
    Object.assign(b.store, { read, readSpans })
    expect((await session(a, b)).a.outcome).toMatchObject({ synced: true, witnessed: 6, floating: 0 })
  })

  test('a peer that says Done and is not breaks the protocol, on either side', async () => {
    const { a, b } = await threePeers()
    a.store.write(2)
    b.store.write(2)
    const helloOf = ({ store }: Peer): FrameInit => {
      const digest = store.digest()
      return helloFrame(store.id, digest, {
        tipMap: { tips: store.chainTips(9) ?? [], witnessCount: digest.witnessCount, goneCount: 0 },
      })
    }
    const last: FrameInit = { case: 'intentions', value: { intentions: [], last: true } }
    for (const frames of [[], [last]]) {
      const initiator = createReconcileInitiator(view(a.store, b))
      const said = await feed(initiator, [helloOf(b), ...frames, doneFrame(b.store.digest())])
      expect(whyOf(said.failure)).toBe('done_too_early')
      const responder = createReconcileResponder({ resolve: () => view(b.store, a) })
      const answered = await feed(responder, [helloOf(a), ...frames, doneFrame(a.store.digest())])
      expect(whyOf(answered.failure)).toBe('done_too_early')
    }
  })

  test('a peer that says it holds less than it sends ends the session; the next one finishes', async () => {
    const { a, b } = await threePeers()
    b.store.write(3)
    const result = await session(
      a,
      b,
      lie('b', () => undefined, 2n),
    )
    expect(whyOf(result.a.failure)).toBe('more_intentions_than_announced')
    expect((await session(a, b)).a.outcome?.synced).toBe(true)
  })

  test('tips of a Hello that is said to have no map end the session, on either side', async () => {
    for (const who of ['a', 'b'] as const) {
      const { a, b } = await threePeers()
      a.store.write(2)
      const result = await session(a, b, {
        alter: (from, frame) => {
          if (from === who && frame.case === 'hello') frame.value.hasTipMap = false
          return frame
        },
      })
      expect(whyOf(who === 'a' ? result.b.failure : result.a.failure)).toBe('hello_malformed')
    }
  })

  test.each<[string, (pair: Pair) => FrameInit, string]>([
    [
      'a map that was not offered',
      ({ b }) =>
        helloFrame(
          b.store.id,
          { ...b.store.digest(), witnessCount: 1 },
          { tipMap: { tips: [], witnessCount: 1, goneCount: 0 } },
        ),
      'tips_not_offered',
    ],
    [
      'a first message in an answer',
      ({ b }) => helloFrame(b.store.id, b.store.digest(), { message: new Uint8Array([0x61]) }),
      'hello_malformed',
    ],
  ])('%s ends the session', async (_, frame, why) => {
    const pair = await createPair()
    const noMap = { ...view(pair.a.store, pair.b), chainTips: () => undefined }
    expect(whyOf((await feed(createReconcileInitiator(noMap), [frame(pair)])).failure)).toBe(why)
  })

  test('ranges are not gone over to before the answering side is done', async () => {
    const { a, b } = await threePeers()
    a.store.write(2)
    b.store.write(2)
    const digest = a.store.digest()
    const tips = a.store.chainTips(9) ?? []
    const { failure } = await feed(createReconcileResponder({ resolve: () => view(b.store, a) }), [
      helloFrame(a.store.id, digest, { tipMap: { tips, witnessCount: digest.witnessCount, goneCount: 0 } }),
      { case: 'reconcile', value: { message: new Uint8Array([0x61]) } },
    ])
    expect(whyOf(failure)).toBe('unexpected_reconcile')
  })

  test('more than the maps promise ends the session', async () => {
    const { a, b } = await threePeers()
    b.store.write(3)
    const extra: SignedIntention[] = signedOf(a.store).slice(0, 1)
    const result = await session(a, b, {
      alter: (from, frame) => {
        if (from === 'b' && frame.case === 'intentions' && frame.value.intentions.length > 0) {
          for (const { bytes, signature } of extra) {
            frame.value.intentions.push({ $typeName: 'lattice.weaver.v1.SignedIntention', intention: bytes, signature })
          }
        }
        return frame
      },
    })
    expect(whyOf(result.a.failure)).toBe('more_intentions_than_announced')
  })
})
