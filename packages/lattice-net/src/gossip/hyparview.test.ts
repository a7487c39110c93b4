import { type IdKey, idKey, type PublicKey, toPublicKey } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ACTIVE_VIEW,
  ACTIVE_WALK,
  FORCED_PER_TICK,
  HEARD_TICKS,
  NEIGHBOR_REQUEST_TICKS,
  NEIGHBOR_REQUESTS,
  PASSIVE_VIEW,
  PASSIVE_WALK,
  REFUSAL_REST_TICKS,
  REFUSAL_REST_TICKS_MAX,
  SHUFFLE_SAMPLE_MAX,
  SHUFFLE_TICKS,
  WALKS_PER_TICK,
} from '../limits.ts'
import { createHyParView } from './hyparview.ts'
import type { Membership, MembershipEffects, MembershipMessage } from './membership.ts'

const SELF = 0
const keys = Array.from({ length: 80 }, (_, number) => toPublicKey(new Uint8Array(32).fill(number)))

function key(number: number): PublicKey {
  return keys[number] ?? expect.fail(`there is no peer ${number}`)
}
function numberOf(peer: PublicKey): number {
  return peer[0] ?? -1
}
function numbers(peers: readonly PublicKey[]): number[] {
  return peers.map(numberOf).toSorted((a, b) => a - b)
}
/** Effects in short: `connect 3`, `send 3 neighbor`. */
function short(effects: MembershipEffects): string[] {
  return effects.map((effect) =>
    effect.kind === 'send'
      ? `send ${numberOf(effect.peer)} ${effect.message.kind}`
      : `${effect.kind} ${numberOf(effect.peer)}`,
  )
}

function create(seed = 'view', mixTicks = 1_000): Membership {
  return createHyParView({ self: key(SELF), random: createSeededRandom(seed), mixTicks })
}
/** Knows peers 1 to `candidates`; those up to `neighbors` are neighbours. */
function createKnown(candidates: number, neighbors: number, options: { readonly mixTicks?: number } = {}): Membership {
  const view = create('known', options.mixTicks)
  const firsts = keys.slice(1, neighbors + 1)
  view.candidates(firsts)
  for (const peer of firsts) {
    view.up(peer)
    view.receive(peer, { kind: 'neighbor', priority: 'high' })
  }
  view.candidates(keys.slice(1, candidates + 1))
  expect(numbers(view.active())).toEqual(firsts.map(numberOf))
  return view
}
/** Whom the view asks to become neighbours now, after a tick. */
function connects(effects: MembershipEffects): PublicKey[] {
  return effects.flatMap((effect) => (effect.kind === 'connect' ? [effect.peer] : []))
}

const peerNumbers = fc.nat({ max: keys.length - 1 })
const peers = peerNumbers.map(key)
const messages: fc.Arbitrary<MembershipMessage> = fc.oneof(
  fc.constant<MembershipMessage>({ kind: 'join' }),
  fc.constant<MembershipMessage>({ kind: 'disconnect' }),
  fc.boolean().map((accepted): MembershipMessage => ({ kind: 'neighbor_reply', accepted })),
  fc
    .constantFrom('high' as const, 'low' as const)
    .map((priority): MembershipMessage => ({ kind: 'neighbor', priority })),
  fc.record({ kind: fc.constant('forward_join' as const), peer: peers, ttl: fc.nat() }),
  fc.record({
    kind: fc.constant('shuffle' as const),
    origin: peers,
    ttl: fc.nat(),
    sample: fc.array(peers, { maxLength: 60 }),
  }),
  fc.record({ kind: fc.constant('shuffle_reply' as const), origin: peers, sample: fc.array(peers, { maxLength: 60 }) }),
)
type Event = (view: Membership) => MembershipEffects
const events: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(peers, messages).map(
      ([peer, message]): Event =>
        (view) =>
          view.receive(peer, message),
    ),
  },
  {
    weight: 3,
    arbitrary: peers.map(
      (peer): Event =>
        (view) =>
          view.up(peer),
    ),
  },
  {
    weight: 1,
    arbitrary: peers.map(
      (peer): Event =>
        (view) =>
          view.down(peer),
    ),
  },
  {
    weight: 1,
    arbitrary: peers.map(
      (peer): Event =>
        (view) =>
          view.failed(peer),
    ),
  },
  {
    weight: 1,
    arbitrary: peers.map(
      (peer): Event =>
        (view) =>
          view.stranger(peer),
    ),
  },
  { weight: 2, arbitrary: fc.constant<Event>((view) => view.tick()) },
  { weight: 1, arbitrary: fc.constant<Event>((view) => view.rejoin()) },
  {
    weight: 1,
    arbitrary: fc.subarray(keys).map(
      (known): Event =>
        (view) =>
          view.candidates(known),
    ),
  },
)

