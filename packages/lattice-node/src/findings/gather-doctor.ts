/**
 * Gathers what the doctor looks at: databases, files, the network, the stores.
 *
 * @module
 */
import { existsSync, statSync } from 'node:fs'
import { platform } from 'node:os'
import { join } from 'node:path'
import { idKey } from '@lattice/model'
import type { StoreSample } from '../node-health.ts'
import type { NodeContext } from '../node-context.ts'
import type { OpenStore } from '../open-store.ts'
import type { StoreManager } from '../store-manager.ts'
import { snapshotBytesOf } from '../store-data.ts'
import type { FindingDeps } from './finding-deps.ts'
import { diskSpaceOf } from './disk-space.ts'
import type { DoctorSnapshot, OpenHealth, PrivatePath, StoreHealth } from './doctor-snapshot.ts'
import { gatherStores } from './gather-stores.ts'
import type { StoreSnapshot } from './store-snapshot.ts'

const PERMISSIONS = 0o777

export function gatherDoctor({ context, manager, clock }: FindingDeps): DoctorSnapshot {
  const { directory, meta } = context
  const network = context.network()
  const snapshots = gatherStores({ context, manager }, undefined)
  return {
    nowMs: context.clock.wallMs(),
    hasNetwork: network !== undefined,
    clock: clock(),
    disk: diskSpaceOf(directory.path),
    about: context.about,
    sqliteVersion: meta.sqliteVersion(),
    dataDir: privatePath(directory.path),
    identity: privatePath(directory.identityPath),
    transport: network?.transport,
    addresses: network?.addresses() ?? [],
    clockPeers: network?.peerTime()?.count ?? 0,
    stores: snapshots.map((store) => gatherHealth(context, manager, store)),
    peers: countPeers(snapshots),
  }
}

function privatePath(path: string): PrivatePath {
  // On Windows the mode says nothing: access is by control lists.
  if (platform() === 'win32') return { path, mode: undefined }
  try {
    return { path, mode: statSync(path).mode & PERMISSIONS }
  } catch {
    return { path, mode: undefined }
  }
}

function gatherHealth(context: NodeContext, manager: StoreManager, store: StoreSnapshot): StoreHealth {
  const { id } = store.ref
  const entry = manager.entry(id)
  const open = entry?.ready === true ? entry.open : undefined
  return { store, open: open && gatherOpenHealth(context, open), verified: context.health.lastVerified(id) }
}

function gatherOpenHealth(context: NodeContext, open: OpenStore): OpenHealth {
  const directory = context.directory.storePath(open.id)
  return {
    now: measureStore(context, open),
    before: context.health.firstSample(open.id),
    walBytes: bytesOf(join(directory, 'log.db-wal')) + bytesOf(join(directory, 'state.db-wal')),
    scrubbed: open.kernel.scrubbed(),
    forkedAuthors: open.kernel.stats().forkCount,
  }
}

/** How large a store is now, with its write-ahead logs. */
export function measureStore({ directory, clock }: NodeContext, { id, kernel }: OpenStore): StoreSample {
  const path = directory.storePath(id)
  const sizeOf = (name: string): number => bytesOf(join(path, name)) + bytesOf(join(path, `${name}-wal`))
  const { witnessCount: records } = kernel.stats()
  return {
    atMs: clock.wallMs(),
    records,
    logBytes: sizeOf('log.db'),
    stateBytes: sizeOf('state.db'),
    snapshotBytes: snapshotBytesOf(path),
  }
}

function bytesOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0
}

function countPeers(stores: readonly StoreSnapshot[]): DoctorSnapshot['peers'] {
  const peers = new Map<string, boolean>()
  for (const { open } of stores) {
    for (const { peer } of open?.replicas ?? []) peers.set(idKey(peer.publicKey), peer.online)
  }
  return { known: peers.size, online: [...peers.values()].filter(Boolean).length }
}
