import { create } from '@bufbuild/protobuf'
import { toPublicKey, toStoreId } from '@lattice/model'
import type { Node, PeerSyncReport, PeerSyncResult } from '@lattice/node'
import { daemon } from '@lattice/proto'
import { expect, test } from 'vitest'
import type { HandlerDeps } from './handler-deps.ts'
import { createStoreService } from './store-service.ts'

const storeId = toStoreId(new Uint8Array(32).fill(7))

function report(fill: number, result: PeerSyncResult): PeerSyncReport {
  const failure =
    result === 'synced' || result === 'differs' ? undefined : ({ code: 'SYNC_FAILED', message: result } as const)
  return {
    storeId,
    peer: toPublicKey(new Uint8Array(32).fill(fill)),
    name: `n${fill}`,
    result,
    sent: 1,
    received: 2,
    failure,
  }
}

/** A node whose store answers these reports. */
function nodeWith(reports: readonly PeerSyncReport[]): Pick<Node, 'store'> {
  const store = {
    sync: async function* () {
      yield* reports
    },
  }
  return { store: () => store as unknown as ReturnType<Node['store']> }
}

async function sync(reports: readonly PeerSyncReport[]): Promise<readonly daemon.SyncProgress['progress'][]> {
  const service = createStoreService({ node: nodeWith(reports) } as unknown as HandlerDeps)
  const progress: daemon.SyncProgress['progress'][] = []
  for await (const item of service.sync(create(daemon.SyncRequestSchema, { storeId }), new AbortController().signal)) {
    progress.push(item.progress)
  }
  return progress
}

test('each peer of a store is told as it ends, and counted once: those that take no part apart', async () => {
  const results = ['inactive', 'synced', 'differs', 'failed', 'unreachable', 'muted', 'refused', 'synced'] as const
  const progress = await sync(results.map((result, index) => report(index, result)))
  const outcomes = progress.flatMap(({ case: kind, value }) => (kind === 'outcome' ? [value] : []))
  const { SyncResult } = daemon
  expect(outcomes.map(({ result }) => result)).toEqual([
    SyncResult.INACTIVE,
    SyncResult.SYNCED,
    SyncResult.DIFFERS,
    SyncResult.FAILED,
    SyncResult.UNREACHABLE,
    SyncResult.MUTED,
    SyncResult.REFUSED,
    SyncResult.SYNCED,
  ])
  expect(outcomes[1]).toMatchObject({ name: 'n1', synced: true, sent: 1n, received: 2n, errorCode: '', error: '' })
  expect(outcomes[4]).toMatchObject({ synced: false, errorCode: 'SYNC_FAILED', error: 'unreachable' })
  expect(progress.at(-1)).toMatchObject({ case: 'summary', value: { peers: 7, synced: 2, inactive: 1 } })
})

test('nobody to reconcile with is a summary of none', async () => {
  expect(await sync([])).toMatchObject([{ case: 'summary', value: { peers: 0, synced: 0, inactive: 0 } }])
})
