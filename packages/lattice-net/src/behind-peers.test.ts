import { type PublicKey, readPublicKey, type StoreId, toStoreId } from '@lattice/model'
import { createManualScheduler } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import { createBehindPeers } from './behind-peers.ts'
import { SessionFailed } from './errors.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import type { SyncOutcome } from './network-event.ts'
import type { Slot } from './session-slots.ts'
import type { StoreRegistry } from './store-registry.ts'

function key(byte: number): PublicKey {
  const read = readPublicKey(new Uint8Array(32).fill(byte))
  if (read === undefined) throw new Error('a key')
  return read
}
const storeId: StoreId = toStoreId(new Uint8Array(32).fill(1))
const sum = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const OURS = { witnessCount: 10, fingerprint: sum(10), epochHeads: [], settledSeq: 0, tipsDigest: sum(0) }

function done(peer: PublicKey, witnessed: number): SyncOutcome {
  return {
    kind: 'done',
    peer,
    storeId,
    durationMs: 1,
    sent: 0,
    received: witnessed,
    witnessed,
    floating: 0,
    invalid: 0,
    synced: true,
    ours: OURS,
    theirs: OURS,
  } as unknown as SyncOutcome
}

function world() {
  const asked: number[] = []
  const running: Slot[] = []
  const claims = new Map<number, { readonly witnessCount: number; readonly fingerprint: Uint8Array }>([
    [1, OURS],
    [2, { witnessCount: 7, fingerprint: sum(7) }],
    // It holds more, or something else: its own heartbeats say so.
    [3, { witnessCount: 12, fingerprint: sum(12) }],
    // Removed.
    [4, { witnessCount: 5, fingerprint: sum(5) }],
  ])
  const store = {
    digest: () => OURS,
    base: () => undefined,
    access: (peer: PublicKey) => (peer[0] === 4 ? 'revoked' : 'full'),
  }
  const scheduler = createManualScheduler()
  const wait = (): void => scheduler.advance(DEFAULT_LIMITS.differDelayMs)
  const behind = createBehindPeers({
    scheduler,
    limits: DEFAULT_LIMITS,
    slots: { ofStore: () => running },
    stores: { get: () => store } as unknown as Pick<StoreRegistry, 'get'>,
    connected: () => [1, 2, 3, 4, 5].map(key),
    peerDigests: { get: (peer) => claims.get(peer[0] ?? 0) },
    request: (peer) => asked.push(peer[0] ?? 0),
  })
  return { asked, running, behind, wait }
}

describe('after a round that brought something', () => {
  test('those known to be behind after a moment are put on the agenda, once', () => {
    const { asked, behind, wait } = world()
    behind.ended(done(key(1), 3))
    expect(asked).toEqual([])
    wait()
    expect(asked).toEqual([2])
    behind.ended(done(key(2), 0))
    wait()
    expect(asked).toEqual([2])
  })

  test('it is over with its last session, however that ends, and another may begin meanwhile', () => {
    const { asked, running, behind, wait } = world()
    running.push({} as Slot)
    behind.ended(done(key(1), 3))
    wait()
    expect(asked).toEqual([])
    running.pop()
    const failed = { kind: 'failed', peer: key(3), storeId, error: new SessionFailed('broke') } as const
    behind.ended(failed)
    running.push({} as Slot)
    wait()
    expect(asked).toEqual([])
    running.pop()
    behind.ended(failed)
    wait()
    expect(asked).toEqual([2])
  })

  test('nobody is where nothing was brought, or the store is gone, or all is', () => {
    const { asked, behind, wait } = world()
    behind.ended(done(key(1), 0))
    wait()
    behind.ended(done(key(1), 3))
    behind.forgetStore(storeId)
    wait()
    behind.ended(done(key(1), 3))
    behind.close()
    wait()
    expect(asked).toEqual([])
  })
})
