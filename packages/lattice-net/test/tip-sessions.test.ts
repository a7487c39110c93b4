import { equalBytes, type SignedIntention, toHex, toIntentionId } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Frame, FrameInit } from '../src/frame.ts'
import { MAX_TIP_AUTHORS } from '../src/limits.ts'
import { createReconcileInitiator } from '../src/reconcile-initiator.ts'
import { createReconcileResponder } from '../src/reconcile-responder.ts'
import { doneFrame, helloFrame } from '../src/reconcile.ts'
import type { SessionStore } from '../src/session-call.ts'
import { viewFor } from '../src/store-registry.ts'
import { createUnasked, type Unasked } from '../src/unasked.ts'
import { converse, type ConversationOptions, drive, feed, flights, toFrame } from './drive.ts'
import type { ModelStore } from './model-store.ts'
import { createPair, type Pair, type Peer } from './pair.ts'

interface SessionOptions extends ConversationOptions {
  readonly unaskedOfA?: Unasked
  readonly unaskedOfB?: Unasked
  readonly viewOfA?: Partial<SessionStore>
}

const view = (store: ModelStore, peer: Peer): SessionStore => viewFor(store, peer.signer.publicKey, () => true)

function session(a: Peer, b: Peer, { unaskedOfA, unaskedOfB, viewOfA, ...options }: SessionOptions = {}) {
  const initiator = createReconcileInitiator({ ...view(a.store, b), ...viewOfA }, unaskedOfA)
  const responder = createReconcileResponder({
    resolve: () => view(b.store, a),
    ...(unaskedOfB === undefined ? {} : { unaskedOf: () => unaskedOfB }),
  })
  return converse(initiator, responder, options)
}

const casesOf = (frames: readonly Frame[]): string[] => frames.map((frame) => frame.case)
const same = (a: Peer, b: Peer): boolean => equalBytes(a.store.digest().fingerprint, b.store.digest().fingerprint)
const whyOf = (failure: unknown): unknown => (failure as { why?: string } | undefined)?.why

/** A shared past of three authors. */
async function threePeers(): Promise<Pair & { readonly c: Peer }> {
  const pair = await createPair()
  const c = pair.peer(2)
  for (const peer of [pair.a, pair.b, c]) peer.store.write(4)
  for (let round = 0; round < 2; round += 1) {
    await session(pair.a, pair.b)
    await session(pair.b, c)
  }
  expect(same(pair.a, c)).toBe(true)
  return { ...pair, c }
}

/** Replicas of one author, such as a node and its backup, that wrote apart: a fork that neither side knows of. */
async function forkedPeers(): Promise<{ readonly a: Peer; readonly b: Peer }> {
  const pair = await createPair()
  const [backup, other] = [pair.peer(0), pair.peer(0)]
  backup.store.write(3)
  // Of another size, and so another intention at the same moment.
  other.store.write(3, 30)
  return { a: backup, b: other }
}

