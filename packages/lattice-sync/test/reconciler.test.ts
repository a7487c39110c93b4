import { concatBytes, toHash, toHex } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  accumulate,
  createMemoryRangeIndex,
  createReconciler,
  EMPTY_ACCUMULATOR,
  fingerprintOf,
  type Item,
  MAX_MESSAGE_BYTES,
  type RangeIndex,
  type ReconcilerOptions,
  roundLimit,
} from '../src/index.ts'
import { drawSets, idSet, itemOf, minus, ourSide, runSession, type SessionReport } from './oracle.ts'

function expectExact(report: SessionReport, a: readonly Item[], b: readonly Item[]): void {
  expect([...report.have].sort()).toEqual(minus(idSet(a), idSet(b)))
  expect([...report.need].sort()).toEqual(minus(idSet(b), idSet(a)))
}

const items = (count: number, seed = 1): readonly Item[] =>
  Array.from({ length: count }, (_, number) => itemOf(seed, number, number))

const responder = (count: number, options: Partial<ReconcilerOptions> = {}) =>
  createReconciler({ index: createMemoryRangeIndex(items(count)), role: 'responder', ...options })

/** Either way to begin. */
const seedSplit = (seed: number): 'even' | 'recent' => (seed % 2 === 0 ? 'even' : 'recent')

describe('a session', () => {
  test('finds the exact difference within the round limit, for any sets, timestamps and frames', () => {
    const counts = fc.oneof(fc.constant(0), fc.nat({ max: 400 }))
    fc.assert(
      fc.property(
        fc.record({
          seed: fc.nat(),
          shared: counts,
          onlyA: counts,
          onlyB: counts,
          timestamps: fc.constantFrom(1, 3, 2 ** 33, 2 ** 48),
        }),
        fc.constantFrom(4096, 5000, MAX_MESSAGE_BYTES),
        fc.constantFrom(32, 100, 65_536),
        (options, frameBytesMax, idsPerMessageMax) => {
          const { a, b } = drawSets(options)
          const roundsMax = roundLimit({ localCount: a.length, remoteCount: b.length, frameBytesMax })
          // A tiny id budget costs rounds of its own; the limit is stated for the default one.
          const limits = idsPerMessageMax === 65_536 ? { roundsMax } : {}
          const report = runSession(
            ourSide('initiator', a, { frameBytesMax, idsPerMessageMax, split: seedSplit(options.seed), ...limits }),
            ourSide('responder', b, { frameBytesMax, ...limits }),
          )
          expectExact(report, a, b)
          for (const message of report.messages) expect(message.length).toBeLessThanOrEqual(frameBytesMax)
        },
      ),
      { numRuns: 200 },
    )
  })

  test('is over after one round trip when the sets are equal', () => {
    const set = items(10_000)
    const report = runSession(ourSide('initiator', set), ourSide('responder', set))
    expect(report.roundTrips).toBe(1)
    expect(report.messages.at(-1)).toEqual(Uint8Array.of(0x61))
  })

  test('a first message that is finer towards the end saves round trips where the new items are the last', () => {
    const shared = items(5000)
    const news = (seed: number, count: number) =>
      Array.from({ length: count }, (_, number) => itemOf(seed, number, 5000 + number))
    const roundTrips = (split: 'even' | 'recent', count: number): number => {
      const [a, b] = [2, 3].map((seed) => [...shared, ...news(seed, count)])
      const report = runSession(ourSide('initiator', a ?? [], { split }), ourSide('responder', b ?? []))
      expectExact(report, a ?? [], b ?? [])
      return report.roundTrips
    }
    expect([1, 30, 100, 1000].map((count) => roundTrips('recent', count))).toEqual([1, 1, 2, 2])
    expect([1, 30].map((count) => roundTrips('even', count))).toEqual([2, 2])
  })

  test('that first message covers a set of any size, in a frame of any size', () => {
    for (const count of [0, 1, 63, 64, 65, 66, 320, 321, 500, 3000]) {
      const set = items(count)
      const side = createReconciler({ index: createMemoryRangeIndex(set), role: 'initiator', split: 'recent' })
      const answer = responder(count).receive(side.start())
      if (!answer.ok || answer.value.reply === undefined) throw new Error('the responder answers')
      expect(side.receive(answer.value.reply)).toEqual({ ok: true, value: { have: [], need: [] } })
    }
    // Ids with long common starts make every bound long, and a vast set many ranges: what does not fit is split evenly.
    const at = (rank: number): Item => {
      const id = toHash(new Uint8Array(32))
      new DataView(id.buffer).setBigUint64(24, BigInt(rank))
      return { timestamp: 1, id }
    }
    const vast: RangeIndex = {
      size: () => 2 ** 40,
      lowerBound: () => 0,
      at,
      accumulate: (begin, end) => ({ ...EMPTY_ACCUMULATOR, count: end - begin }),
      items: (begin, end) => Array.from({ length: end - begin }, (_, offset) => at(begin + offset)).values(),
    }
    for (const frameBytesMax of [4096, MAX_MESSAGE_BYTES]) {
      const first = createReconciler({ index: vast, role: 'initiator', split: 'recent', frameBytesMax }).start()
      expect(first.length).toBeLessThanOrEqual(frameBytesMax)
      expect(responder(100).receive(first).ok).toBe(true)
    }
  })

  test.for([4096, MAX_MESSAGE_BYTES])('ends exactly for disjoint sets of 10,000 in frames of %i', (frameBytesMax) => {
    const [a, b] = [items(10_000, 1), items(10_000, 2)]
    const roundsMax = roundLimit({ localCount: a.length, remoteCount: b.length, frameBytesMax })
    const options = { frameBytesMax, roundsMax }
    expectExact(runSession(ourSide('initiator', a, options), ourSide('responder', b, options)), a, b)
  })

  test('an id budget spreads a large report over rounds', () => {
    const a = items(5000)
    const initiator = createReconciler({ index: createMemoryRangeIndex(a), role: 'initiator', idsPerMessageMax: 500 })
    const peer = responder(0)
    const have = new Set<string>()
    let message: Uint8Array | undefined = initiator.start()
    while (message !== undefined) {
      const answer = peer.receive(message)
      if (!answer.ok || answer.value.reply === undefined) throw new Error('the responder answers')
      const step = initiator.receive(answer.value.reply)
      if (!step.ok) throw new Error('honest messages are accepted')
      expect(step.value.have.length).toBeLessThanOrEqual(500)
      for (const id of step.value.have) have.add(toHex(id))
      message = step.value.reply
    }
    expect([...have].sort()).toEqual([...idSet(a)].sort())
  })

  test('a full reply never claims equality to a peer that has nothing where the answer did not fit', () => {
    const head = items(110)
    const tail = Array.from({ length: 20 }, (_, number) => itemOf(2, number, 1000 + number))
    const side = responder(0, { index: createMemoryRangeIndex([...head, ...tail]), frameBytesMax: 4096 })
    // The peer has nothing below timestamp 120, and nothing behind. Our ids below fill the frame.
    const nothing = fingerprintOf(EMPTY_ACCUMULATOR)
    const answer = side.receive(concatBytes(Uint8Array.of(0x61, 121, 0, 2, 0, 0, 0, 1), nothing))
    if (!answer.ok || answer.value.reply === undefined) throw new Error('the responder answers')
    expect(answer.value.reply.length).toBe(1 + 4 + 110 * 32 + 19)
    const expected = fingerprintOf(accumulate(tail.map((item) => item.id)))
    expect(toHex(answer.value.reply.slice(-16))).toBe(toHex(expected))
  })

  test('items that appear between messages disturb nothing', () => {
    const a = items(2000)
    const index = createMemoryRangeIndex(a.slice(0, 1500))
    const initiator = createReconciler({ index, role: 'initiator' })
    const peer = responder(0, { index: createMemoryRangeIndex(a.slice(500)) })
    let message: Uint8Array | undefined = initiator.start()
    for (let next = 1500; message !== undefined; next += 50) {
      const answer = peer.receive(message)
      if (!answer.ok) throw new Error('honest messages are accepted')
      index.insertAll(a.slice(next, next + 50))
      const step = initiator.receive(answer.value.reply ?? new Uint8Array(0))
      if (!step.ok) throw new Error('honest messages are accepted')
      message = step.value.reply
    }
  })
})

