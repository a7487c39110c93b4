import { compareBytes, equalBytes, type IntentionId } from '@lattice/model'
import { net } from '@lattice/proto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_TIP_AUTHORS } from '../src/limits.ts'
import { createReconcileInitiator, openingOver } from '../src/reconcile-initiator.ts'
import { createReconcileResponder } from '../src/reconcile-responder.ts'
import { acceptOpening, withOpening } from '../src/opening.ts'
import { claimTo, comparedWith } from '../src/claimed-digest.ts'
import { createClosing } from '../src/closing.ts'
import { overLaterBase } from '../src/session-base.ts'
import { type BasedPeers, basedPeers } from './based-peers.ts'
import { converse, flights, toFrame } from './drive.ts'
import type { Peer } from './pair.ts'
import { casesOf, session as converseOnly, type SessionOptions, view } from './tip-peers.ts'

const session = (a: Peer, b: Peer, options: SessionOptions = {}): ReturnType<typeof converseOnly> =>
  converseOnly(a, b, { tellsRefusals: true, ...options })

/** What both hold, compared over the base of whoever has the later one. */
function agree(a: Peer, b: Peer): boolean {
  const claim = claimTo(a.store, b.store.base()?.epoch)
  const ours = comparedWith(b.store, claim)
  return ours !== undefined && equalBytes(ours.fingerprint, claim.fingerprint)
}

async function history(): Promise<BasedPeers & { readonly first: IntentionId; readonly second: IntentionId }> {
  const peers = await basedPeers()
  for (const peer of [peers.a, peers.b, peers.c]) peer.store.write(20)
  await peers.meet()
  const first = peers.epoch()
  await peers.meet()
  for (const peer of [peers.a, peers.b, peers.c]) peer.store.write(20)
  await peers.meet()
  const second = peers.epoch()
  await peers.meet()
  return { ...peers, first, second }
}

const byRanges: SessionOptions = { viewOfA: { chainTips: () => undefined } }

describe('a session over a base', () => {
  test.each([
    ['maps', {}],
    ['ranges', byRanges],
  ] as const)('brings the tail both ways by %s, whoever of the two has cut, and whoever starts', async (_, options) => {
    for (const cut of ['a', 'b', 'both'] as const) {
      const { a, b, first } = await history()
      if (cut !== 'b') a.store.prune(first)
      if (cut !== 'a') b.store.prune(first)
      a.store.write(7)
      b.store.write(9)
      const result = await session(a, b, options)
      expect([result.a.failure, result.b.failure]).toEqual([undefined, undefined])
      expect(result.a.outcome).toMatchObject({ synced: true, witnessed: 9, theirs: { base: first } })
      expect(result.b.outcome).toMatchObject({ synced: true, witnessed: 7, theirs: { base: first } })
      expect(agree(a, b)).toBe(true)
    }
  })

  test('takes no round trip more where who starts has cut, and one where only the other has', async () => {
    const { a, b, first } = await history()
    b.store.prune(first)
    a.store.write(5)
    const run = async (from: Peer, to: Peer) =>
      flights(
        createReconcileInitiator(view(from.store, to)),
        createReconcileResponder({ resolve: () => view(to.store, from) }),
      )
    const asked = await run(a, b)
    expect(asked.roundTrips).toBe(3)
    expect(casesOf(asked.a.sent).slice(0, 2)).toEqual(['hello', 'hello'])
    a.store.write(5)
    const told = await run(b, a)
    expect(told.roundTrips).toBe(2)
    expect(told.a.outcome?.synced).toBe(true)
  })

  test('of two that cut at different epochs is over the later, which the other has', async () => {
    const { a, b, c, first, second } = await history()
    a.store.prune(first)
    b.store.prune(second)
    c.store.write(3)
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const result = await session(from, to)
      expect(result.a.outcome).toMatchObject({ synced: true, theirs: { base: second } })
    }
    // And who has not cut at all takes either.
    expect((await session(c, a)).a.outcome).toMatchObject({ synced: true, theirs: { base: first } })
    expect((await session(c, b)).a.outcome).toMatchObject({ synced: true, theirs: { base: second } })
    expect(agree(a, b)).toBe(true)
  })

  test('nothing that lies below a base is sent to who has cut there, whatever either lacks', async () => {
    const { a, b, first } = await history()
    a.store.prune(first)
    const before = a.store.ids().length
    b.store.write(4)
    const result = await session(a, b, byRanges)
    expect(result.b.outcome?.sent).toBe(4)
    expect(a.store.ids().length).toBe(before + 4)
    expect(a.store.floatingCount()).toBe(0)
  })

  test('more authors than a map has, or a fork, are compared by ranges over the base', async () => {
    const { a, b, first } = await history()
    a.store.prune(first)
    expect(a.store.chainTips(MAX_TIP_AUTHORS)).toHaveLength(3)
    b.store.write(2)
    const none = { ...view(b.store, a), chainTips: () => undefined }
    const result = await converse(
      createReconcileInitiator(view(a.store, b)),
      createReconcileResponder({ resolve: () => none }),
    )
    expect(casesOf(result.a.sent)).toContain('reconcile')
    expect(result.a.outcome?.synced).toBe(true)
  })

  test('converges for any writes, cuts and meetings, and says so only then', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.record({ write: fc.nat(2), count: fc.integer({ min: 1, max: 5 }) }),
            fc.record({ from: fc.nat(2), to: fc.nat(2), maps: fc.boolean() }),
            fc.record({ cut: fc.nat(2) }),
          ),
          { maxLength: 16 },
        ),
        async (steps) => {
          const { first, second, ...rest } = await history()
          const peers = [rest.a, rest.b, rest.c] as const
          const at = (index: number): Peer => peers[index] ?? rest.a
          const meet = async (from: Peer, to: Peer, options: SessionOptions = {}): Promise<void> => {
            if (from === to) return
            const result = await session(from, to, options)
            expect(result.a.failure ?? result.b.failure).toBeUndefined()
            expect([result.a.outcome?.synced, agree(from, to)]).toEqual([true, true])
          }
          for (const step of steps) {
            if ('write' in step) at(step.write).store.write(step.count)
            else if ('cut' in step) {
              const { store } = at(step.cut)
              const next = store.base() === undefined ? first : second
              if (store.over(next) !== undefined) store.prune(next)
            } else await meet(at(step.from), at(step.to), step.maps ? {} : byRanges)
          }
          for (const [from, to] of [
            [0, 1],
            [1, 2],
            [2, 0],
            [0, 1],
          ] as const)
            await meet(at(from), at(to))
        },
      ),
      { numRuns: 40 },
    )
  })
})