describe('a session by tip maps', () => {
  test('takes two round trips, both ways at once, without a word about ids', async () => {
    const { a, b } = await threePeers()
    a.store.write(100)
    b.store.write(100)
    const result = await flights(
      createReconcileInitiator(view(a.store, b)),
      createReconcileResponder({ resolve: () => view(b.store, a) }),
    )
    expect(result.a.outcome).toMatchObject({ synced: true, sent: 100, received: 100, witnessed: 100 })
    expect(result.roundTrips).toBe(2)
    expect(casesOf(result.a.sent)).toEqual(['hello', 'intentions', 'intentions', 'ingested', 'done'])
    expect(casesOf(result.b.sent)).toEqual(['hello', 'intentions', 'intentions', 'ingested', 'done'])
    expect(same(a, b)).toBe(true)
  })

  test('fetches all of a store from nothing, the genesis included, and gives it', async () => {
    for (const [from, to] of [
      ['empty', 'full'],
      ['full', 'empty'],
    ] as const) {
      const pair = await threePeers()
      const peers = { full: pair.a, empty: pair.peer(9, { holdsGenesis: false }) }
      const result = await session(peers[from], peers[to])
      expect(result.a.outcome).toMatchObject({ synced: true })
      expect([...result.a.sent, ...result.b.sent].some((frame) => frame.case === 'reconcile')).toBe(false)
      expect(peers.empty.store.digest()).toEqual(peers.full.store.digest())
    }
  })

  test('of more authors than a map has goes by ranges, whose first message comes with the Hello', async () => {
    const pair = await createPair()
    for (let author = 2; author < MAX_TIP_AUTHORS + 2; author += 1) {
      const peer = pair.peer(author)
      peer.store.write(1)
      await pair.a.store.ingest(signedOf(peer.store), peer.signer.publicKey)
    }
    expect(pair.a.store.chainTips(MAX_TIP_AUTHORS)).toBeUndefined()
    const result = await session(pair.a, pair.b)
    const [hello] = result.a.sent
    expect(hello?.case === 'hello' && !hello.value.hasTipMap).toBe(true)
    expect(result.b.sent.slice(0, 2).map((frame) => frame.case)).toEqual(['hello', 'reconcile'])
    expect([result.a.outcome?.synced, result.b.outcome?.synced]).toEqual([true, true])
  })

  test('where the first message came with the Hello, equal sets are one round trip all the same', async () => {
    const { a, b } = await forkedPeers()
    await session(a, b)
    expect(a.store.chainTips(MAX_TIP_AUTHORS)).toBeUndefined()
    const result = await session(a, b)
    expect(casesOf(result.a.sent)).toEqual(['hello', 'done'])
    expect(casesOf(result.b.sent)).toEqual(['hello', 'done'])
    expect(result.a.outcome?.synced).toBe(true)
  })

  test('converges for any writes and forks of three authors, whoever starts, and says so only then', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.record({ write: fc.nat(3), count: fc.integer({ min: 1, max: 9 }) }),
            fc.record({ from: fc.nat(3), to: fc.nat(3) }),
          ),
          { maxLength: 14 },
        ),
        async (steps) => {
          const pair = await createPair()
          // The first and the last are one author: what they write apart is a fork.
          const peers = [pair.a, pair.b, pair.peer(2), pair.peer(0)]
          const at = (index: number): Peer => peers[index] ?? pair.a
          const meet = async (a: Peer, b: Peer): Promise<void> => {
            if (a === b) return
            const result = await session(a, b)
            expect(result.a.failure ?? result.b.failure).toBeUndefined()
            expect(result.a.outcome?.synced).toBe(same(a, b))
            expect(result.a.outcome?.synced).toBe(true)
          }
          for (const step of steps) {
            if ('write' in step) at(step.write).store.write(step.count, 20 + step.write)
            else await meet(at(step.from), at(step.to))
          }
          for (const [from, to] of [
            [0, 1],
            [1, 2],
            [2, 3],
            [3, 0],
            [0, 1],
            [1, 2],
          ] as const)
            await meet(at(from), at(to))
          expect(new Set(peers.map(({ store }) => toHex(store.digest().fingerprint))).size).toBe(1)
        },
      ),
      { numRuns: 60 },
    )
  })
})

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
      helloFrame(b.store.id, digest, { tipMap: { tips, witnessCount: digest.witnessCount } }),
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
        tipMap: { tips: store.chainTips(9) ?? [], witnessCount: digest.witnessCount },
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
        helloFrame(b.store.id, { ...b.store.digest(), witnessCount: 1 }, { tipMap: { tips: [], witnessCount: 1 } }),
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
      helloFrame(a.store.id, digest, { tipMap: { tips, witnessCount: digest.witnessCount } }),
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

describe('what floats at the peer', () => {
  /** A peer that lets everything of one author float, as for want of an admission. */
  async function refusing(): Promise<{ readonly a: Peer; readonly b: Peer }> {
    const { a, b } = await threePeers()
    const { ingest } = a.store
    Object.assign(a.store, {
      ingest: async (batch: readonly SignedIntention[], source: Peer['signer']['publicKey']) => {
        await ingest([], source)
        return batch.map(() => ({
          kind: 'floating',
          id: toIntentionId(new Uint8Array(32)),
          reason: 'not_admitted',
          missing: [],
        }))
      },
    })
    return { a, b }
  }

  test.each(['a', 'b'] as const)('is sent once per connection when %s sends it', async (sender) => {
    const { a: refuser, b: writer } = await refusing()
    writer.store.write(5)
    const [from, to] = sender === 'a' ? [writer, refuser] : [refuser, writer]
    const unasked = createUnasked()
    const options: SessionOptions = {
      ...(sender === 'a' ? { unaskedOfA: unasked } : { unaskedOfB: unasked }),
      // As one whose pool holds them all: nothing is asked for again.
      viewOfA: { wanted: () => [] },
    }
    const sent: number[] = []
    for (let round = 0; round < 2; round += 1) {
      const result = await session(from, to, options)
      const outcome = sender === 'a' ? result.a.outcome : result.b.outcome
      expect(outcome?.synced).toBe(false)
      sent.push(outcome?.sent ?? -1)
      if (outcome !== undefined) unasked.ended(outcome)
    }
    expect(sent).toEqual([5, 0])
  })

  test('is given to one that asks for it, by ranges', async () => {
    const { a: refuser, b: writer } = await refusing()
    writer.store.write(5)
    const unaskedOfB = createUnasked()
    for (let round = 0; round < 2; round += 1) {
      const result = await session(refuser, writer, { unaskedOfB })
      if (result.b.outcome !== undefined) unaskedOfB.ended(result.b.outcome)
      expect(casesOf(result.a.sent)).toContain('want')
      expect(result.b.outcome?.sent).toBe(round === 0 ? 10 : 5)
    }
  })
})

function signedOf(store: ModelStore): SignedIntention[] {
  return [...store.read(store.ids(), Number.MAX_SAFE_INTEGER).intentions]
}
