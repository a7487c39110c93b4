import type { AuthorLag, Kernel } from '@lattice/kernel'
import { type PublicKey, toHash, toPublicKey, toStoreId } from '@lattice/model'
import { createManualScheduler, type ManualScheduler } from '@lattice/model/testing'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createLagWatch, LAG_AFTER_MS, LAG_SETTLE_MS, type LagWatch } from './lag-watch.ts'
import type { NodeContext } from './node-context.ts'
import type { NodeEventBody } from './node-events.ts'
import type { OpenStore } from './open-store.ts'

const self = toPublicKey(new Uint8Array(32))
const nas = toPublicKey(new Uint8Array(32).fill(1))
const members: PublicKey[] = [self, nas]

vi.mock('./store-peers.ts', () => ({ writingPeers: () => members }))
vi.mock('./sync-state.ts', () => ({ shownSync: () => 'unknown' }))

interface Watching {
  readonly scheduler: ManualScheduler
  readonly told: NodeEventBody[]
  readonly watch: LagWatch
  /** What the peer lacks from now on. */
  readonly lack: (unseen: number) => void
  readonly witness: () => void
  /** False once the store is another's. */
  inUse: boolean
}

function start(): Watching {
  const scheduler = createManualScheduler()
  const { clock } = scheduler
  const told: NodeEventBody[] = []
  const listeners = new Set<() => void>()
  let lag: AuthorLag = { unseen: 0, unseenSinceMs: undefined }
  const kernel: Pick<Kernel, 'tables' | 'lag' | 'onWitnessed'> = {
    tables: () => ({}) as ReturnType<Kernel['tables']>,
    lag: () => lag,
    onWitnessed: (listener) => {
      const call = (): void => listener({ intentions: [], source: undefined })
      listeners.add(call)
      return () => listeners.delete(call)
    },
  }
  const store = { id: toStoreId(toHash(new Uint8Array(32).fill(9))), kernel } as unknown as OpenStore
  const context = {
    id: self,
    clock,
    scheduler,
    publish: (event: NodeEventBody) => told.push(event),
  } as unknown as NodeContext
  const watching: Watching = {
    scheduler,
    told,
    watch: createLagWatch(context, { tablesOf: () => undefined, isInUse: () => watching.inUse }),
    lack: (unseen) => {
      lag = { unseen, unseenSinceMs: unseen === 0 ? undefined : clock.wallMs() }
    },
    witness: () => {
      for (const call of listeners) call()
    },
    inUse: true,
  }
  watching.watch.follow(store)
  return watching
}

afterEach(() => {
  members.splice(0, members.length, self, nas)
})

describe('the lag of a peer', () => {
  test('is told once what it lacks is older than acks take, by one look at that time', async () => {
    const { scheduler, told, lack, witness } = start()
    await scheduler.advanceAsync(LAG_SETTLE_MS)
    expect(scheduler.pending()).toBe(0)
    lack(3)
    witness()
    witness()
    expect(scheduler.pending()).toBe(1)
    await scheduler.advanceAsync(LAG_AFTER_MS - 1)
    expect(told).toEqual([])
    await scheduler.advanceAsync(1)
    expect(told).toMatchObject([{ kind: 'peer_lag', peer: nas, lag: { unseen: 3 } }])
    // Nothing is polled while it stays behind.
    expect(scheduler.pending()).toBe(0)
    witness()
    await scheduler.advanceAsync(10 * LAG_AFTER_MS)
    expect(told).toHaveLength(1)
  })

  test('is told again when it has caught up, and what comes and goes in between is not', async () => {
    const { scheduler, told, lack, witness, watch } = start()
    lack(1)
    witness()
    await scheduler.advanceAsync(LAG_AFTER_MS / 2)
    lack(0)
    witness()
    await scheduler.advanceAsync(2 * LAG_AFTER_MS)
    expect(told).toEqual([])
    lack(1)
    watch.moved()
    await scheduler.advanceAsync(2 * LAG_AFTER_MS)
    lack(0)
    watch.moved()
    watch.moved()
    await scheduler.advanceAsync(LAG_SETTLE_MS)
    expect(told.map((event) => event.kind === 'peer_lag' && event.lag.unseen)).toEqual([1, 0])
  })

  test('of one that writes no more is forgotten', async () => {
    const { scheduler, told, lack, witness } = start()
    lack(1)
    witness()
    await scheduler.advanceAsync(2 * LAG_AFTER_MS)
    members.splice(1, 1)
    witness()
    await scheduler.advanceAsync(LAG_SETTLE_MS)
    members.push(nas)
    lack(0)
    witness()
    await scheduler.advanceAsync(LAG_SETTLE_MS)
    expect(told).toHaveLength(1)
  })

  test('is not looked at once the store is closed, and nothing is left when the node is', async () => {
    const closed = start()
    closed.lack(1)
    closed.witness()
    closed.inUse = false
    await closed.scheduler.advanceAsync(2 * LAG_AFTER_MS)
    expect(closed.told).toEqual([])
    const ended = start()
    ended.lack(1)
    ended.witness()
    ended.watch.close()
    expect(ended.scheduler.pending()).toBe(0)
    ended.witness()
    ended.watch.moved()
    expect(ended.scheduler.pending()).toBe(0)
  })
})