describe('HyParView', () => {
  // Model: the neighbours told by effects, and the connections asked for and neither got nor given up.
  test('keeps its bounds and says what it does, whatever happens in whatever order', () => {
    fc.assert(
      fc.property(fc.array(events, { maxLength: 120 }), fc.string(), (list, seed) => {
        const view = create(seed, 2)
        const told = new Set<IdKey>()
        const needed = new Set<IdKey>()
        const follow = (effects: MembershipEffects): void => {
          for (const { kind, peer } of effects) {
            const at = idKey(peer)
            if (kind === 'connect') expect(needed.has(at)).toBe(false)
            if (kind === 'neighbor_up') expect(told.has(at)).toBe(false)
            if (kind === 'connect' || kind === 'neighbor_up') needed.add(at)
            if (kind === 'neighbor_up') told.add(at)
            if (kind === 'neighbor_down') expect(told.delete(at)).toBe(true)
            if (kind === 'release') expect(told.has(at)).toBe(false)
            if (kind === 'release') needed.delete(at)
          }
          expect(needed.size).toBeLessThanOrEqual(ACTIVE_VIEW + NEIGHBOR_REQUESTS)
        }
        for (const event of [(known: Membership) => known.candidates(keys.slice(0, 60)), ...list]) {
          follow(event(view))
          const [active, passive] = [view.active(), view.passive()]
          expect(numbers(active)).toEqual(numbers(keys.filter((peer) => told.has(idKey(peer)))))
          expect(active.length).toBeLessThanOrEqual(ACTIVE_VIEW)
          expect(passive.length).toBeLessThanOrEqual(PASSIVE_VIEW)
          const all = [...active, ...passive].map(numberOf)
          expect(all).not.toContain(SELF)
          expect(new Set(all).size).toBe(all.length)
        }
        follow(view.leave())
        expect([...told, ...needed]).toEqual([])
        expect([view.active(), view.passive(), view.tick(), view.rejoin()]).toEqual([[], [], [], []])
      }),
      { numRuns: 150 },
    )
  })

  test('does the same with the same seed', () => {
    fc.assert(
      fc.property(fc.array(events, { maxLength: 60 }), fc.string(), (list, seed) => {
        const run = (): MembershipEffects[] => {
          const view = create(seed, 3)
          view.candidates(keys)
          return list.map((event) => event(view))
        }
        expect(run()).toEqual(run())
      }),
      { numRuns: 50 },
    )
  })

  test('takes in nobody but candidates, whoever names them', () => {
    const view = createKnown(10, 5)
    const [stranger, neighbor] = [key(70), key(1)]
    expect(view.receive(stranger, { kind: 'join' })).toEqual([])
    expect(view.receive(stranger, { kind: 'neighbor', priority: 'high' })).toEqual([])
    view.receive(neighbor, { kind: 'shuffle', origin: neighbor, ttl: 0, sample: [stranger, key(SELF)] })
    expect(view.receive(neighbor, { kind: 'forward_join', peer: stranger, ttl: 0 })).toEqual([])
    expect(numbers(view.passive())).toEqual([6, 7, 8, 9, 10])
  })

  test('lets go of whoever is no candidate any more', () => {
    const view = createKnown(10, 5)
    expect(short(view.candidates([key(2), key(3), key(9)]))).toEqual([
      'neighbor_down 1',
      'send 1 disconnect',
      'release 1',
      'neighbor_down 4',
      'send 4 disconnect',
      'release 4',
      'neighbor_down 5',
      'send 5 disconnect',
      'release 5',
      'connect 9',
    ])
    expect([numbers(view.active()), numbers(view.passive())]).toEqual([[2, 3], [9]])
  })

  test('joins by one contact, and asks others only once it is in', () => {
    const view = create()
    const [contact, ...others] = connects(view.candidates(keys.slice(1, 4)))
    expect(others).toEqual([])
    if (contact === undefined) return expect.fail('somebody is asked')
    expect(short(view.up(contact))).toEqual([`send ${numberOf(contact)} join`])
    const effects = view.receive(contact, { kind: 'neighbor_reply', accepted: true })
    expect(effects[0]).toEqual({ kind: 'neighbor_up', peer: contact })
    expect(connects(effects)).toHaveLength(2)
  })

  test('tries the next when a contact cannot be reached, each once until the next tick', () => {
    const view = create()
    const tried = new Set<PublicKey>()
    for (let [peer] = connects(view.candidates(keys.slice(1, 8))); peer !== undefined;) {
      expect(tried.has(peer)).toBe(false)
      tried.add(peer)
      ;[peer] = connects(view.failed(peer))
    }
    expect(tried.size).toBe(7)
    expect(view.passive()).toEqual([])
    // With nobody left it begins again with what is known from data.
    expect(connects(view.tick())).toHaveLength(1)
  })

  test('a newcomer is taken in by a full node, and sent on a walk from each of the others', () => {
    const view = createKnown(20, 5)
    const effects = view.receive(key(9), { kind: 'join' })
    expect(numbers(view.active())).toContain(9)
    expect(view.active()).toHaveLength(ACTIVE_VIEW)
    expect(short(effects).filter((text) => text.endsWith('disconnect'))).toHaveLength(1)
    const walks = effects.filter((effect) => effect.kind === 'send' && effect.message.kind === 'forward_join')
    expect(walks).toHaveLength(4)
    for (const walk of walks) expect(walk).toMatchObject({ message: { peer: key(9), ttl: ACTIVE_WALK } })
    // Joining again starts no walks.
    expect(short(view.receive(key(9), { kind: 'join' }))).toEqual(['send 9 neighbor_reply'])
  })

  test('a walk goes on to others than it came from, is noted half-way, and ends in a request', () => {
    const view = createKnown(40, 3)
    const forward = (ttl: number): MembershipEffects =>
      view.receive(key(1), { kind: 'forward_join', peer: key(2), ttl })
    for (const ttl of [ACTIVE_WALK, 1_000_000]) {
      expect(forward(ttl)).toMatchObject([{ kind: 'send', peer: key(3), message: { ttl: ACTIVE_WALK - 1 } }])
    }
    const end = view.receive(key(1), { kind: 'forward_join', peer: key(39), ttl: 0 })
    expect(connects(end)).toEqual([key(39)])
    expect(view.up(key(39))).toMatchObject([{ message: { kind: 'neighbor', priority: 'low' } }])
    expect(view.receive(key(1), { kind: 'forward_join', peer: key(SELF), ttl: 3 })).toEqual([])
  })

  test('notes a newcomer half-way on its walk', () => {
    const view = createKnown(6, 5)
    // Nobody is left as a replacement.
    view.down(key(1))
    view.failed(key(6))
    view.receive(key(1), { kind: 'neighbor', priority: 'low' })
    expect(view.passive()).toEqual([])
    const walk = (ttl: number): MembershipEffects => view.receive(key(1), { kind: 'forward_join', peer: key(6), ttl })
    expect(walk(PASSIVE_WALK + 1)).toHaveLength(1)
    expect(view.passive()).toEqual([])
    expect(walk(PASSIVE_WALK)).toMatchObject([{ message: { ttl: PASSIVE_WALK - 1 } }])
    expect(numbers(view.passive())).toEqual([6])
  })

  test('a full node refuses low priority, and makes room for high', () => {
    const view = createKnown(20, 5)
    const refused = view.receive(key(9), { kind: 'neighbor', priority: 'low' })
    expect(refused).toMatchObject([{ message: { accepted: false } }, { kind: 'release' }])
    expect(numbers(view.passive())).toContain(9)
    view.receive(key(9), { kind: 'neighbor', priority: 'high' })
    expect(numbers(view.active())).toContain(9)
    expect(view.active()).toHaveLength(ACTIVE_VIEW)
    expect(numbers(view.passive())).not.toContain(9)
  })

  test('whoever insists again and again cannot empty a full view', () => {
    const view = createKnown(70, 5)
    const insist = (number: number): string[] =>
      short(view.receive(key(number), { kind: 'neighbor', priority: 'high' }))
    for (let number = 10; number < 10 + FORCED_PER_TICK; number += 1)
      expect(insist(number)).toContain(`neighbor_up ${number}`)
    expect(insist(60)).toEqual(['send 60 neighbor_reply', 'release 60'])
    expect(short(view.receive(key(61), { kind: 'join' }))).toEqual(['send 61 neighbor_reply', 'release 61'])
    view.tick()
    expect(insist(60)).toContain('neighbor_up 60')
  })

  test('neighbours that are spare make room first', () => {
    const view = createHyParView({
      self: key(SELF),
      random: createSeededRandom('spare'),
      isSpare: (peer) => numberOf(peer) === 3,
    })
    view.candidates(keys.slice(1, 20))
    for (const number of [1, 2, 3, 4, 5, 6]) view.receive(key(number), { kind: 'neighbor', priority: 'high' })
    expect(numbers(view.active())).toEqual([1, 2, 4, 5, 6])
  })

  test('replaces a neighbour that is lost, and in a full overlay asks nobody round in vain', () => {
    const view = createKnown(30, 5)
    const lost = view.down(key(1))
    expect(short(lost).slice(0, 2)).toEqual(['neighbor_down 1', 'release 1'])
    const [first, ...none] = connects(lost)
    expect(none).toEqual([])
    if (first === undefined) return expect.fail('a replacement is asked')
    expect(view.up(first)).toMatchObject([{ message: { kind: 'neighbor', priority: 'low' } }])
    const refused = view.receive(first, { kind: 'neighbor_reply', accepted: false })
    expect(short(refused)).toEqual([`release ${numberOf(first)}`])
    expect(connects(view.tick())).toHaveLength(1)
  })

  test('leaves a peer alone that refuses, longer with each time, until views change or it asks itself', () => {
    const view = createKnown(ACTIVE_VIEW, ACTIVE_VIEW - 1)
    const full = key(ACTIVE_VIEW)
    /** Ticks until the peer is asked again. */
    const ticksUntilAsked = (): number => {
      for (let ticks = 1; ticks <= 2 * REFUSAL_REST_TICKS_MAX; ticks += 1) {
        if (connects(view.tick()).length > 0) return ticks
      }
      return Number.POSITIVE_INFINITY
    }
    const refuse = (): void => {
      view.up(full)
      view.receive(full, { kind: 'neighbor_reply', accepted: false })
    }
    const rests: number[] = []
    for (let refusal = 0; refusal < 8; refusal += 1) {
      refuse()
      rests.push(ticksUntilAsked())
    }
    expect(rests.slice(0, 3)).toEqual([REFUSAL_REST_TICKS, 2 * REFUSAL_REST_TICKS, 4 * REFUSAL_REST_TICKS])
    expect(rests.at(-1)).toBe(REFUSAL_REST_TICKS_MAX)
    refuse()
    view.down(key(1))
    expect(ticksUntilAsked()).toBe(1)
    refuse()
    view.receive(full, { kind: 'neighbor', priority: 'low' })
    expect(numbers(view.active())).toContain(ACTIVE_VIEW)
  })

  test('asks again with each tick while it is alone', () => {
    const view = createKnown(1, 0)
    for (let round = 0; round < 5; round += 1) {
      expect(numbers(connects(view.tick()))).toEqual(round === 0 ? [] : [1])
      view.up(key(1))
      view.receive(key(1), { kind: 'neighbor_reply', accepted: false })
    }
  })

  test('swaps nobody for a peer whose shuffle came by of late', () => {
    const view = createKnown(ACTIVE_VIEW + 1, ACTIVE_VIEW, { mixTicks: 1 })
    const hear = (): MembershipEffects =>
      view.receive(key(1), { kind: 'shuffle', origin: key(ACTIVE_VIEW + 1), ttl: 0, sample: [] })
    hear()
    for (let tick = 1; tick < HEARD_TICKS; tick += 1) expect(connects(view.tick())).toEqual([])
    const later = Array.from({ length: 20 }, () => connects(view.tick())).flat()
    expect(numbers(later)).toContain(ACTIVE_VIEW + 1)
  })

  test('gives up a request that is never answered, and declines the answer that comes after all', () => {
    const view = createKnown(6, 5)
    const [asked] = connects(view.down(key(1)))
    expect(asked).toEqual(key(6))
    view.up(key(6))
    for (let tick = 1; tick < NEIGHBOR_REQUEST_TICKS; tick += 1) expect(short(view.tick())).not.toContain('release 6')
    expect(short(view.tick())).toContain('release 6')
    // Nobody answers the dials that follow either.
    for (const peer of [1, 6, 1, 6]) view.failed(key(peer))
    const late = view.receive(key(6), { kind: 'neighbor_reply', accepted: true })
    expect(short(late)).toEqual(['send 6 disconnect', 'release 6'])
  })

  test('an acceptance without room is declined, unless the asked one was offered a place', () => {
    const view = createKnown(30, 5)
    const [asked] = connects(view.down(key(1)))
    if (asked === undefined) return expect.fail('a replacement is asked')
    view.up(asked)
    const other = numberOf(asked) === 9 ? 10 : 9
    view.receive(key(other), { kind: 'neighbor', priority: 'low' })
    expect(short(view.receive(asked, { kind: 'neighbor_reply', accepted: true }))).toEqual([
      `send ${numberOf(asked)} disconnect`,
      `release ${numberOf(asked)}`,
    ])
    view.receive(key(2), { kind: 'forward_join', peer: key(20), ttl: 0 })
    view.up(key(20))
    view.receive(key(20), { kind: 'neighbor_reply', accepted: true })
    expect(numbers(view.active())).toContain(20)
  })

  test('whoever wrongly takes itself for a neighbour is told', () => {
    const view = createKnown(20, 5)
    const wrong: MembershipMessage[] = [
      { kind: 'shuffle', origin: key(9), ttl: 2, sample: [] },
      { kind: 'forward_join', peer: key(10), ttl: 2 },
      { kind: 'shuffle_reply', origin: key(SELF), sample: [] },
    ]
    for (const message of wrong) expect(short(view.receive(key(9), message))).toEqual(['send 9 disconnect'])
    expect(short(view.stranger(key(9)))).toEqual(['send 9 disconnect'])
    expect(view.stranger(key(1))).toEqual([])
    // No refusal answers another.
    expect(view.receive(key(9), { kind: 'disconnect' })).toEqual([])
  })

  test('a neighbour whose connection was replaced is reminded', () => {
    const view = createKnown(20, 5)
    expect(view.up(key(1))).toMatchObject([{ message: { kind: 'neighbor', priority: 'high' } }])
    expect(view.up(key(9))).toEqual([])
  })

  test('walks beyond the budget of a tick are dropped', () => {
    const view = createKnown(20, 5)
    const walk: MembershipMessage = { kind: 'shuffle', origin: key(9), ttl: 3, sample: [key(9)] }
    for (let count = 0; count < WALKS_PER_TICK; count += 1) expect(view.receive(key(1), walk)).toHaveLength(1)
    expect(view.receive(key(1), walk)).toEqual([])
    view.tick()
    expect(view.receive(key(1), walk)).toHaveLength(1)
  })

  test('requests are bounded, whatever walks end here', () => {
    const view = createKnown(70, 5)
    let asked = 0
    for (let number = 6; number < 70; number += 1) {
      asked += connects(view.receive(key(1), { kind: 'forward_join', peer: key(number), ttl: 0 })).length
    }
    expect(asked).toBe(NEIGHBOR_REQUESTS)
  })

  test('a shuffle swaps replacements, and its answer finds the way back', () => {
    const [origin, between] = [createKnown(70, 5), createKnown(70, 5)]
    const shuffle = Array.from({ length: SHUFFLE_TICKS }, () => origin.tick())
      .flat()
      .flatMap((effect) => (effect.kind === 'send' && effect.message.kind === 'shuffle' ? [effect.message] : []))
    expect(shuffle).toHaveLength(1)
    expect(shuffle[0]?.sample).toHaveLength(SHUFFLE_SAMPLE_MAX)
    expect(shuffle[0]?.origin).toEqual(key(SELF))
    // It passes another node on its way there and back.
    const walk: MembershipMessage = { kind: 'shuffle', origin: key(50), ttl: 2, sample: [key(50), key(51)] }
    expect(between.receive(key(2), walk)).toHaveLength(1)
    const answer: MembershipMessage = { kind: 'shuffle_reply', origin: key(50), sample: [key(60)] }
    expect(between.receive(key(4), answer)).toEqual([{ kind: 'send', peer: key(2), message: answer }])
    expect(between.receive(key(4), answer)).toEqual([])
    // At its end it is answered with as many, and taken in.
    const end = between.receive(key(3), { ...walk, ttl: 0 })
    expect(end).toMatchObject([{ peer: key(3), message: { kind: 'shuffle_reply', origin: key(50) } }])
    expect(numbers(between.passive())).toEqual(expect.arrayContaining([50, 51]))
    expect(between.passive()).toHaveLength(PASSIVE_VIEW)
    // Nobody but a shuffle that is out is answered.
    origin.receive(key(1), { kind: 'shuffle_reply', origin: key(SELF), sample: [key(69)] })
    const before = numbers(origin.passive())
    origin.receive(key(1), { kind: 'shuffle_reply', origin: key(SELF), sample: [key(68), key(67), key(66), key(65)] })
    expect(numbers(origin.passive())).toEqual(before)
  })

  test('a full node swaps a neighbour now and then, so that the halves of a partition meet again', () => {
    const view = createKnown(20, 5, { mixTicks: 1 })
    // As often as its share of the swaps of a topic of 20.
    const asked = Array.from({ length: 40 }, () => {
      const [peer] = connects(view.tick())
      if (peer !== undefined) view.failed(peer)
      return peer
    }).filter((peer) => peer !== undefined)
    expect(asked.length).toBeGreaterThan(2)
    expect(asked.length).toBeLessThan(20)
  })
})
