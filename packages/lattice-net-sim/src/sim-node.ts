/**
 * One incarnation of a node in the simulated network: what it has open, and its transport's front door.
 *
 * @module
 */
import {
  type AsyncQueue,
  createAsyncQueue,
  fromHex,
  type IdKey,
  idKey,
  type PublicKey,
  readPublicKey,
  toHex,
} from '@lattice/model'
import type { Connection } from '@lattice/net-types'

/** Connections that wait to be accepted: a burst of all peers after a restart; beyond it dials are refused. */
export const MAX_INCOMING = 64

const ADDRESS_PREFIX = 'sim:'

export interface SimNode {
  readonly publicKey: PublicKey
  readonly key: IdKey
  readonly hex: string
  readonly incoming: AsyncQueue<Connection>
  /** Called when the node goes down while it dials; one per `connect` that somebody awaits. */
  readonly dials: Set<() => void>
  /** False after close or crash. */
  isOpen: boolean
}

export function createSimNode(publicKey: PublicKey): SimNode {
  return {
    publicKey,
    key: idKey(publicKey),
    hex: toHex(publicKey),
    incoming: createAsyncQueue({ capacity: MAX_INCOMING }),
    dials: new Set(),
    isOpen: true,
  }
}

/** Where a node is reached, in the notation of this transport: `sim:` and the key in hex. */
export function simAddress(publicKey: PublicKey): string {
  return `${ADDRESS_PREFIX}${toHex(publicKey)}`
}

/** The key behind an address; undefined for another notation. */
export function parseSimAddress(address: string): IdKey | undefined {
  if (!address.startsWith(ADDRESS_PREFIX)) return undefined
  const bytes = fromHex(address.slice(ADDRESS_PREFIX.length))
  const key = bytes === undefined ? undefined : readPublicKey(bytes)
  return key === undefined ? undefined : idKey(key)
}
