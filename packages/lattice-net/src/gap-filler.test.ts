import { type IdKey, idKey, type IntentionId, type PublicKey, toIntentionId, toPublicKey } from '@lattice/model'
import type { ReplicaBase } from '@lattice/net-types'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createGapFiller, type Floating, type GapEffect, type GapFiller, type GapRequest } from './gap-filler.ts'
import { GAP_FETCHES_MAX, GAP_IDS_MAX, GAP_ROUNDS_MAX, GAP_SOURCES_MAX } from './limits.ts'

const id = (n: number): IntentionId => toIntentionId(new Uint8Array(32).fill(n & 255).fill(n >> 8, 0, 1))
const peer = (n: number): PublicKey => toPublicKey(new Uint8Array(32).fill(n))
const [author, sender, other] = [peer(1), peer(2), peer(3)]

interface Setup {
  readonly filler: GapFiller
  readonly here: Set<IdKey>
  readonly usable: Set<IdKey>
}

const CUT: ReplicaBase = { epoch: id(200), seq: 3n, goneCount: 10 }

function setup({
  others = [other],
  usable = [author, sender, other],
  base,
}: { others?: PublicKey[]; usable?: PublicKey[]; base?: ReplicaBase } = {}): Setup {
  const here = new Set<IdKey>()
  const connected = new Set(usable.map(idKey))
  const filler = createGapFiller({
    store: { missing: (ids) => ids.filter((one) => !here.has(idKey(one))), tipOf: () => id(9), base: () => base },
    isUsable: (one) => connected.has(idKey(one)),
    others: () => others,
  })
  return { filler, here, usable: connected }
}
const floating = (missing: readonly IntentionId[], { by = author, storePrev = id(250) } = {}): Floating => ({
  author: by,
  storePrev,
  missing,
})
const empty = { sender: author, floating: [] }
const asked = (effects: readonly GapEffect[]): (readonly [PublicKey, GapRequest])[] =>
  effects.flatMap((effect) => (effect.kind === 'fetch' ? [[effect.peer, effect.request] as const] : []))

