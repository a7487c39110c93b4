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
  const nowMs = scheduler.clock.monotonicMs
  const table = createLinkTable({
    self,
    scheduler,
    nowMs,
    limits: { ...DEFAULT_LIMITS, ...limits },
    isNeeded: (peer) => known.includes(peer),
    isSharing: (peer) => sharing.includes(peer),
    close: (_, message) => closed.push(message),
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
  return { table, closed, advance: scheduler.advance, link }
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

  test('a full table turns strangers away, and makes room for a known peer at the cost of one', () => {
    const { table, link, closed } = create(small, [large], { connections: 2 })
    for (const fill of [2, 3]) {
      const stranger = toPublicKey(new Uint8Array(32).fill(fill))
      expect(table.admit(stranger, false)).toBe('take')
      table.add(link(stranger, false))
    }
    expect(table.admit(toPublicKey(new Uint8Array(32).fill(4)), false)).toBe('refuse')
    expect(table.admit(large, false)).toBe('take')
    expect(closed).toEqual(['making room'])
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
