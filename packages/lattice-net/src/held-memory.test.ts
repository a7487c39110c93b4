import { type PublicKey, toPublicKey } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createHeldMemory, type HeldMemory, type HeldShare } from './held-memory.ts'

const peerOf = (index: number): PublicKey => toPublicKey(new Uint8Array(32).fill(index))
const bounds = { peerBytes: 200, strangerBytes: 50, limitBytes: 300 }

/** Sessions of peers 0 to 2, of whom 0 and 1 are known; those with an odd number were asked for. */
const SESSIONS = Array.from({ length: 12 }, (_, index) => ({ peer: index % 3, isAsked: index % 2 === 1 }))
const isKnown = (peer: PublicKey): boolean => (peer[0] ?? 0) < 2

interface World {
  readonly memory: HeldMemory
  readonly shares: HeldShare[]
  /** What each session holds. */
  readonly model: number[]
  readonly recalled: number[]
  readonly of: (peer: number, onlyUnbidden?: boolean) => number
}

/** A session that is recalled keeps as much of what it holds as its number says: an odd one nothing. */
function create(): World {
  const memory = createHeldMemory({ ...bounds, isKnown })
  const model = SESSIONS.map(() => 0)
  const recalled: number[] = []
  const shares = SESSIONS.map(({ peer, isAsked }, index) =>
    memory.begin({
      peer: peerOf(peer),
      isAsked,
      onRecalled: () => {
        recalled.push(index)
        model[index] = index % 2 === 1 ? 0 : Math.min(10, model[index] ?? 0)
        shares[index]?.keep(model[index] ?? 0)
      },
    }),
  )
  const of = (peer: number, onlyUnbidden = false): number =>
    model.reduce((sum, bytes, index) => {
      const { peer: whose, isAsked } = SESSIONS[index] ?? { peer: -1, isAsked: false }
      return whose === peer && !(onlyUnbidden && isAsked) ? sum + bytes : sum
    }, 0)
  return { memory, shares, model, recalled, of }
}

describe('what is held of peers', () => {
  test('is the sum of their sessions, within the bound of each and of all, whatever they do', () => {
    const act = fc.record({
      session: fc.nat({ max: SESSIONS.length - 1 }),
      bytes: fc.nat({ max: 120 }),
      ends: fc.nat({ max: 9 }).map((n) => n === 0),
    })
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const { memory, shares, model, recalled, of } = create()
        const over = new Set<number>()
        for (const { session, bytes, ends } of acts) {
          const share = shares[session]
          const { peer, isAsked } = SESSIONS[session] ?? { peer: 0, isAsked: false }
          if (share === undefined || over.has(session)) continue
          const growth = bytes - (model[session] ?? 0)
          const before = [0, 1, 2].map((each) => of(each))
          const isTooMuch =
            growth > 0 &&
            (of(peer) + growth > bounds.peerBytes ||
              (!isAsked && peer === 2 && of(peer, true) + growth > bounds.strangerBytes))
          recalled.length = 0
          if (ends) {
            share.keep(0)
            model[session] = 0
            over.add(session)
          } else {
            const verdict = share.set(bytes)
            expect(verdict === 'too_much').toBe(isTooMuch)
            if (verdict === 'held') model[session] = bytes
          }
          for (const index of recalled) {
            over.add(index)
            // Of somebody else, who held more than the peer would.
            const whose = SESSIONS[index]?.peer ?? peer
            expect(before[whose]).toBeGreaterThan((before[peer] ?? 0) + growth)
          }
          const totals = [0, 1, 2].map((each) => of(each))
          expect([0, 1, 2].map((each) => memory.of(peerOf(each)))).toEqual(totals)
          expect(memory.total()).toBe(totals.reduce((a, b) => a + b))
          expect(memory.total()).toBeLessThanOrEqual(bounds.limitBytes)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('makes room for who holds less: the largest sessions of the one that holds most end, and no others', () => {
    const { memory, shares, recalled } = create()
    // Peer 0: 60, 70 and 50; peer 1: 100.
    expect([shares[0]?.set(60), shares[3]?.set(70), shares[6]?.set(50), shares[1]?.set(100)]).toEqual(
      Array.from({ length: 4 }, () => 'held'),
    )
    expect(shares[2]?.set(20)).toBe('held')
    // 300 by now: the stranger asks for more, up to where it may.
    expect(shares[2]?.set(50)).toBe('held')
    expect(recalled).toEqual([3])
    expect(memory.of(peerOf(0))).toBe(110)
    // And who holds most is given nothing more.
    expect(shares[4]?.set(40)).toBe('held')
    expect(shares[4]?.set(45)).toBe('no_room')
    expect(recalled).toEqual([3])
    expect(memory.total()).toBe(300)
  })

  test('of a stranger is little, but for what it was asked for; who is known is asked now and then', () => {
    let known = false
    let asked = 0
    const memory = createHeldMemory({
      ...bounds,
      isKnown: () => {
        asked += 1
        return known
      },
    })
    const begin = (isAsked: boolean): HeldShare =>
      memory.begin({ peer: peerOf(7), isAsked, onRecalled: () => undefined })
    const [own, wanted] = [begin(false), begin(true)]
    expect([own.set(50), wanted.set(80), asked]).toEqual(['held', 'held', 0])
    expect([own.set(51), asked]).toEqual(['too_much', 1])
    known = true
    expect([own.set(51), own.set(80), own.set(90), asked]).toEqual(['held', 'held', 'held', 2])
    // It was removed meanwhile: what it holds stays until it adds to it.
    known = false
    expect([own.set(101), asked, memory.of(peerOf(7))]).toEqual(['too_much', 3, 170])
    // Once it held little again it is asked anew.
    expect([own.set(50), own.set(51)]).toEqual(['held', 'too_much'])
  })

  test('is forgotten with the last session of a peer', () => {
    const memory = createHeldMemory({ ...bounds, isKnown })
    const share = memory.begin({ peer: peerOf(0), isAsked: false, onRecalled: () => undefined })
    share.set(30)
    share.keep(40)
    expect(memory.total()).toBe(30)
    share.keep(0)
    share.keep(0)
    expect([memory.total(), memory.of(peerOf(0))]).toEqual([0, 0])
  })
})
