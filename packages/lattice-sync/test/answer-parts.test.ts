import { concatBytes, toHex } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toFingerprint } from '../src/accumulator.ts'
import {
  boundAt,
  createMemoryRangeIndex,
  createReconciler,
  INFINITY_BOUND,
  type Item,
  type RangeIndex,
  type Reconciler,
  type ReconcileStep,
  type ReconcilerOptions,
  type Role,
} from '../src/index.ts'
import { ITEMS_PER_WORK } from '../src/counted-index.ts'
import { createMessageWriter } from '../src/message-writer.ts'
import { drawSets, idSet, itemOf, minus, ourSide, runSession, type Side, theirResponder, theirSide } from './oracle.ts'

const items = (count: number, seed = 1): readonly Item[] =>
  Array.from({ length: count }, (_, number) => itemOf(seed, number, number))

const LIE = toFingerprint(new Uint8Array(16).fill(7))

/** The whole answer, made in parts of `work`; `between` is told of each pause. */
function inParts(side: Reconciler, message: Uint8Array, work: () => number, between = () => {}) {
  const answer = side.begin(message)
  const found: { readonly have: string[]; readonly need: string[] } = { have: [], need: [] }
  for (let parts = 1; ; parts += 1) {
    const part = answer.advance(work())
    if (!part.ok) return { refused: part.error, parts }
    found.have.push(...part.value.have.map(toHex))
    found.need.push(...part.value.need.map(toHex))
    if (part.value.isWhole) return { ...found, reply: part.value.reply, parts }
    between()
  }
}

/** The same by one call. */
function atOnce(side: Reconciler, message: Uint8Array) {
  const step = side.receive(message)
  if (!step.ok) return { refused: step.error }
  const { have, need, reply }: ReconcileStep = step.value
  return { have: have.map(toHex), need: need.map(toHex), reply }
}

/** A side that answers in parts of a few questions each. */
function splittingSide(role: Role, set: readonly Item[], options: Partial<ReconcilerOptions> = {}): Side {
  const side = createReconciler({ index: createMemoryRangeIndex(set), role, ...options })
  let work = 0
  return {
    start: () => side.start(),
    receive: (message) => {
      const answer = inParts(side, message, () => 1 + ((work += 1) % 5))
      if ('refused' in answer) throw new Error('honest messages are accepted')
      return answer
    },
  }
}

const sets = fc.record({
  seed: fc.nat(),
  shared: fc.nat({ max: 400 }),
  onlyA: fc.nat({ max: 150 }),
  onlyB: fc.nat({ max: 150 }),
  timestamps: fc.constantFrom(1, 40, 2 ** 30),
})