describe('hostile peers', () => {
  test('random bytes never throw, whatever the role', () => {
    const index = createMemoryRangeIndex(items(300))
    const tail = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      // Mostly small numbers: these reach deeper than random bytes do.
      fc
        .array(fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 255 })), { maxLength: 200 })
        .map((list) => Uint8Array.from(list)),
    )
    fc.assert(
      fc.property(tail, fc.boolean(), (bytes, isInitiator) => {
        const role = isInitiator ? 'initiator' : 'responder'
        const side = createReconciler({ index, role, frameBytesMax: 4096 })
        if (isInitiator) side.start()
        for (const message of [bytes, concatBytes(Uint8Array.of(0x61), bytes)]) {
          const step = side.receive(message)
          if (step.ok) expect(step.value.reply?.length ?? 0).toBeLessThanOrEqual(4096)
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('a mutated honest message is refused or answered, never thrown on', () => {
    const index = createMemoryRangeIndex(items(900))
    const honest = createReconciler({ index: createMemoryRangeIndex(items(900, 2)), role: 'initiator' }).start()
    fc.assert(
      fc.property(fc.nat({ max: honest.length - 1 }), fc.nat({ max: 255 }), fc.nat({ max: 40 }), (at, byte, cut) => {
        const mutated = honest.slice(0, honest.length - cut)
        mutated[at] = byte
        const step = createReconciler({ index, role: 'responder' }).receive(mutated)
        expect(typeof step.ok).toBe('boolean')
      }),
      { numRuns: 500 },
    )
  })

  test('a message of the longest length costs bounded time and answer, whatever it asks', () => {
    const random = createSeededRandom(9)
    const range = concatBytes(Uint8Array.of(2, 0, 1), random.bytes(16))
    const count = Math.floor((MAX_MESSAGE_BYTES - 1) / range.length)
    const lying = concatBytes(Uint8Array.of(0x61), ...Array.from({ length: count }, () => range))
    const step = responder(2000).receive(lying)
    expect(step.ok && (step.value.reply?.length ?? 0)).toBeLessThanOrEqual(MAX_MESSAGE_BYTES)
    const skips = concatBytes(
      Uint8Array.of(0x61),
      new Uint8Array(3 * 300_000).map((_, at) => (at % 3 === 0 ? 2 : 0)),
    )
    expect(responder(2000).receive(skips)).toMatchObject({ ok: true, value: { reply: Uint8Array.of(0x61) } })
    expect(responder(1).receive(new Uint8Array(MAX_MESSAGE_BYTES + 1))).toMatchObject({
      ok: false,
      error: { code: 'message_too_long', max: MAX_MESSAGE_BYTES },
    })
  })

  test('lying fingerprints, repeated for ever, end at the round limit with every report within its bound', () => {
    const index = createMemoryRangeIndex(items(3000))
    const initiator = createReconciler({ index, role: 'initiator', roundsMax: 50, idsPerMessageMax: 100 })
    initiator.start()
    const lie = concatBytes(Uint8Array.of(0x61, 0, 0, 1), new Uint8Array(16))
    const emptyList = Uint8Array.of(0x61, 0, 0, 2, 0)
    for (let round = 0; round < 50; round += 1) {
      const step = initiator.receive(round % 2 === 0 ? lie : emptyList)
      if (!step.ok) throw new Error('a lie is well-formed')
      expect(step.value.have.length).toBeLessThanOrEqual(100)
      expect(step.value.need).toEqual([])
    }
    expect(initiator.receive(lie)).toEqual({ ok: false, error: { code: 'too_many_rounds', max: 50 } })
    expect(initiator.receive(lie)).toEqual({ ok: false, error: { code: 'session_over' } })
  })

  test('a list with an id repeated, or held elsewhere, is a claim and nothing more', () => {
    const own = items(10)
    const initiator = createReconciler({ index: createMemoryRangeIndex(own), role: 'initiator' })
    initiator.start()
    const foreign = toHash(new Uint8Array(32).fill(9))
    const message = concatBytes(Uint8Array.of(0x61, 0, 0, 2, 2), foreign, foreign)
    const step = initiator.receive(message)
    message.fill(0)
    expect(step).toMatchObject({ ok: true, value: { need: [foreign] } })
    expect(step.ok && step.value.have).toHaveLength(10)
  })

  test('a malformed end is refused even behind a full reply', () => {
    const claim = concatBytes(Uint8Array.of(0x61, 0, 0, 2, 0), Uint8Array.of(0, 0, 9))
    expect(responder(2000, { frameBytesMax: 4096 }).receive(claim)).toEqual({
      ok: false,
      error: { code: 'bad_mode', offset: 7, mode: 9 },
    })
  })
})

describe('versions and misuse', () => {
  test('a responder answers another version with its own, and goes on', () => {
    const side = responder(3)
    expect(side.receive(Uint8Array.of(0x62, 1, 2, 3))).toEqual({
      ok: true,
      value: { reply: Uint8Array.of(0x61), have: [], need: [] },
    })
    expect(side.receive(Uint8Array.of(0x61)).ok).toBe(true)
  })

  test('an initiator refuses another version, and both refuse what is none', () => {
    const initiator = createReconciler({ index: createMemoryRangeIndex(), role: 'initiator' })
    initiator.start()
    expect(initiator.receive(Uint8Array.of(0x60))).toEqual({
      ok: false,
      error: { code: 'unsupported_version', version: 0 },
    })
    expect(responder(1).receive(Uint8Array.of(0x70))).toMatchObject({ error: { code: 'not_negentropy' } })
    expect(responder(1).receive(new Uint8Array(0))).toMatchObject({ error: { code: 'truncated', offset: 0 } })
  })

  test('calls out of turn and limits out of range are bugs', () => {
    const index = createMemoryRangeIndex()
    const initiator = createReconciler({ index, role: 'initiator' })
    expect(() => initiator.receive(Uint8Array.of(0x61))).toThrow('starts before it receives')
    initiator.start()
    expect(() => initiator.start()).toThrow('starts once')
    expect(() => responder(1).start()).toThrow('the initiator starts')
    expect(() => responder(1, { frameBytesMax: 4095 })).toThrow('smallest of the specification')
    expect(() => responder(1, { frameBytesMax: MAX_MESSAGE_BYTES + 1 })).toThrow('at most the longest message')
    expect(() => responder(1, { idsPerMessageMax: 31 })).toThrow('covers a leaf')
  })
})
