import { type IntentionId, type PublicKey, toIntentionId, toPublicKey, toStoreId } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  IHAVE_IDS_MAX,
  MISSING_PER_NEIGHBOR,
  OPTIMIZE_EVERY,
  OPTIMIZE_HOPS,
  PENDING_MESSAGES,
  RECENT_IDS,
  SEEN_IDS,
  SENDS_PER_NEIGHBOR,
  TREE_CACHE_MESSAGES,
} from '../limits.ts'
import type { Announced, BroadcastTree, TreeEffect, TreeEffects, TreeMessage } from './broadcast-tree.ts'
import { createPlumTree, DEFAULT_TREE_DELAYS } from './plumtree.ts'

const STORE = toStoreId(new Uint8Array(32).fill(0x5e))
const [A, B, C, D] = [1, 2, 3, 4].map((number) => toPublicKey(new Uint8Array(32).fill(number))) as [
  PublicKey,
  PublicKey,
  PublicKey,
  PublicKey,
]

function id(number: number): IntentionId {
  const bytes = new Uint8Array(32)
  new DataView(bytes.buffer).setUint32(0, number)
  return toIntentionId(bytes)
}
function gossip(number: number, round = 1): TreeMessage<string> {
  return { kind: 'gossip', store: STORE, id: id(number), round, payload: `payload ${number}` }
}
function ihave(...entries: readonly (readonly [number: number, round: number])[]): TreeMessage<string> {
  const announced = entries.map(([number, round]): Announced => ({ id: id(number), round }))
  return { kind: 'ihave', store: STORE, entries: announced }
}
function graft(...wanted: readonly number[]): TreeMessage<string> {
  return { kind: 'graft', wanted: wanted.length === 0 ? undefined : { store: STORE, ids: wanted.map(id) } }
}
/** Effects in short: `send 1 gossip 7`, `deliver 7`, `arm 7`. */
function short(effects: TreeEffects<string>): string[] {
  return effects.map((effect) => {
    switch (effect.kind) {
      case 'send':
        return `send ${effect.peer[0]} ${shortMessage(effect.message)}`
      case 'arm':
      case 'cancel':
        return `${effect.kind} ${effect.timer.kind === 'announce' ? 'announce' : numberOf(effect.timer.id)}`
      case 'stranger':
        return `stranger ${effect.peer[0]}`
      case 'gave_up':
        return `gave_up ${numberOf(effect.id)} of ${effect.announcers.map(([first]) => first).join()}`
      case 'deliver':
      case 'unserved':
        return `${effect.kind} ${numberOf(effect.id)}`
    }
  })
}
function shortMessage(message: TreeMessage<string>): string {
  switch (message.kind) {
    case 'gossip':
      return `gossip ${numberOf(message.id)} at ${message.round}`
    case 'ihave':
      return `ihave ${message.entries.map((entry) => numberOf(entry.id)).join()}`
    case 'graft':
      return message.wanted === undefined ? 'graft' : `graft ${message.wanted.ids.map(numberOf).join()}`
    case 'prune':
      return 'prune'
  }
}
function numberOf(bytes: IntentionId): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
}

/** With these neighbours, the last `lazy` of them lazy. */
function create(
  neighbors: readonly PublicKey[],
  { lazy = 0, held = [] as readonly number[] } = {},
): BroadcastTree<string> {
  const tree = createPlumTree<string>({
    sizeOf: (payload) => payload.length,
    isHeld: (message) => held.includes(numberOf(message.id)),
  })
  for (const peer of neighbors) tree.neighborUp(peer)
  for (const peer of neighbors.slice(neighbors.length - lazy)) tree.receive(peer, { kind: 'prune' })
  return tree
}
/** A message comes from a peer and is accepted. */
function take(tree: BroadcastTree<string>, from: PublicKey, number: number, round = 1): TreeEffects<string> {
  tree.receive(from, gossip(number, round))
  return tree.accepted(id(number))
}