describe('an answer in parts', () => {
  test('is the answer made at once, byte for byte and id for id, wherever it pauses', () => {
    fc.assert(
      fc.property(
        sets,
        fc.constantFrom(4096, 6000),
        fc.constantFrom(32, 100, 65_536),
        fc.nat(),
        (options, ...limits) => {
          const { a, b } = drawSets(options)
          const [frameBytesMax, idsPerMessageMax, seed] = limits
          const random = createSeededRandom(seed)
          const works = () => 1 + ((random.bytes(1)[0] ?? 0) % 40)
          const pair = (role: Role, set: readonly Item[]) =>
            [0, 1].map(() =>
              createReconciler({ index: createMemoryRangeIndex(set), role, frameBytesMax, idsPerMessageMax }),
            )
          const [whole, split] = pair('initiator', a)
          const [wholeAnswer, splitAnswer] = pair('responder', b)
          if (!whole || !split || !wholeAnswer || !splitAnswer) throw new Error('there are two of each')
          let message = whole.start()
          expect(split.start()).toEqual(message)
          for (;;) {
            const { parts: _, ...answer } = inParts(splitAnswer, message, works)
            expect(answer).toEqual(atOnce(wholeAnswer, message))
            if ('refused' in answer || answer.reply === undefined) throw new Error('the responder answers')
            const { parts: __, ...step } = inParts(split, answer.reply, works)
            expect(step).toEqual(atOnce(whole, answer.reply))
            if ('refused' in step || step.reply === undefined) return
            message = step.reply
          }
        },
      ),
      { numRuns: 25 },
    )
  })

  test('is refused for what the message at once is refused for', () => {
    const set = items(200)
    const tail = fc.array(fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 255 })), { maxLength: 120 })
    fc.assert(
      fc.property(tail, fc.boolean(), fc.integer({ min: 1, max: 9 }), (bytes, isInitiator, work) => {
        const message = concatBytes(Uint8Array.of(0x61), Uint8Array.from(bytes))
        const [whole, split] = [0, 1].map(() => {
          const role = isInitiator ? 'initiator' : 'responder'
          const side = createReconciler({ index: createMemoryRangeIndex(set), role })
          if (isInitiator) side.start()
          return side
        })
        if (!whole || !split) throw new Error('there are two')
        const { parts: _, ...answer } = inParts(split, message, () => work)
        expect(answer).toEqual(atOnce(whole, message))
      }),
      { numRuns: 150 },
    )
  })

  test('leads to the exact difference with an end that answers at once, of this implementation or another', () => {
    fc.assert(
      fc.property(sets, fc.constantFrom(4096, 6000), (options, frameBytesMax) => {
        const { a, b } = drawSets(options)
        const limits = { frameBytesMax }
        const reports = [
          runSession(splittingSide('initiator', a, limits), ourSide('responder', b, limits)),
          runSession(ourSide('initiator', a, limits), splittingSide('responder', b, limits)),
          runSession(splittingSide('initiator', a, limits), theirResponder(b, frameBytesMax)),
          runSession(theirSide(a, frameBytesMax), splittingSide('responder', b, limits)),
        ]
        for (const report of reports) {
          expect([...report.have].sort()).toEqual(minus(idSet(a), idSet(b)))
          expect([...report.need].sort()).toEqual(minus(idSet(b), idSet(a)))
        }
      }),
      { numRuns: 10 },
    )
  })

  test('survives an index that changes at every pause, and finds what stays different throughout', () => {
    fc.assert(
      fc.property(sets, fc.integer({ min: 1, max: 30 }), (options, work) => {
        const { a, b } = drawSets(options)
        const comesAndGoes = Array.from({ length: 64 }, (_, number) => itemOf(options.seed + 1, number, number % 50))
        const indexes = [a, b].map((set) => createMemoryRangeIndex(set))
        const [own, other] = indexes
        if (!own || !other) throw new Error('there are two')
        let pauses = 0
        const change = (): void => {
          const item = comesAndGoes[pauses % comesAndGoes.length]
          pauses += 1
          if (item !== undefined) for (const index of indexes) if (!index.delete(item)) index.insert(item)
        }
        const [initiator, responder] = [
          createReconciler({ index: own, role: 'initiator', frameBytesMax: 4096 }),
          createReconciler({ index: other, role: 'responder', frameBytesMax: 4096 }),
        ]
        const found: { readonly have: Set<string>; readonly need: Set<string> } = { have: new Set(), need: new Set() }
        let message: Uint8Array | undefined = initiator.start()
        for (let round = 0; message !== undefined && round < 400; round += 1) {
          const answer = inParts(responder, message, () => work, change)
          if ('refused' in answer || answer.reply === undefined) throw new Error('the responder answers')
          const step = inParts(initiator, answer.reply, () => work, change)
          if ('refused' in step) throw new Error('honest messages are accepted')
          for (const id of step.have) found.have.add(id)
          for (const id of step.need) found.need.add(id)
          message = step.reply
        }
        expect(message).toBeUndefined()
        expect([...found.have]).toEqual(expect.arrayContaining([...minus(idSet(a), idSet(b))]))
        expect([...found.need]).toEqual(expect.arrayContaining([...minus(idSet(b), idSet(a))]))
      }),
      { numRuns: 40 },
    )
  })

  test('one message at a time, and parts of some work', () => {
    const side = createReconciler({ index: createMemoryRangeIndex(items(100)), role: 'responder' })
    const message = messageOf(2, items(100), (out, bound) => out.fingerprint(bound, LIE))
    const answer = side.begin(message)
    expect(() => side.begin(message)).toThrow('one after the other')
    expect(() => answer.advance(0)).toThrow('does some work')
    expect(answer.advance(1)).toMatchObject({ value: { isWhole: false } })
    expect(answer.advance(1000)).toMatchObject({ value: { isWhole: true } })
    expect(() => answer.advance(1)).toThrow('made once')
  })
})

