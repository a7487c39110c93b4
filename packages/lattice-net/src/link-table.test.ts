import { createAbortController, idKey, type PublicKey, toPublicKey } from '@lattice/model'
import { createManualScheduler } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import { createLinkTable, type LinkTable } from './link-table.ts'
import { DEFAULT_LIMITS, type NetworkLimits } from './limits.ts'
import type { PeerLink } from './peer-link.ts'

const small = toPublicKey(new Uint8Array(32).fill(1))
const large = toPublicKey(new Uint8Array(32).fill(9))

interface World {
  readonly table: LinkTable
  readonly closed: string[]
  readonly shownOut: PeerLink[]
  readonly advance: (ms: number) => void
  readonly link: (peer: PublicKey, outgoing: boolean, activeMs?: () => number) => PeerLink
}

function create(
  self: PublicKey,
  known: readonly PublicKey[],
  { sharing = [], ...limits }: Partial<NetworkLimits> & { readonly sharing?: readonly PublicKey[] } = {},
): World {
  const scheduler = createManualScheduler()
  const closed: string[] = []
  const shownOut: PeerLink[] = []
  const nowMs = scheduler.clock.monotonicMs
  const table = createLinkTable({
    self,
    scheduler,
    nowMs,
    limits: { ...DEFAULT_LIMITS, ...limits },
    isNeeded: (peer) => known.includes(peer),
    isSharing: (peer) => sharing.includes(peer),
    close: (link, message) => {
      shownOut.push(link)
      closed.push(message)
    },
  })
  const link = (peer: PublicKey, outgoing: boolean, activeMs = beginning(nowMs)): PeerLink => ({
    peer,
    key: idKey(peer),
    outgoing,
    sinceMs: nowMs(),
    heardMs: nowMs,
    signal: createAbortController().signal,
    runUntilMoved: async () => ({ kind: 'moved' }),
    run: () => Promise.reject(new Error('not run here')),
    runMovable: () => Promise.reject(new Error('not run here')),
    path: () => undefined,
    onImproved: () => () => undefined,
    spawn: () => undefined,
    active: () => false,
    activeMs,
    close: async () => undefined,
  })
  return { table, closed, shownOut, advance: scheduler.advance, link }
}

/** Nothing ever ran on it. */
function beginning(nowMs: () => number): () => number {
  const atMs = nowMs()
  return () => atMs
}

