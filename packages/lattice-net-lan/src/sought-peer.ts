/**
 * What the LAN says of one peer that is looked for, by who says it.
 *
 * Anybody can speak in the name of a peer. So each sender has a place of its own, of which there are few, and all of them
 * have an equal share of what is told: one that forges does not push out one that does not, unless it forges senders too.
 *
 * Pure; time is a number.
 *
 * @module
 */
import { MAX_FOUND_ADDRESSES } from '@lattice/net-types'

/**
 * Senders remembered for each peer, those heard last: the interfaces of a host, and whoever forges.
 * @beyond The one heard longest ago is forgotten.
 */
export const MAX_SOURCES = 4

/** The same sender saying the same is news again after this: it answered another question. */
export const REPEAT_MS = 1_000

interface Source {
  readonly addresses: readonly string[]
  readonly heardAtMs: number
  readonly expiresAtMs: number
}

export interface SoughtPeer {
  /** Whether it is worth telling. */
  readonly hear: (
    source: string,
    said: { readonly addresses: readonly string[]; readonly ttlMs: number },
    nowMs: number,
  ) => boolean
  /** That sender says goodbye. */
  readonly leave: (source: string) => void
  readonly expire: (nowMs: number) => void
  /** When something expires next; undefined when nothing is known. */
  readonly nextExpiryMs: () => number | undefined
  /** Of all senders in turn. */
  readonly addresses: () => readonly string[]
}

/** Starts without anything known. */
export function createSoughtPeer(): SoughtPeer {
  // In the order they were heard, the last at the end.
  const sources = new Map<string, Source>()
  return {
    hear: (source, { addresses, ttlMs }, nowMs) => {
      const before = sources.get(source)
      const isSame = before !== undefined && sameAddresses(before.addresses, addresses)
      const isRepeat = isSame && nowMs - before.heardAtMs < REPEAT_MS
      sources.delete(source)
      sources.set(source, { addresses, heardAtMs: isRepeat ? before.heardAtMs : nowMs, expiresAtMs: nowMs + ttlMs })
      const [oldest] = sources.keys()
      if (sources.size > MAX_SOURCES && oldest !== undefined) sources.delete(oldest)
      return !isRepeat
    },
    leave: (source) => void sources.delete(source),
    expire: (nowMs) => {
      for (const [source, { expiresAtMs }] of sources) if (expiresAtMs <= nowMs) sources.delete(source)
    },
    nextExpiryMs: () =>
      sources.size === 0 ? undefined : Math.min(...[...sources.values()].map((each) => each.expiresAtMs)),
    addresses: () => inTurn([...sources.values()].map((each) => each.addresses)),
  }
}

function sameAddresses(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((address) => others.includes(address))
}

function inTurn(lists: readonly (readonly string[])[]): readonly string[] {
  const taken = new Set<string>()
  const longest = Math.max(0, ...lists.map((list) => list.length))
  for (let place = 0; place < longest; place += 1) {
    for (const list of lists) {
      const address = list[place]
      if (address !== undefined && taken.size < MAX_FOUND_ADDRESSES) taken.add(address)
    }
  }
  return [...taken]
}