describe('who is behind a base', () => {
  /** `late` has not seen the epoch at which `early` has cut. */
  async function behind(): Promise<BasedPeers & { readonly first: IntentionId }> {
    const peers = await basedPeers()
    peers.b.store.write(5)
    await session(peers.a, peers.b)
    const first = peers.epoch()
    peers.a.store.prune(first)
    return { ...peers, first }
  }
  const us = { kind: 'bases', returning: 'us' }
  const peer = { kind: 'bases', returning: 'peer' }

  test('learns that it is returning, and the other that the peer is, whoever starts', async () => {
    const { a, c, first } = await behind()
    c.store.write(2)
    const asks = await session(c, a)
    expect(asks.a.failure).toMatchObject({ ...us, base: first, isTold: false })
    expect(asks.b.failure).toMatchObject({ ...peer, isTold: true })
    const asked = await session(a, c)
    expect(asked.a.failure).toMatchObject({ ...peer, isTold: true })
    expect(asked.b.failure).toMatchObject({ ...us, base: first, isTold: false })
  })

  test('also one that holds nothing yet', async () => {
    const { a, peer: further, first } = await behind()
    const joiner = further(9)
    expect((await session(joiner, a)).a.failure).toMatchObject({ ...us, base: first })
    expect((await session(a, joiner)).b.failure).toMatchObject({ ...us, base: first })
  })

  test('of two that cut at epochs of their own, the one with the smaller number', async () => {
    const { a, b, c, epoch } = await basedPeers()
    const early = epoch(c)
    c.store.prune(early)
    a.store.write(1)
    const late = epoch(a)
    a.store.prune(late)
    expect(b.store.base()).toBeUndefined()
    const result = await session(c, a)
    expect([result.a.failure, result.b.failure]).toMatchObject([{ ...us, base: late }, peer])
    const other = await session(a, c)
    expect([other.a.failure, other.b.failure]).toMatchObject([peer, { ...us, base: late }])
  })

  test('learns so by the ids, where both numbers are the same', async () => {
    const { a, c, epoch, declareTo } = await basedPeers()
    const [mine, theirs] = [epoch(a), epoch(c)]
    declareTo(a.store)
    const sameNumber = (store: Peer['store'], base: IntentionId): void => {
      store.prune(base)
      const found = store.base()
      if (found !== undefined) Object.assign(store, { base: () => ({ ...found, seq: 4n }) })
    }
    sameNumber(a.store, mine)
    sameNumber(c.store, theirs)
    const result = await session(a, c)
    const [stands, givesWay] = compareBytes(mine, theirs) < 0 ? [result.a, result.b] : [result.b, result.a]
    expect([stands.failure, givesWay.failure]).toMatchObject([peer, us])
  })
})