/** Ranges that cut `set` in `parts`. */
function messageOf(
  parts: number,
  set: readonly Item[],
  write: (out: ReturnType<typeof createMessageWriter>, bound: ReturnType<typeof boundAt>) => void,
): Uint8Array {
  const out = createMessageWriter()
  for (let part = 1; part <= parts; part += 1) {
    const next = set[Math.floor((set.length * part) / parts)]
    write(out, next === undefined ? INFINITY_BOUND : boundAt(next))
  }
  return out.finish()
}

/** `index`, with what was asked of it since the last look: questions, and items read. */
function watch(index: RangeIndex) {
  let asked = 0
  const count = <T>(result: T): T => {
    asked += 1
    return result
  }
  const watched: RangeIndex = {
    size: index.size,
    lowerBound: (bound) => count(index.lowerBound(bound)),
    at: (rank) => count(index.at(rank)),
    accumulate: (begin, end) => count(index.accumulate(begin, end)),
    *items(begin, end) {
      asked += 1
      for (const item of index.items(begin, end)) {
        asked += 1 / ITEMS_PER_WORK
        yield item
      }
    },
  }
  return {
    watched,
    take: () => {
      const taken = asked
      asked = 0
      return taken
    },
  }
}

describe('whatever a message asks, a part of its answer', () => {
  const WORK = 64
  const set = items(20_000)
  const frameBytesMax = 128 * 1024
  /** Sixteen finer ranges, or a list that fills the frame. */
  const [SPLIT, LIST] = [52, frameBytesMax / 32 / ITEMS_PER_WORK + 4]
  const cases: readonly (readonly [string, Role, number, Uint8Array])[] = [
    ['450 lies', 'responder', SPLIT, messageOf(450, set, (out, bound) => out.fingerprint(bound, LIE))],
    ['450 lies', 'initiator', SPLIT, messageOf(450, set, (out, bound) => out.fingerprint(bound, LIE))],
    ['6,000 lies', 'responder', SPLIT, messageOf(6000, set, (out, bound) => out.fingerprint(bound, LIE))],
    ['9,000 empty lists', 'responder', SPLIT, messageOf(9000, set, (out, bound) => out.idList(bound, 0, []))],
    ['9,000 empty lists', 'initiator', SPLIT, messageOf(9000, set, (out, bound) => out.idList(bound, 0, []))],
    ['one empty list', 'responder', LIST, messageOf(1, set, (out, bound) => out.idList(bound, 0, []))],
    ['one empty list', 'initiator', SPLIT, messageOf(1, set, (out, bound) => out.idList(bound, 0, []))],
  ]
  test.for(cases)('does no more than its work and one range: %s to the %s', ([, role, beyond, message]) => {
    const { watched, take } = watch(createMemoryRangeIndex(set))
    const side = createReconciler({ index: watched, role, frameBytesMax })
    if (role === 'initiator') side.start()
    take()
    const asked: number[] = []
    const answer = inParts(
      side,
      message,
      () => WORK,
      () => asked.push(take()),
    )
    asked.push(take())
    expect(Math.max(...asked)).toBeLessThanOrEqual(WORK + beyond)
    // As few parts as that allows: a pause has its price, too.
    const total = asked.reduce((sum, part) => sum + part, 0)
    expect(answer.parts).toBeLessThanOrEqual(1 + total / (WORK / 2) + message.length / 3 / 16 / WORK)
  })
})
