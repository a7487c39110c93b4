/**
 * What tests do with running daemons: stores, joining, syncing, waiting for each other.
 *
 * @module
 */
import { storeExecutor } from '@lattice/api'
import { kvStore } from '@lattice/kvstore'
import { type StoreId, toHex, toStoreId } from '@lattice/model'
import { type Client, createClient } from '@lattice/store-base'
import type { DaemonProcess } from './daemon-process.ts'

/** A client of the key-value store. */
export const keyValue = (daemon: DaemonProcess, storeId: StoreId): Client<(typeof kvStore)['service']> =>
  createClient(kvStore, storeExecutor(daemon.backend, storeId))

export async function createStore(daemon: DaemonProcess): Promise<StoreId> {
  const { id } = await daemon.backend.store.create({ name: 'test' })
  return toStoreId(id)
}

export async function joinByToken(host: DaemonProcess, guest: DaemonProcess, storeId: StoreId): Promise<void> {
  const { token } = await host.backend.store.invite({ storeId })
  for await (const _progress of guest.backend.store.join({ token }));
}

/** Rounds after which a mesh that is not in sync is broken. */
const MAX_ROUNDS = 10

/**
 * Synchronises until a round ends equal with every connected peer. A round in which two dials that crossed were settled,
 * or a peer's leaving was noticed, may report a session that was cut.
 */
export async function syncAll(daemon: DaemonProcess, storeId: StoreId): Promise<boolean> {
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    for await (const { progress } of daemon.backend.store.sync({ storeId })) {
      if (progress.case === 'summary' && progress.value.peers > 0 && progress.value.peers === progress.value.synced)
        return true
    }
  }
  return false
}

/** Resolves once the daemon is connected to a peer, by its own events. */
export function connected(daemon: DaemonProcess): Promise<void> {
  return online(daemon, 1)
}

/** Resolves once the daemon is connected to exactly so many peers. */
export async function online(daemon: DaemonProcess, count: number): Promise<void> {
  const abort = new AbortController()
  const events = daemon.backend.node.subscribe({}, { signal: abort.signal })[Symbol.asyncIterator]()
  let next = events.next()
  while ((await daemon.backend.node.getStatus({})).peers.length !== count) {
    await next
    next = events.next()
  }
  next.catch(() => undefined)
  abort.abort()
}

export async function digest(daemon: DaemonProcess, storeId: StoreId): Promise<string> {
  const status = await daemon.backend.store.getStatus({ storeId })
  return `${toHex(status.fingerprint)} ${toHex(status.stateDigest)} ${status.witnessCount}`
}