describe('PlumTree', () => {
  test('sends in full to eager neighbours, and ids to lazy ones a little later', () => {
    const tree = create([A, B, C], { lazy: 1 })
    expect(short(tree.broadcast({ store: STORE, id: id(1), payload: 'payload 1' }))).toEqual([
      'send 1 gossip 1 at 1',
      'send 2 gossip 1 at 1',
      'arm announce',
    ])
    expect(short(tree.broadcast({ store: STORE, id: id(2), payload: 'payload 2' }))).not.toContain('arm announce')
    expect(tree.broadcast({ store: STORE, id: id(2), payload: 'payload 2' })).toEqual([])
    expect(short(tree.timeout({ kind: 'announce' }))).toEqual(['send 3 ihave 1,2'])
    expect(tree.timeout({ kind: 'announce' })).toEqual([])
  })

  test('delivers first, and sends on only what was accepted', () => {
    const tree = create([A, B])
    expect(short(tree.receive(A, gossip(1, 3)))).toEqual(['deliver 1'])
    expect(short(tree.accepted(id(1)))).toEqual(['send 2 gossip 1 at 4'])
    expect(tree.accepted(id(1))).toEqual([])
    tree.receive(A, gossip(2))
    expect(tree.rejected(id(2))).toEqual([])
    expect(tree.accepted(id(2))).toEqual([])
    // Rejected is a copy, not the id: a good one is welcome.
    expect(short(tree.receive(B, gossip(2)))).toEqual(['deliver 2'])
  })

  test('prunes the link by which a second copy comes, once the first is accepted', () => {
    const tree = create([A, B, C])
    tree.receive(A, gossip(1))
    expect(tree.receive(B, gossip(1))).toEqual([])
    expect(short(tree.accepted(id(1)))).toEqual(['send 2 prune', 'send 3 gossip 1 at 2'])
    expect(tree.lazy()).toEqual([B])
    expect(short(tree.receive(C, gossip(1)))).toEqual(['send 3 prune'])
    expect(tree.eager()).toEqual([A])
  })

  test('a copy sent again by the peer it came from is no second link', () => {
    const tree = create([A, B])
    take(tree, A, 1)
    expect(tree.receive(A, gossip(1))).toEqual([])
    expect(tree.eager()).toEqual([A, B])
  })

  test('asks others that have a message when the first copy is rejected', () => {
    const tree = create([A, B, C])
    tree.receive(A, gossip(1))
    tree.receive(B, gossip(1))
    tree.receive(C, ihave([1, 2]))
    expect(short(tree.rejected(id(1)))).toEqual(['send 2 graft 1', 'arm 1'])
    expect(short(tree.timeout({ kind: 'graft', id: id(1) }))).toEqual(['send 3 graft 1', 'arm 1'])
    expect(short(tree.receive(C, gossip(1)))).toEqual(['cancel 1', 'deliver 1'])
  })

  test('an announced message that does not come is asked for, one holder after the other, then given up', () => {
    const tree = create([A, B, C], { lazy: 3 })
    expect(tree.receive(A, ihave([1, 2]))).toEqual([
      { kind: 'arm', timer: { kind: 'graft', id: id(1) }, delayMs: DEFAULT_TREE_DELAYS.graftMs },
    ])
    expect(tree.receive(B, ihave([1, 2]))).toEqual([])
    expect(tree.receive(B, ihave([1, 2]))).toEqual([])
    const timer = { kind: 'graft', id: id(1) } as const
    expect(short(tree.timeout(timer))).toEqual(['send 1 graft 1', 'arm 1'])
    expect(tree.eager()).toEqual([A])
    // Whoever was asked is not asked again.
    expect(tree.receive(A, ihave([1, 2]))).toEqual([])
    expect(short(tree.timeout(timer))).toEqual(['send 2 graft 1', 'arm 1'])
    expect(short(tree.timeout(timer))).toEqual(['gave_up 1 of 1,2'])
    expect(tree.timeout(timer)).toEqual([])
  })

  test('a holder that is gone is not asked', () => {
    const tree = create([A, B], { lazy: 2 })
    tree.receive(A, ihave([1, 2]))
    tree.receive(B, ihave([1, 2]))
    tree.neighborDown(A)
    expect(short(tree.timeout({ kind: 'graft', id: id(1) }))).toEqual(['send 2 graft 1', 'arm 1'])
  })

  test('each holder is asked for a message of the store it named, and a store that lacks it is not shown another', () => {
    const other = toStoreId(new Uint8Array(32).fill(0x07))
    const tree = create([A, B], { lazy: 2 })
    tree.receive(A, { kind: 'ihave', store: other, entries: [{ id: id(1), round: 1 }] })
    tree.receive(B, ihave([1, 1]))
    const timer = { kind: 'graft', id: id(1) } as const
    expect(tree.timeout(timer)).toMatchObject([{ peer: A, message: { wanted: { store: other } } }, {}])
    expect(tree.timeout(timer)).toMatchObject([{ peer: B, message: { wanted: { store: STORE } } }, {}])
    expect(tree.timeout(timer)).toMatchObject([
      { kind: 'gave_up', store: other, announcers: [A] },
      { kind: 'gave_up', store: STORE, announcers: [B] },
    ])
    take(tree, A, 2)
    const wanted = { store: other, ids: [id(2)] }
    expect(tree.receive(B, { kind: 'graft', wanted })).toMatchObject([{ kind: 'unserved', store: other }])
  })

  test('what came on another way is not waited for', () => {
    const tree = create([A], { held: [7] })
    tree.receive(A, ihave([1, 2]))
    expect(short(tree.held({ store: STORE, id: id(1) }))).toEqual(['cancel 1'])
    expect(tree.receive(A, ihave([7, 2]))).toEqual([])
    expect(tree.receive(A, gossip(7))).toEqual([])
    tree.receive(A, ihave([2, 2]))
    expect(short(tree.broadcast({ store: STORE, id: id(2), payload: '' }))).toEqual(['cancel 2'])
  })

  test('a graft makes a neighbour eager and is answered, but no message goes to it over and over', () => {
    const tree = create([A, B], { lazy: 1 })
    take(tree, A, 1)
    expect(short(tree.receive(B, graft(1)))).toEqual(['send 2 gossip 1 at 2'])
    expect(tree.eager()).toEqual([A, B])
    const again = Array.from({ length: 10 }, () => tree.receive(B, graft(1, 1))).flat()
    expect(again).toHaveLength(SENDS_PER_NEIGHBOR - 1)
    // After a new connection what was sent before may be lost.
    tree.neighborDown(B)
    tree.neighborUp(B)
    expect(short(tree.receive(B, graft(1)))).toEqual(['send 2 gossip 1 at 2'])
  })

  test('says which message it cannot give any more', () => {
    const tree = create([A, B])
    for (let number = 0; number <= TREE_CACHE_MESSAGES; number += 1) take(tree, A, number)
    expect(short(tree.receive(B, graft(0, TREE_CACHE_MESSAGES + 1)))).toEqual([
      'unserved 0',
      `unserved ${TREE_CACHE_MESSAGES + 1}`,
    ])
  })

  test('a new neighbour is told the newest ids', () => {
    const tree = create([A])
    for (let number = 0; number < RECENT_IDS + 10; number += 1) take(tree, A, number)
    expect(short(tree.neighborUp(B))).toEqual(['arm announce'])
    const [told] = tree.timeout({ kind: 'announce' })
    expect(told).toMatchObject({ kind: 'send', peer: B, message: { kind: 'ihave' } })
    if (told?.kind !== 'send' || told.message.kind !== 'ihave') return expect.fail('ids are told')
    expect(told.message.entries).toHaveLength(RECENT_IDS)
  })

  test('who is no neighbour may broadcast, but not shape the tree', () => {
    const tree = create([A])
    expect(short(tree.receive(D, gossip(1)))).toEqual(['deliver 1', 'stranger 4'])
    tree.accepted(id(1))
    for (const message of [gossip(1), ihave([2, 1]), graft(1), { kind: 'prune' } as const]) {
      expect(short(tree.receive(D, message))).toEqual(['stranger 4'])
    }
    expect([tree.eager(), tree.lazy()]).toEqual([[A], []])
  })

  describe('a shorter path', () => {
    const far = OPTIMIZE_HOPS + 1

    test('takes the place of the link a message came by, whichever is heard of first', () => {
      for (const isAnnouncedFirst of [true, false]) {
        const tree = create([A, B], { lazy: 1 })
        if (isAnnouncedFirst) tree.receive(B, ihave([1, 1]))
        const effects = [...take(tree, A, 1, far), ...tree.receive(B, ihave([1, 1]))]
        expect(short(effects).filter((text) => text !== 'arm announce')).toEqual(['send 2 graft', 'send 1 prune'])
        expect([tree.eager(), tree.lazy()]).toEqual([[B], [A]])
      }
    })

    test('has to be shorter by enough, and another change has to be a while ago', () => {
      const tree = create([A, B], { lazy: 1 })
      take(tree, A, 1, far)
      expect(tree.receive(B, ihave([1, 2]))).toEqual([])
      expect(tree.receive(B, ihave([1, 1]))).toHaveLength(2)
      // The old link is as much shorter for the next writer: no taking turns.
      const rounds = Array.from({ length: OPTIMIZE_EVERY - 1 }, (_, index) => {
        take(tree, B, 2 + index, far)
        return tree.receive(A, ihave([2 + index, 1]))
      })
      expect(rounds.flat()).toEqual([])
    })

    test('is not believed again of a neighbour that then did not deliver', () => {
      const tree = create([A, B, C], { lazy: 2 })
      take(tree, A, 1, far)
      expect(short(tree.receive(B, ihave([1, 1])))).toContain('send 2 graft')
      tree.receive(C, ihave([2, far]))
      tree.timeout({ kind: 'graft', id: id(2) })
      take(tree, C, 2, far)
      for (let number = 3; number < 3 + OPTIMIZE_EVERY; number += 1) take(tree, C, number, far)
      tree.receive(B, { kind: 'prune' })
      expect(tree.receive(B, ihave([2 + OPTIMIZE_EVERY, 1]))).toEqual([])
    })
  })

  describe('bounds', () => {
    test('messages to be verified: what is over is asked for later', () => {
      const tree = create([A, B])
      for (let number = 0; number < PENDING_MESSAGES; number += 1) {
        expect(short(tree.receive(A, gossip(number)))).toEqual([`deliver ${number}`])
      }
      expect(short(tree.receive(A, gossip(1_000)))).toEqual(['arm 1000'])
      expect(short(tree.receive(D, gossip(1_001)))).toEqual(['gave_up 1001 of 4', 'stranger 4'])
      tree.accepted(id(0))
      expect(short(tree.timeout({ kind: 'graft', id: id(1_000) }))).toEqual(['send 1 graft 1000', 'arm 1000'])
      expect(short(tree.receive(A, gossip(1_000)))).toContain('deliver 1000')
    })

    test('ids waited for: each neighbour has an allowance, and one cannot use up that of another', () => {
      const tree = create([A, B])
      const all = Array.from({ length: MISSING_PER_NEIGHBOR + 5 }, (_, number) => [number, 1] as const)
      const effects = [
        ...tree.receive(A, ihave(...all.slice(0, MISSING_PER_NEIGHBOR))),
        ...tree.receive(A, ihave(...all.slice(MISSING_PER_NEIGHBOR))),
      ]
      expect(effects.filter(({ kind }) => kind === 'arm')).toHaveLength(MISSING_PER_NEIGHBOR)
      // Once for the store, however many there are: to reconcile it brings them all.
      expect(short(effects).filter((effect) => effect.startsWith('gave_up'))).toEqual(['gave_up 256 of 1'])
      expect(short(tree.receive(B, ihave([9_999, 1])))).toEqual(['arm 9999'])
      // What comes or is given up makes room again.
      tree.timeout({ kind: 'graft', id: id(0) })
      expect(short(tree.timeout({ kind: 'graft', id: id(0) }))).toEqual(['gave_up 0 of 1'])
      expect(short(tree.receive(A, ihave([5_000, 1])))).toEqual(['arm 5000'])
    })

    test('ids waited for: a neighbour that goes and comes again has no more of them', () => {
      const tree = create([A, B])
      const armed = (effects: TreeEffects<string>): number => effects.filter(({ kind }) => kind === 'arm').length
      tree.receive(A, ihave([1, 1], [2, 1]))
      tree.receive(B, ihave([1, 1]))
      // What B holds too is waited for from there.
      expect(short(tree.neighborDown(A))).toEqual(['cancel 2', 'gave_up 2 of 1'])
      expect(short(tree.timeout({ kind: 'graft', id: id(1) }))).toEqual(['send 2 graft 1', 'arm 1'])
      let waitedFor = 0
      for (let life = 0; life < 4; life += 1) {
        tree.neighborUp(A)
        const entries = Array.from({ length: 200 }, (_, index) => [1_000 * (life + 1) + index, 1] as const)
        waitedFor += armed(tree.receive(A, ihave(...entries)))
        tree.receive(B, ihave(...entries))
        waitedFor -= tree.neighborDown(A).filter(({ kind }) => kind === 'cancel').length
      }
      expect(waitedFor).toBe(MISSING_PER_NEIGHBOR - 1)
    })

    test('ids of one announcement, and of those that wait', () => {
      const tree = create([A, B], { lazy: 1 })
      const effects = Array.from({ length: IHAVE_IDS_MAX }, (_, number) => take(tree, A, number)).flat()
      const told = effects.filter(({ kind, ...rest }) => kind === 'send' && 'peer' in rest && rest.peer === B)
      expect(told).toHaveLength(1)
      expect(tree.timeout({ kind: 'announce' })).toEqual([])
    })

    test('ids remembered: of forgotten ones the store knows', () => {
      const held: number[] = []
      const tree = create([A, B], { held })
      for (let number = 0; number <= SEEN_IDS; number += 1) take(tree, A, number)
      held.push(0)
      expect(tree.receive(B, gossip(0))).toEqual([])
      expect(short(tree.receive(B, gossip(1)))).toEqual(['send 2 prune'])
    })
  })

  // Model: neighbours by effects of the events alone, and what was sent to whom.
  test('keeps its bounds and forwards what was accepted and nothing else, whatever happens in whatever order', () => {
    const peers = fc.constantFrom(A, B, C, D)
    const ids = fc.nat({ max: 6 })
    const rounds = fc.constantFrom(0, 1, 5, 255, 4_000_000_000)
    const messages = fc.oneof(
      fc.tuple(ids, rounds).map(([number, round]) => gossip(number, round)),
      fc.array(fc.tuple(ids, rounds), { maxLength: 4 }).map((entries) => ihave(...entries)),
      fc.array(ids, { maxLength: 4 }).map((wanted) => graft(...wanted)),
      fc.constant<TreeMessage<string>>({ kind: 'prune' }),
    )
    type Event =
      | readonly ['up' | 'down', PublicKey]
      | readonly ['receive', PublicKey, TreeMessage<string>]
      | readonly ['accepted' | 'rejected' | 'timeout' | 'held' | 'broadcast', number]
    const events: fc.Arbitrary<Event> = fc.oneof(
      fc.tuple(fc.constantFrom('up' as const, 'down' as const), peers),
      { weight: 4, arbitrary: fc.tuple(fc.constant('receive' as const), peers, messages) },
      {
        weight: 3,
        arbitrary: fc.tuple(
          fc.constantFrom(
            'accepted' as const,
            'rejected' as const,
            'timeout' as const,
            'held' as const,
            'broadcast' as const,
          ),
          ids,
        ),
      },
    )
    fc.assert(
      fc.property(fc.array(events, { maxLength: 80 }), (list) => {
        const tree = create([A, B, C])
        const neighbors = new Set<PublicKey>([A, B, C])
        const [delivered, taken] = [new Set<number>(), new Set<number>()]
        const sent = new Map<string, number>()
        const armed = new Set<string>()
        const check = (effect: TreeEffect<string>): void => {
          if (effect.kind === 'send') {
            expect(neighbors.has(effect.peer)).toBe(true)
            if (effect.message.kind !== 'gossip') return
            expect(taken.has(numberOf(effect.message.id))).toBe(true)
            const at = `${effect.peer[0]} ${numberOf(effect.message.id)}`
            sent.set(at, (sent.get(at) ?? 0) + 1)
            expect(sent.get(at)).toBeLessThanOrEqual(SENDS_PER_NEIGHBOR)
          }
          if (effect.kind === 'deliver') {
            expect(delivered.has(numberOf(effect.id)) || taken.has(numberOf(effect.id))).toBe(false)
            delivered.add(numberOf(effect.id))
          }
          if (effect.kind === 'arm') armed.add(JSON.stringify(effect.timer))
          if (effect.kind === 'cancel') expect(armed.delete(JSON.stringify(effect.timer))).toBe(true)
        }
        for (const event of list) {
          apply(event).forEach(check)
          const [eager, lazy] = [tree.eager(), tree.lazy()]
          expect(new Set([...eager, ...lazy])).toEqual(neighbors)
          expect(eager.length + lazy.length).toBe(neighbors.size)
        }
        function apply(event: Event): TreeEffects<string> {
          switch (event[0]) {
            case 'up':
              neighbors.add(event[1])
              return tree.neighborUp(event[1])
            case 'down':
              neighbors.delete(event[1])
              for (const at of sent.keys()) if (at.startsWith(`${event[1][0]} `)) sent.delete(at)
              return tree.neighborDown(event[1])
            case 'receive':
              return tree.receive(event[1], event[2])
            case 'accepted':
              if (delivered.delete(event[1])) taken.add(event[1])
              return tree.accepted(id(event[1]))
            case 'rejected':
              delivered.delete(event[1])
              return tree.rejected(id(event[1]))
            case 'held':
              if (!delivered.has(event[1])) taken.add(event[1])
              return tree.held({ store: STORE, id: id(event[1]) })
            case 'timeout':
              armed.delete(JSON.stringify({ kind: 'graft', id: id(event[1]) }))
              return [...tree.timeout({ kind: 'graft', id: id(event[1]) }), ...tree.timeout({ kind: 'announce' })]
            case 'broadcast':
              taken.add(event[1])
              delivered.delete(event[1])
              return tree.broadcast({ store: STORE, id: id(event[1]), payload: 'own' })
          }
        }
      }),
      { numRuns: 300 },
    )
  })
})
