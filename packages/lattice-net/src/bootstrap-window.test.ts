import { type IdKey, idKey, toHash, toIntentionId, toWitnessSeq } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createBootstrapWindow, type HeldIntention, type WindowUnit } from './bootstrap-window.ts'

const id = (n: number) => toIntentionId(new Uint8Array(32).fill(n & 255).fill(n >> 8, 0, 1))
const key = (n: number): IdKey => idKey(id(n))
const peer = (n: number): IdKey => idKey(new Uint8Array(32).fill(n))
const SIZE = 10
const held = (n: number, from: number): HeldIntention => ({
  signed: { bytes: new Uint8Array(SIZE).fill(n), signature: new Uint8Array(0) },
  from: peer(from),
})
const page = (end: number) => ({ end: { seq: toWitnessSeq(end), hash: toHash(new Uint8Array(32)) }, headSeq: 100 })
const ids = (from: number, count: number) => Array.from({ length: count }, (_, n) => id(from + n))
const always = (): boolean => true

describe('the window of a bootstrap', () => {
  // Model: the ids of a log; what leaves is its beginning, each once, in order, whatever arrives when and is lost again.
  test('hands out a log in its order, each intention once, within its budget', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('arrive' as const),
        ahead: fc.nat({ max: 5 }),
        from: fc.integer({ min: 1, max: 3 }),
      }),
      fc.record({ kind: fc.constant('take' as const), max: fc.integer({ min: 1, max: 8 }), accepted: fc.boolean() }),
      fc.record({ kind: fc.constant('purge' as const), from: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ kind: fc.constant('pick' as const), max: fc.integer({ min: 1, max: 8 }) }),
      fc.record({ kind: fc.constant('page' as const), count: fc.nat({ max: 12 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const window = createBootstrapWindow({ maxBytes: 12 * SIZE })
        const out: number[] = []
        let named = 0
        let donePages = 0
        const ends: number[] = []
        for (const one of steps) {
          switch (one.kind) {
            case 'page':
              if (named + one.count > 60) break
              window.addPage(page(named + one.count || 1), ids(named, one.count))
              named += one.count
              ends.push(named)
              break
            case 'arrive':
              window.hold(key(out.length + one.ahead), held(out.length + one.ahead, one.from))
              window.trim()
              break
            case 'purge':
              window.purge(peer(one.from))
              break
            case 'pick':
              for (const picked of window.pick(one.max, always)) {
                expect(window.find(idKey(picked))?.held).toBeUndefined()
                expect(window.pick(100, ({ key: other }) => other === idKey(picked))).toEqual([])
              }
              break
            case 'take': {
              const unit: WindowUnit | undefined = window.takeUnit(one.max, 1000)
              if (unit === undefined) break
              expect(unit.places.length).toBeLessThanOrEqual(one.max)
              expect(unit.places.map((place) => place.key)).toEqual(
                unit.places.map((_, index) => key(out.length + index)),
              )
              if (one.accepted) {
                window.settle(unit.places)
                out.push(...unit.places.map((_, index) => out.length + index))
              } else window.putBack(unit.places)
              break
            }
          }
          expect(window.heldBytes()).toBeLessThanOrEqual(12 * SIZE)
          expect(window.size()).toBe(named - out.length)
          while (window.takePage() !== undefined) donePages += 1
          // A page is done once all of it is out, and not before.
          expect(donePages).toBe(ends.filter((end) => end <= out.length).length)
        }
      }),
    )
  })

  test('keeps what waits for the log that takes over, and hands it out when that names it', () => {
    const window = createBootstrapWindow({ maxBytes: 1000 })
    window.addPage(page(4), ids(0, 4))
    window.hold(key(2), held(2, 1))
    window.clear()
    expect(window.pages()).toBe(0)
    expect(window.takeUnit(9, 1000)).toBeUndefined()
    expect(window.heldBytes()).toBe(SIZE)
    window.addPage(page(2), [id(2), id(0)])
    expect(window.takeUnit(9, 1000)?.places.map((place) => place.key)).toEqual([key(2)])
    expect(window.heldBytes()).toBe(0)
  })

  test('a request that is cut short is cut where a group of the log ends, if one does in its second half', () => {
    const window = createBootstrapWindow({ maxBytes: 1000 })
    window.addPage(page(14), ids(0, 14), new Set([0, 4, 9, 13].map(key)))
    expect(window.pick(8, always)).toEqual(ids(0, 5))
    expect(window.pick(3, always)).toEqual(ids(5, 3))
    expect(window.pick(4, always)).toEqual(ids(8, 2))
    expect(window.pick(9, always)).toEqual(ids(10, 4))
  })

  test('what was refused of a log that another took over from is not brought back', () => {
    const window = createBootstrapWindow({ maxBytes: 1000 })
    window.addPage(page(1), ids(0, 1))
    window.hold(key(0), held(0, 1))
    const unit = window.takeUnit(9, 1000)
    window.clear()
    window.putBack(unit?.places ?? [])
    expect(window.size()).toBe(0)
  })

  test('what was refused goes before what comes after it, and is asked for anew', () => {
    const window = createBootstrapWindow({ maxBytes: 1000 })
    window.addPage(page(2), ids(0, 2))
    window.hold(key(0), held(0, 1))
    window.hold(key(1), held(1, 2))
    const unit = window.takeUnit(9, 1000)
    window.putBack(unit?.places ?? [])
    expect(window.takeUnit(9, 1000)).toBeUndefined()
    expect(window.pick(9, always)).toEqual([id(0)])
    window.hold(key(0), held(0, 2))
    expect(window.takeUnit(9, 1000)?.places.map((place) => place.key)).toEqual([key(0), key(1)])
  })

  test('units that were refused come back in the order of the log, whichever is known first', () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const window = createBootstrapWindow({ maxBytes: 1000 })
      window.addPage(page(4), ids(0, 4))
      for (let n = 0; n < 4; n += 1) window.hold(key(n), held(n, 1))
      const units = [window.takeUnit(2, 1000), window.takeUnit(2, 1000)]
      for (const index of order) window.putBack(units[index]?.places ?? [])
      expect(window.pick(9, always)).toEqual(ids(0, 4))
    }
  })

  test('a unit is of one peer', () => {
    const window = createBootstrapWindow({ maxBytes: 1000 })
    window.addPage(page(3), ids(0, 3))
    for (const [n, from] of [
      [0, 1],
      [1, 1],
      [2, 2],
    ] as const)
      window.hold(key(n), held(n, from))
    expect(window.takeUnit(9, 1000)).toMatchObject({ from: peer(1), intentions: [{}, {}] })
    expect(window.takeUnit(9, 1000)).toMatchObject({ from: peer(2), intentions: [{}] })
  })
})