describe('the table of connections', () => {
  test.each([
    ['small', true],
    ['small', false],
    ['large', true],
    ['large', false],
  ])('of two that cross, the one dialled by the smaller key stays (at %s, outgoing first: %s)', (at, outgoing) => {
    const [self, peer] = at === 'small' ? [small, large] : [large, small]
    const { table, link, closed } = create(self, [peer])
    table.add(link(peer, outgoing))
    const isFirstKept = outgoing === (at === 'small')
    expect(table.admit(peer, !outgoing)).toBe(isFirstKept ? 'wait' : 'take')
    if (isFirstKept) return
    const second = link(peer, !outgoing)
    table.add(second)
    expect(table.get(peer)).toBe(second)
    expect(closed).toEqual(['replaced by a newer connection'])
  })

  test('a peer that dials again later has lost the old connection: the new one takes its place', () => {
    const { table, link, advance } = create(small, [large])
    table.add(link(large, true))
    expect(table.admit(large, false)).toBe('wait')
    advance(DEFAULT_LIMITS.simultaneousDialMs)
    expect(table.admit(large, false)).toBe('take')
  })

  test('the end of a replaced connection is not the end of the peer', () => {
    const { table, link } = create(small, [large])
    const [first, second] = [link(large, false), link(large, true)]
    table.add(first)
    table.add(second)
    expect(table.remove(first)).toBe(false)
    expect(table.remove(second)).toBe(true)
  })

  describe('that is full', () => {
    const keyOf = (fill: number): PublicKey => toPublicKey(new Uint8Array(32).fill(fill))
    const [needed, sharing, stranger] = [large, keyOf(5), keyOf(6)]

    /** A full table of these, in this order; each is as long idle as it is there. */
    function full(own: readonly PublicKey[]): World & { readonly gone: () => readonly number[] } {
      const peers = own.map((_, index) => keyOf(20 + index))
      const of = (kind: PublicKey): readonly PublicKey[] => [kind, ...peers.filter((_, index) => own[index] === kind)]
      const world = create(small, of(needed), { sharing: of(sharing), connections: own.length })
      for (const peer of peers) {
        expect(world.table.admit(peer, false)).toBe('take')
        world.table.add(world.link(peer, false))
        world.advance(1)
      }
      return { ...world, gone: () => world.shownOut.map(({ peer }) => (peer[0] ?? 0) - 20) }
    }

    test.each([
      ['a needed peer', needed, [sharing, stranger, stranger], [1]],
      ['a needed peer', needed, [needed, sharing, sharing], [1]],
      ['a needed peer', needed, [needed, needed], undefined],
      ['a peer that shares a store', sharing, [needed, sharing, stranger, stranger], [2]],
      ['a peer that shares a store', sharing, [needed, sharing], undefined],
      ['a stranger', stranger, [sharing, stranger, stranger], [1]],
      ['a stranger', stranger, [needed, sharing], undefined],
    ])('%s (%#) takes the place of who counts less and is idle longest', (_, newcomer, there, gone) => {
      const world = full(there)
      expect(world.table.admit(newcomer, false)).toBe(gone === undefined ? 'refuse' : 'take')
      expect(world.gone()).toEqual(gone ?? [])
      expect(world.closed).toEqual((gone ?? []).map(() => 'making room'))
    })

    test('whoever this node dialled is no stranger to it', () => {
      const world = full([stranger, stranger])
      expect(world.table.admit(stranger, true)).toBe('take')
      world.table.remove(world.shownOut[0] ?? world.link(stranger, true))
      world.table.add(world.link(stranger, true))
      for (const fill of [90, 91]) {
        expect(world.table.admit(keyOf(fill), false)).toBe('take')
        world.table.add(world.link(keyOf(fill), false))
      }
      expect(world.gone()).toEqual([0, 1, 70])
    })

    test('a stranger at work outlasts an idle one that came later, and each makes room once', () => {
      const { table, link, advance, shownOut } = create(small, [], { connections: 2 })
      const [busy, idle] = [link(keyOf(20), false, () => Number.MAX_SAFE_INTEGER), link(keyOf(21), false)]
      for (const each of [busy, idle]) table.add(each)
      advance(1)
      expect(table.admit(stranger, false)).toBe('take')
      expect(shownOut).toEqual([idle])
      table.add(link(stranger, false))
      // The first is not closed yet, and has its place no more.
      expect(table.admit(keyOf(21), false)).toBe('take')
      expect(shownOut.map(({ peer }) => peer)).toEqual([keyOf(21), stranger])
    })
  })

  test('an idle stranger is shown out, a known peer is not', () => {
    const { table, link, closed, advance } = create(small, [large])
    table.add(link(large, false))
    table.add(link(toPublicKey(new Uint8Array(32).fill(4)), false))
    advance(DEFAULT_LIMITS.strangerIdleMs)
    expect(closed).toEqual(['idle'])
  })

  test('a sharing peer that dialled is left to let go itself, for long', () => {
    const { table, closed, advance, link } = create(small, [], { sharing: [large] })
    table.add(link(large, false))
    advance(DEFAULT_LIMITS.incomingIdleMs - 1)
    expect(closed).toEqual([])
    advance(DEFAULT_LIMITS.releaseMs)
    expect(closed).toEqual(['idle'])
  })

  test('a peer that shares a store and that nobody needs any more is let go sooner than a stranger', () => {
    const needed = [large]
    const { table, closed, advance, link } = create(small, needed, { sharing: [large] })
    table.add(link(large, true))
    advance(10 * DEFAULT_LIMITS.strangerIdleMs)
    expect(closed).toEqual([])
    needed.pop()
    advance(2 * DEFAULT_LIMITS.releaseMs)
    expect(closed).toEqual(['idle'])
  })

  test('a connection on which one thing runs after another is kept, also when it is looked at between two', () => {
    const { table, link, closed, advance } = create(small, [], { sharing: [large] })
    let lastMs = 0
    table.add(link(large, true, () => lastMs))
    const stepMs = DEFAULT_LIMITS.releaseMs / 10
    for (let atMs = 0; atMs < 10 * DEFAULT_LIMITS.releaseMs; atMs += stepMs) {
      // A request ended just before each look.
      lastMs = atMs + stepMs - 1
      advance(stepMs)
    }
    expect(closed).toEqual([])
    advance(2 * DEFAULT_LIMITS.releaseMs)
    expect(closed).toEqual(['idle'])
  })
})