describe('the gap filler', () => {
  test('asks the author, then the sender, then others, one after the other; then a session', () => {
    const { filler } = setup()
    expect(filler.report({ sender, floating: [floating([id(7)])] })).toEqual([{ kind: 'wait' }])
    const request = { kind: 'ids', ids: [id(7)] }
    expect(filler.due()).toEqual([{ kind: 'fetch', peer: author, request }])
    expect(filler.answered(empty)).toEqual([{ kind: 'fetch', peer: sender, request }])
    expect(filler.failed()).toEqual([{ kind: 'fetch', peer: other, request }])
    expect(filler.answered(empty)).toEqual([{ kind: 'session', peer: sender }])
    expect(filler.wanted()).toBe(0)
  })

  test('asks for what the author wrote before as a stretch of its chain, from what is here on', () => {
    const { filler } = setup()
    filler.report({ sender, floating: [floating([id(7)], { storePrev: id(7) })] })
    expect(asked(filler.due())).toEqual([[author, { kind: 'chain', target: id(7), since: id(9), limit: 1024 }]])
  })

  test('asks one peer for all that it is next for', () => {
    const { filler } = setup()
    filler.report({ sender, floating: [floating([id(7), id(8)]), floating([id(10)])] })
    expect(asked(filler.due())).toEqual([[author, { kind: 'ids', ids: [id(7), id(8), id(10)] }]])
  })

  test('asks for nothing that came meanwhile', () => {
    const { filler, here } = setup()
    filler.report({ sender, floating: [floating([id(7), id(8)])] })
    filler.arrived([id(7)])
    here.add(idKey(id(8)))
    expect(filler.due()).toEqual([])
    expect(filler.wanted()).toBe(0)
  })

  test('says when nothing is lacking any more', () => {
    const { filler } = setup()
    filler.report({ sender, floating: [floating([id(7)])] })
    filler.due()
    filler.arrived([id(7)])
    expect(filler.answered(empty)).toEqual([{ kind: 'filled', peer: sender }])
  })

  test('scores a sender that does not have the causes of what it sent, and no other', () => {
    const { filler } = setup({ others: [other] })
    filler.report({ sender, floating: [floating([id(7)])] })
    filler.due()
    filler.answered(empty)
    filler.answered(empty)
    expect(filler.answered(empty)).toEqual([
      { kind: 'score', peer: sender, why: 'cause_withheld' },
      { kind: 'session', peer: sender },
    ])
  })

  test('scores nobody for causes that may lie below the base', () => {
    const { filler } = setup({ others: [], usable: [sender], base: CUT })
    filler.report({ sender, floating: [floating([id(7)])] })
    filler.due()
    expect(filler.answered({ sender, floating: [] })).toEqual([{ kind: 'session', peer: sender }])
  })

  test('does not score a sender that could not be asked', () => {
    const { filler } = setup({ others: [], usable: [sender] })
    filler.report({ sender, floating: [floating([id(7)])] })
    filler.due()
    expect(filler.failed()).toEqual([{ kind: 'session', peer: sender }])
  })

  test('does not look again for what nobody had, until it comes', () => {
    const { filler } = setup({ others: [], usable: [sender] })
    filler.report({ sender, floating: [floating([id(7)])] })
    filler.due()
    filler.failed()
    expect(filler.report({ sender, floating: [floating([id(7)])] })).toEqual([{ kind: 'session', peer: sender }])
    filler.arrived([id(7)])
    expect(filler.report({ sender, floating: [floating([id(7)])] })).toEqual([{ kind: 'wait' }])
  })

  test('a chain of causes without an end is left to a session, and scored when that brings nothing', () => {
    const { filler } = setup({ others: [] })
    filler.report({ sender, floating: [floating([id(100)])] })
    let effects = filler.due()
    let rounds = 0
    for (; asked(effects).length > 0; rounds += 1) {
      filler.arrived([id(100 + rounds)])
      effects = filler.answered({ sender: author, floating: [floating([id(101 + rounds)])] })
    }
    expect(rounds).toBe(GAP_ROUNDS_MAX)
    expect(effects).toEqual([{ kind: 'session', peer: sender }])
    expect(filler.reconciled(sender, 5)).toEqual([])
    expect(filler.reconciled(sender, 0)).toEqual([{ kind: 'score', peer: sender, why: 'causes_endless' }])
    expect(filler.reconciled(sender, 0)).toEqual([])
  })

  // Model: whatever is reported and however peers answer, one request is open at a time, nobody is asked twice for an id,
  // and after a bounded number of requests nothing is wanted.
  test('one request at a time, nobody twice, and always an end', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('report' as const),
        from: fc.integer({ min: 1, max: 6 }),
        by: fc.integer({ min: 1, max: 6 }),
        missing: fc.array(fc.integer({ min: 0, max: 2000 }), { minLength: 1, maxLength: 64 }),
      }),
      fc.record({
        kind: fc.constantFrom('answer' as const, 'fail' as const),
        brings: fc.boolean(),
        lacks: fc.integer({ min: 0, max: 2000 }),
      }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const peers = [1, 2, 3, 4, 5, 6].map(peer)
        const { filler, here } = setup({ others: peers, usable: peers.slice(0, 5) })
        const seen = new Set<string>()
        let open: GapRequest | undefined
        let isWaiting = false
        let requests = 0
        const take = (effects: readonly GapEffect[]): void => {
          for (const effect of effects) {
            if (effect.kind === 'wait') {
              expect(isWaiting || open !== undefined).toBe(false)
              isWaiting = true
            }
            if (effect.kind !== 'fetch') continue
            expect(open).toBeUndefined()
            expect(idKey(effect.peer)).not.toBe(idKey(peer(6)))
            open = effect.request
            requests += 1
            for (const one of open.kind === 'ids' ? open.ids : [open.target]) {
              const key = `${idKey(effect.peer)} ${idKey(one)}`
              expect(here.has(idKey(one))).toBe(false)
              expect(seen.has(key)).toBe(false)
              seen.add(key)
            }
          }
          expect(filler.wanted()).toBeLessThanOrEqual(GAP_IDS_MAX)
        }
        const end = (isAnswer: boolean, lacks?: number): void => {
          if (isWaiting) {
            isWaiting = false
            take(filler.due())
            return
          }
          if (open === undefined) return
          open = undefined
          const floats = lacks === undefined ? [] : [floating([id(lacks)], { by: peer(1) })]
          take(isAnswer ? filler.answered({ sender: peer(1), floating: floats }) : filler.failed())
        }
        for (const one of steps) {
          if (one.kind === 'report') {
            take(
              filler.report({
                sender: peer(one.from),
                floating: [floating(one.missing.map(id), { by: peer(one.by) })],
              }),
            )
          } else {
            if (one.brings && open !== undefined) {
              const brought = open.kind === 'ids' ? open.ids : [open.target]
              for (const each of brought) here.add(idKey(each))
              filler.arrived(brought)
            }
            end(one.kind === 'answer', one.brings ? one.lacks : undefined)
          }
        }
        const before = requests
        while (isWaiting || open !== undefined) end(false)
        expect(filler.wanted()).toBe(0)
        expect(requests - before).toBeLessThanOrEqual(GAP_FETCHES_MAX + GAP_SOURCES_MAX)
      }),
      { numRuns: 200 },
    )
  })
})
