/**
 * Discovery in memory: what multicast is on a local network, with its latency, its partitions and its losses.
 *
 * Like datagrams, and unlike what connections carry, what meets a blocked direction is lost. So a search asks again at growing
 * intervals until it ends, and finds what was unreachable once the way is open.
 *
 * @module
 */
import {
  type AbortSignal,
  assert,
  type Broadcast,
  type Cancel,
  createBroadcast,
  type IdKey,
  idKey,
  type PublicKey,
  type Random,
  type Scheduler,
} from '@lattice/model'
import { type Discovery, type DiscoveryEvent, MAX_FOUND_ADDRESSES, MAX_SOUGHT_PEERS } from '@lattice/net-types'
import { drawBelow } from './draw.ts'
import type { Conditions } from './conditions.ts'

/** First pause between two questions of a search; doubles up to `MAX_ASK_MS`. */
const FIRST_ASK_MS = 1_000
const MAX_ASK_MS = 60_000
/** Events kept for a slow subscriber before it is told that it lagged. */
const EVENT_CAPACITY = 256

export interface SimDiscoveryDeps {
  readonly random: Random
  readonly scheduler: Scheduler
  readonly conditions: () => Conditions
  /** Whether nothing passes from `from` to `to` now. */
  readonly isBlocked: (from: IdKey, to: IdKey) => boolean
}

export interface SimDiscoveryTable {
  /** Brings the discovery of a node up. A key has one at a time. */
  readonly open: (publicKey: PublicKey) => Discovery
  /** It is gone without a goodbye. Nothing when it is not up. */
  readonly crash: (publicKey: PublicKey) => void
}

interface Search {
  readonly peer: PublicKey
  readonly signals: Set<AbortSignal>
  pauseMs: number
  cancel: Cancel | undefined
  isFound: boolean
  /** Of the latest announcement heard: datagrams overtake each other, and an older one says nothing new. */
  heard: number
}

interface Station {
  readonly peer: PublicKey
  readonly key: IdKey
  readonly events: Broadcast<DiscoveryEvent>
  readonly searches: Map<IdKey, Search>
  addresses: readonly string[]
  /** Of the announcement that holds; greater than any before it. */
  serial: number
  isOpen: boolean
}

/** Makes a medium without nodes. */
export function createSimDiscoveryTable(deps: SimDiscoveryDeps): SimDiscoveryTable {
  const medium = new Medium(deps)
  return {
    open: (publicKey) => {
      const station = medium.join(publicKey)
      return {
        name: 'sim',
        announce: (addresses) => medium.announce(station, addresses),
        find: (peer, signal) => medium.find(station, peer, signal),
        events: station.events.subscribe,
        close: async () => {
          medium.announce(station, [])
          medium.leave(station)
        },
      }
    },
    crash: (publicKey) => medium.crash(publicKey),
  }
}

class Medium {
  readonly #deps: SimDiscoveryDeps
  readonly #stations = new Map<IdKey, Station>()
  #serial = 0

  constructor(deps: SimDiscoveryDeps) {
    this.#deps = deps
  }

  join(peer: PublicKey): Station {
    const key = idKey(peer)
    assert(!this.#stations.has(key), 'a key has one discovery at a time')
    const events = createBroadcast<DiscoveryEvent>({ capacity: EVENT_CAPACITY })
    const station: Station = { peer, key, events, searches: new Map(), addresses: [], serial: 0, isOpen: true }
    this.#stations.set(key, station)
    return station
  }
  crash(peer: PublicKey): void {
    const station = this.#stations.get(idKey(peer))
    if (station !== undefined) this.leave(station)
  }
  leave(station: Station): void {
    if (!station.isOpen) return
    station.isOpen = false
    this.#stations.delete(station.key)
    for (const search of station.searches.values()) search.cancel?.()
    station.searches.clear()
    station.events.close()
  }
  announce(station: Station, addresses: readonly string[]): void {
    if (!station.isOpen) return
    this.#serial += 1
    station.serial = this.#serial
    station.addresses = addresses.slice(0, MAX_FOUND_ADDRESSES)
    for (const other of this.#stations.values()) this.#tell(station, other)
  }
  find(station: Station, peer: PublicKey, signal: AbortSignal): void {
    const key = idKey(peer)
    if (!station.isOpen || signal.aborted || key === station.key) return
    const known = station.searches.get(key)
    if (known === undefined && station.searches.size >= MAX_SOUGHT_PEERS) return
    const search = known ?? { peer, signals: new Set(), pauseMs: 0, cancel: undefined, isFound: false, heard: 0 }
    station.searches.set(key, search)
    search.signals.add(signal)
    const stop = (): void => {
      search.signals.delete(signal)
      if (search.signals.size > 0) return
      search.cancel?.()
      if (station.searches.get(key) === search) station.searches.delete(key)
    }
    signal.addEventListener('abort', stop, { once: true })
    search.pauseMs = FIRST_ASK_MS
    this.#ask(station, search)
  }

  /** A question to everybody: the one who is meant answers, when the way back is open too. */
  #ask(station: Station, search: Search): void {
    const { scheduler } = this.#deps
    search.cancel?.()
    search.cancel = scheduler.after(search.pauseMs, () => {
      search.pauseMs = Math.min(2 * search.pauseMs, MAX_ASK_MS)
      this.#ask(station, search)
    })
    const key = idKey(search.peer)
    this.#carry(station.key, key, () => {
      const sought = this.#stations.get(key)
      if (sought !== undefined && sought.addresses.length > 0) this.#tell(sought, station)
    })
  }
  #tell(from: Station, to: Station): void {
    if (from === to) return
    const said = { peer: from.peer, addresses: from.addresses, serial: from.serial }
    this.#carry(from.key, to.key, () => this.#hear(to, said))
  }
  #hear(to: Station, { peer, addresses, serial }: Pick<Station, 'peer' | 'addresses' | 'serial'>): void {
    const search = to.searches.get(idKey(peer))
    if (!to.isOpen || search === undefined || serial < search.heard) return
    search.heard = serial
    if (addresses.length > 0) to.events.publish({ kind: 'found', peer, addresses })
    else if (search.isFound) to.events.publish({ kind: 'gone', peer })
    search.isFound = addresses.length > 0
  }
  #carry(from: IdKey, to: IdKey, deliver: () => void): void {
    const { random, scheduler, conditions, isBlocked } = this.#deps
    const { latencyMs } = conditions()
    if (isBlocked(from, to)) return
    const delayMs = latencyMs.min + drawBelow(random, latencyMs.max - latencyMs.min + 1)
    scheduler.after(delayMs, () => {
      if (!isBlocked(from, to)) deliver()
    })
  }
}
