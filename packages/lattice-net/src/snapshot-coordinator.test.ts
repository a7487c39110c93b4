import { equalBytes, type IntentionId, type PublicKey, toHash, toIntentionId, toPublicKey } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { describe, expect, test } from 'vitest'
import { BOOTSTRAP_PEERS } from './limits.ts'
import {
  createSnapshotCoordinator,
  type SnapshotCoordinator,
  type SnapshotCoordinatorOptions,
} from './snapshot-coordinator.ts'
import type { SnapshotEffect } from './snapshot-effect.ts'

const peers: readonly PublicKey[] = Array.from({ length: BOOTSTRAP_PEERS + 1 }, (_, index) =>
  toPublicKey(new Uint8Array(32).fill(index + 1)),
)
const [earlier, epoch, later] = [0xdd, 0xee, 0xff].map((byte) => toIntentionId(new Uint8Array(32).fill(byte))) as [
  IntentionId,
  IntentionId,
  IntentionId,
]
const snapshot = { epoch, root: toHash(new Uint8Array(32).fill(0xaa)), rows: 1 }

const limits = { bootstrapOverdueMs: 3_000 }

async function coordinatorOf(
  from = peers,
  { above, orSame = false, orWhole = false, nowMs = () => 0 }: Partial<SnapshotCoordinatorOptions> = {},
): Promise<SnapshotCoordinator> {
  const crypto = await openCrypto({ backend: 'wasm' })
  return createSnapshotCoordinator({ crypto, peers: from, above, orSame, orWhole, position: undefined, nowMs, limits })
}

/** It is there, and serves the state. */
function serve(coordinator: SnapshotCoordinator, peer: PublicKey): readonly SnapshotEffect[] {
  const offer = { base: { epoch, seq: 1n }, snapshot }
  return [...coordinator.connected(peer), ...coordinator.answered(peer, { kind: 'base', offer })]
}

function askedForItems(effects: readonly SnapshotEffect[]): readonly PublicKey[] {
  return effects.flatMap((effect) => (effect.kind === 'ask' && effect.request.kind === 'items' ? [effect.peer] : []))
}

describe('a fetch from many', () => {
  test('takes the foundation from another where who gave it was lost and others are in its place', async () => {
    const coordinator = await coordinatorOf()
    coordinator.start()
    const [first, ...others] = peers
    if (first === undefined) expect.unreachable()
    const begun = peers.slice(0, BOOTSTRAP_PEERS).flatMap((peer) => serve(coordinator, peer))
    expect(askedForItems(begun)).toEqual([first])
    coordinator.worked(undefined)
    // The next of the list takes the place, and there is none to come back to.
    const [last] = peers.slice(-1)
    if (last === undefined) expect.unreachable()
    const after = [...coordinator.lost(first), ...serve(coordinator, last), ...coordinator.worked(undefined)]
    const [server] = askedForItems(after)
    expect(others.some((peer) => server !== undefined && equalBytes(peer, server))).toBe(true)
  })

  test('goes on after what is being taken in, where who gave it comes back meanwhile', async () => {
    const [first] = peers
    if (first === undefined) expect.unreachable()
    const coordinator = await coordinatorOf([first])
    coordinator.start()
    serve(coordinator, first)
    coordinator.worked(undefined)
    const items = [Uint8Array.of(1), Uint8Array.of(2)]
    coordinator.answered(first, { kind: 'items', items, after: 0, total: 3 })
    coordinator.lost(first)
    const asked = serve(coordinator, first).flatMap((effect) => (effect.kind === 'ask' ? [effect.request] : []))
    expect(asked).toContainEqual({ kind: 'items', base: epoch, after: items.length })
  })
})