describe('a base that becomes another meanwhile', () => {
  test('ends the session as one to be begun anew, and loses nothing', async () => {
    for (let at = 1; at < 8; at += 1) {
      const { a, b, first } = await history()
      a.store.write(30)
      b.store.write(30)
      let frames = 0
      const cutAt = at
      const result = await session(a, b, {
        ...byRanges,
        alter: (_, frame) => {
          frames += 1
          if (frames === cutAt) b.store.prune(first)
          return frame
        },
      })
      const failures = [result.a.failure, result.b.failure].filter((failure) => failure !== undefined)
      for (const failure of failures) {
        const isOrderly = failure.kind === 'refuse' || failure.kind === 'refused'
        expect(isOrderly && failure.refusal).toBe(net.RefusalCode.NOT_READY)
      }
      const next = await session(a, b)
      expect(next.a.outcome?.synced).toBe(true)
      expect(agree(a, b)).toBe(true)
    }
  })
})

describe('a base that cannot be taken any more with what came beside it', () => {
  test('is none over which this side says that it has everything', async () => {
    const { a, b, first } = await history()
    const { over } = b.store
    let isKept = true
    Object.assign(b.store, { over: (base: IntentionId) => (isKept ? over(base) : undefined) })
    const based = overLaterBase(view(b.store, a), { epoch: first, seq: 0n })
    if (based === undefined) expect.unreachable()
    const closing = createClosing(based)
    closing.beginSpans({ spans: [], needMax: 3 })
    const intentions = a.store.write(3).map(({ bytes, signature }) => ({ bytes, signature }))
    // Frames may arrive while what came with those before is taken in.
    const [taking] = closing.receive(toFrame({ case: 'intentions', value: { intentions, last: true } }))
    expect(taking).toMatchObject({ kind: 'call', call: { kind: 'ingest' } })
    const outcomes = await b.store.ingest(intentions, a.signer.publicKey)
    const answer = { kind: 'ingested', outcomes } as const
    isKept = false
    const [end] = closing.answered(answer)
    expect(end).toMatchObject({ kind: 'fail', failure: { refusal: net.RefusalCode.NOT_READY } })
  })
})

describe('an older version', () => {
  const open = (from: Peer, to: Peer, version: number | undefined) => {
    const store = view(from.store, to)
    const opening = version === undefined ? openingOver(store) : { versions: { min: 1, max: version } }
    return converse(
      withOpening(createReconcileInitiator(store), {
        protocol: net.Protocol.RECONCILE,
        ...opening,
        wallMs: 1,
        onPeerWall: () => undefined,
      }),
      acceptOpening<unknown>({
        wallMs: 2,
        onPeerWall: () => undefined,
        select: (_, agreed) => createReconcileResponder({ resolve: () => view(to.store, from), version: agreed }),
      }),
      { tellsRefusals: true },
    )
  }

  test('is served where nothing is cut, and costs the newer side no round trip', async () => {
    const { a, b } = await history()
    b.store.write(3)
    const result = await open(a, b, 1)
    expect(result.a.outcome).toMatchObject({ synced: true, witnessed: 3 })
    const newer = await open(a, b, undefined)
    // The Hello goes along with the opening.
    expect(casesOf(newer.a.sent).slice(0, 2)).toEqual(['open', 'hello'])
  })

  test('is refused with a reason where history was cut, on either side', async () => {
    const { a, b, first } = await history()
    b.store.prune(first)
    const result = await open(a, b, 1)
    expect(result.b.failure).toMatchObject({ kind: 'refuse', refusal: net.RefusalCode.VERSION_UNSUPPORTED })
    expect(result.a.failure).toMatchObject({ kind: 'refused', refusal: net.RefusalCode.VERSION_UNSUPPORTED })
    expect(openingOver(view(b.store, a))).toMatchObject({ versions: { min: 2, max: 2 } })
  })
})

describe('hostile Hellos about bases', () => {
  test.each([
    ['a base of another length', { base: new Uint8Array(31), baseSeq: 1n }, 'hello_malformed'],
    ['a number without a base', { base: new Uint8Array(0), baseSeq: 1n }, 'hello_malformed'],
  ])('%s break the protocol', async (_, change, why) => {
    const { a, b } = await history()
    const result = await session(a, b, {
      alter: (from, frame) => {
        if (from === 'a' && frame.case === 'hello') Object.assign(frame.value, change)
        return frame
      },
    })
    expect(result.b.failure).toMatchObject({ kind: 'violation', why })
  })

  test('an answering side that names one base after another is stopped at the second', async () => {
    const { a, b, first, second } = await history()
    b.store.prune(first)
    let hellos = 0
    const result = await session(a, b, {
      alter: (from, frame) => {
        if (from === 'b' && frame.case === 'hello') {
          hellos += 1
          if (hellos === 2) Object.assign(frame.value, { base: second, baseSeq: 9n })
        }
        return frame
      },
    })
    expect(result.a.failure).toMatchObject({ kind: 'violation', why: 'hello_another_base' })
  })
})
