/**
 * The connection to a node, opened when it is first needed and kept for every
 * command after that.
 *
 * @module
 */
import { connectBackend, type LatticeBackend } from '@lattice/api/client'
import { idKey, type IdKey } from '@lattice/model'
import type { daemon } from '@lattice/proto'
import { readStoreInterface, type StoreInterface } from './dynamic/store-methods.ts'
import { openEmbeddedBackend } from './embedded.ts'
import type { NodeLocation } from './globals.ts'

/** Descriptions of store types kept at once: far more stores than a person works on in one sitting. */
const MAX_KEPT_INTERFACES = 64

export interface Session {
  readonly backend: () => Promise<LatticeBackend>
  /** What a store can do; asked once per store. */
  readonly storeInterface: (store: daemon.StoreInfo, signal: AbortSignal) => Promise<StoreInterface>
  /** Closes what was opened. Idempotent. */
  readonly close: () => Promise<void>
}

/** Connects to the node at `location`, or opens it. */
export function openBackend(location: NodeLocation): Promise<LatticeBackend> {
  const { dataDir, socket, embedded } = location
  return embedded === undefined ? connectBackend({ socket }) : openEmbeddedBackend(dataDir, embedded)
}

/** A session over a backend that somebody else opened and closes. */
export function borrowSession(backend: LatticeBackend): Session {
  const session = createSession(() => Promise.resolve(backend))
  return { ...session, close: () => Promise.resolve() }
}

/** A session over whatever `open` gives; closed with it. */
export function createSession(open: () => Promise<LatticeBackend>): Session {
  let opening: Promise<LatticeBackend> | undefined
  const interfaces = new Map<IdKey, StoreInterface>()
  const backend = (): Promise<LatticeBackend> => {
    opening ??= open()
    return opening
  }
  return {
    backend,
    storeInterface: async (store, signal) => {
      const key = idKey(store.id)
      const known = interfaces.get(key)
      if (known !== undefined) return known
      const descriptor = await (await backend()).dynamic.getDescriptor({ storeId: store.id }, { signal })
      const read = readStoreInterface(descriptor)
      if (interfaces.size >= MAX_KEPT_INTERFACES) interfaces.clear()
      interfaces.set(key, read)
      return read
    },
    close: async () => {
      // One that could not be opened has nothing to close, and has said so already.
      const opened = await opening?.catch(() => undefined)
      await opened?.close()
    },
  }
}