describe('a silent peer', () => {
  const nothing = { kind: 'base', offer: { base: undefined, snapshot: undefined } } as const
  const [silent, other] = peers
  if (silent === undefined || other === undefined) expect.unreachable()

  function basesAsked(effects: readonly SnapshotEffect[]): readonly PublicKey[] {
    return effects.flatMap((effect) => (effect.kind === 'ask' && effect.request.kind === 'base' ? [effect.peer] : []))
  }

  test('is waited for as long as an answer takes, and then another is taken', async () => {
    let now = 0
    const coordinator = await coordinatorOf([silent, other], { nowMs: () => now })
    coordinator.start()
    coordinator.connected(silent)
    expect(askedForItems(serve(coordinator, other))).toEqual([])
    now = limits.bootstrapOverdueMs - 1
    expect(askedForItems(coordinator.tick())).toEqual([])
    now = limits.bootstrapOverdueMs
    expect(askedForItems(coordinator.tick())).toEqual([other])
  })

  test('does not end the fetch, nor hide who comes to serve the state meanwhile', async () => {
    let now = 0
    const coordinator = await coordinatorOf([silent, other], { above: { epoch: later, seq: 0n }, nowMs: () => now })
    coordinator.start()
    coordinator.connected(silent)
    coordinator.connected(other)
    expect(basesAsked(coordinator.answered(other, nothing))).toEqual([])
    now = limits.bootstrapOverdueMs
    expect(coordinator.tick()).toEqual([
      { kind: 'ask', peer: other, request: { kind: 'base' } },
      { kind: 'wake', afterMs: limits.bootstrapOverdueMs / 2 },
    ])
    // Not twice at once.
    expect(basesAsked(coordinator.tick())).toEqual([])
    const offer = { base: { epoch, seq: 1n }, snapshot }
    expect(askedForItems(coordinator.answered(other, { kind: 'base', offer }))).toEqual([other])
  })

  test('that is lost leaves it to those who answered', async () => {
    const coordinator = await coordinatorOf([silent, other])
    coordinator.start()
    coordinator.connected(silent)
    coordinator.connected(other)
    coordinator.answered(other, nothing)
    coordinator.tick()
    expect(coordinator.gone(silent)).toContainEqual({ kind: 'unpruned' })
  })
})

describe('a foundation that cannot be judged yet', () => {
  test("is nobody's fault: others are asked, and in the end it is to be tried again", async () => {
    const [first, second, nobody] = peers
    if (first === undefined || second === undefined || nobody === undefined) expect.unreachable()
    const coordinator = await coordinatorOf([first, second, nobody])
    coordinator.start()
    coordinator.connected(first)
    coordinator.connected(second)
    coordinator.connected(nobody)
    const offer = { base: { epoch, seq: 1n }, snapshot }
    const whole = { base: undefined, snapshot: undefined }
    coordinator.answered(nobody, { kind: 'base', offer: whole })
    coordinator.answered(first, { kind: 'base', offer })
    coordinator.answered(second, { kind: 'base', offer })
    const told: SnapshotEffect[] = []
    for (const server of [first, second]) {
      coordinator.worked(undefined)
      told.push(...coordinator.answered(server, { kind: 'items', items: [Uint8Array.of(1)], after: 0, total: 1 }))
      told.push(...coordinator.worked(undefined))
      told.push(...coordinator.worked({ code: 'base_undecided', isPending: true }))
    }
    expect(askedForItems(told)).toEqual([second])
    expect(told.filter(({ kind }) => kind === 'bar')).toEqual([])
    expect(told.at(-1)).toEqual({ kind: 'failed', why: 'base_undecided' })
  })
})

describe('a node whose own history was cut', () => {
  test.each([
    ['later', { epoch, seq: 3n }, false, false],
    ['at the same', { epoch, seq: 1n }, false, false],
    ['at the same, of which something is wanted', { epoch, seq: 1n }, true, true],
    ['before any other', { epoch: later, seq: 0n }, false, true],
    ['beside it, at an epoch that goes before', { epoch: earlier, seq: 1n }, true, false],
    ['beside it, at one that gives way', { epoch: later, seq: 1n }, false, true],
  ])('%s fetches only what goes before that', async (_, above, orSame, isFetched) => {
    const [first] = peers
    if (first === undefined) expect.unreachable()
    const coordinator = await coordinatorOf([first], { above, orSame })
    coordinator.start()
    const effects = serve(coordinator, first)
    expect(askedForItems(effects)).toEqual(isFetched ? [first] : [])
    expect(effects.some(({ kind }) => kind === 'unpruned')).toBe(!isFetched)
  })
})

describe('who has cut nothing, and has the state at some epoch', () => {
  const whole = { base: undefined, snapshot }
  const stale = { base: { epoch, seq: 1n }, snapshot }

  test.each([
    ['is of no use to who comes back', false, [whole], 'unpruned'],
    ['is of use to who knows that it cut too early', true, [whole], 'items'],
    ['unless it has no state either', true, [{ base: undefined, snapshot: undefined }], 'unpruned'],
    ['and others that cut where this node did are not', true, [stale], 'unpruned'],
    ['but goes before these', true, [stale, whole], 'items of the second'],
  ] as const)('%s', async (_, orWhole, offers, expected) => {
    const from = peers.slice(0, offers.length)
    const coordinator = await coordinatorOf(from, { above: { epoch, seq: 1n }, orWhole })
    coordinator.start()
    const effects = from.flatMap((peer) => coordinator.connected(peer))
    for (const [at, offer] of offers.entries()) {
      effects.push(...coordinator.answered(from[at] ?? expect.unreachable(), { kind: 'base', offer }))
    }
    const asked = askedForItems(effects)
    if (expected === 'unpruned') expect(effects).toContainEqual({ kind: 'unpruned' })
    else expect(asked).toEqual([from[expected === 'items' ? 0 : 1]])
  })
})
