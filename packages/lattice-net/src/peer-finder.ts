/**
 * Looks for peers through the discovery, and has this node found by it.
 *
 * Kept of a peer is what was told while somebody looks for it, so memory is bounded by whom this node wants and never by
 * what a network says. The finder owns the discovery.
 *
 * @module
 */
import {
  type AbortController,
  type AbortSignal,
  type Cancel,
  createAbortController,
  type IdKey,
  idKey,
  isLagged,
  type PublicKey,
  type Scheduler,
} from '@lattice/model'
import type { Discovery, DiscoveryEvent, Transport } from '@lattice/net-types'
import { MAX_ADDRESSES, MAX_ADDRESS_LENGTH, OWN_ADDRESSES_EVERY_MS } from './limits.ts'

export interface PeerFinder {
  /** False where there is no discovery: then nothing is ever found. */
  readonly isActive: boolean
  /** Looks for the peer until cancelled; `onFound` is called each time it is told of, whether or not anything is new. */
  readonly seek: (peer: PublicKey, onFound: () => void) => Cancel
  /** What is known now of a peer that is looked for. */
  readonly addresses: (peer: PublicKey) => readonly string[]
  /** Ends every search and closes the discovery. Idempotent. */
  readonly close: () => Promise<void>
}

export interface PeerFinderOptions {
  readonly discovery: Discovery | undefined
  readonly transport: Pick<Transport, 'addresses'>
  readonly scheduler: Scheduler
  readonly signal: AbortSignal
  /** Runs a background task. */
  readonly spawn: (name: string, task: () => Promise<void>) => void
}

interface Sought {
  readonly peer: PublicKey
  readonly listeners: Set<() => void>
  search: AbortController
  addresses: readonly string[]
}

const NO_FINDER: PeerFinder = {
  isActive: false,
  seek: () => () => undefined,
  addresses: () => [],
  close: async () => undefined,
}

/** Announces this node from now on, again whenever its addresses change. */
export function createPeerFinder({ discovery, transport, scheduler, signal, spawn }: PeerFinderOptions): PeerFinder {
  if (discovery === undefined) return NO_FINDER
  const sought = new Map<IdKey, Sought>()
  const look = (entry: Sought): void => {
    entry.search.abort(new Error('no longer looked for'))
    entry.search = createAbortController()
    discovery.find(entry.peer, entry.search.signal)
  }
  const takeIn = (event: DiscoveryEvent): void => {
    const entry = sought.get(idKey(event.peer))
    if (entry === undefined) return
    entry.addresses = event.kind === 'found' ? sound(event.addresses) : []
    // Whoever is told may look further, which is not to be told again.
    const listeners = [...entry.listeners]
    if (entry.addresses.length > 0) for (const listener of listeners) listener()
  }
  const events = discovery.events(signal)
  spawn('discovery', async () => {
    for await (const event of events) {
      if (!isLagged(event)) takeIn(event)
      // What was missed is told anew to whoever looks again.
      else for (const entry of sought.values()) look(entry)
    }
  })
  const stopAnnouncing = announceChanges(discovery, transport, scheduler)

  return {
    isActive: true,
    seek: (peer, onFound) => {
      const key = idKey(peer)
      const entry = sought.get(key) ?? { peer, listeners: new Set(), search: createAbortController(), addresses: [] }
      const isNew = !sought.has(key)
      sought.set(key, entry)
      // Each search is an entry of its own, though two are given the same function.
      const listener = (): void => onFound()
      entry.listeners.add(listener)
      if (isNew) look(entry)
      return () => {
        if (!entry.listeners.delete(listener) || entry.listeners.size > 0) return
        entry.search.abort(new Error('no longer looked for'))
        sought.delete(key)
      }
    },
    addresses: (peer) => sought.get(idKey(peer))?.addresses ?? [],
    close: () => {
      stopAnnouncing()
      for (const { search } of sought.values()) search.abort(new Error('the network closes'))
      sought.clear()
      return discovery.close()
    },
  }
}

function sound(addresses: readonly string[]): readonly string[] {
  return addresses.filter((address) => address.length <= MAX_ADDRESS_LENGTH).slice(0, MAX_ADDRESSES)
}

/** Announces what the transport says, now and whenever it says otherwise. */
function announceChanges(
  discovery: Discovery,
  transport: PeerFinderOptions['transport'],
  scheduler: Scheduler,
): Cancel {
  let said: readonly string[] = []
  let cancel: Cancel = () => undefined
  const review = (): void => {
    const current = transport.addresses()
    const isSame = current.length === said.length && current.every((address) => said.includes(address))
    said = current
    if (!isSame) discovery.announce(current)
    cancel = scheduler.after(OWN_ADDRESSES_EVERY_MS, review)
  }
  review()
  return () => cancel()
}
