/**
 * NodeService over a node.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import type { ClockStatus } from '@lattice/node'
import { daemon } from '@lattice/proto'
import type { ServiceHandlers } from '../service-types.ts'
import { backup } from './backup.ts'
import { findingsOf } from './findings.ts'
import { toNodeEvent } from './messages.ts'
import type { HandlerDeps } from './handler-deps.ts'

function toClock({ verdict, aheadMs }: ClockStatus): {
  readonly clockSkewed: boolean
  readonly clockBehind: boolean
  readonly clockAheadMs: bigint
} {
  return { clockSkewed: verdict === 'ahead', clockBehind: verdict === 'behind', clockAheadMs: BigInt(aheadMs ?? 0) }
}

export function createNodeService({
  node,
  clock,
  version,
  cryptoBackend,
}: HandlerDeps): ServiceHandlers<typeof daemon.NodeService> {
  const startedMs = clock.monotonicMs()
  return {
    getStatus: async () =>
      create(daemon.NodeStatusSchema, {
        publicKey: node.id,
        name: node.name(),
        dataDir: node.dataDir,
        version,
        stores: node.stores().length,
        addresses: [...node.network.addresses()],
        peers: node.network
          .connectedPeers()
          .map(({ publicKey, connectedAt, path }) => ({ publicKey, connectedAt: BigInt(connectedAt), path })),
        uptimeMs: BigInt(Math.round(clock.monotonicMs() - startedMs)),
        crypto: cryptoBackend,
        ...toClock(node.network.clock()),
      }),
    setName: async ({ name }) => {
      await node.setName(name)
      return create(daemon.SetNodeNameResponseSchema, { name: node.name() })
    },
    listStoreTypes: async () =>
      create(daemon.ListStoreTypesResponseSchema, { storeTypes: node.storeTypes().toSorted() }),
    ...findingsOf(node),
    backup: (request, signal) => backup(node, request, signal),
    subscribe: async function* (_request, signal) {
      for await (const event of node.events(signal)) yield toNodeEvent(event)
    },
  }
}
