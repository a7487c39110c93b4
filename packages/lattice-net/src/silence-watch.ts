/**
 * Finds connections whose other end is gone before the transport does.
 *
 * A connection over which nothing came for a while is asked for a sign of life, and closed when none comes; so is every
 * connection, soon and spread a little, after this machine slept or moved.
 *
 * @module
 */
import type { Cancel, Random, Scheduler } from '@lattice/model'
import { jitterMs } from './backoff.ts'
import type { NetworkLimits } from './limits.ts'
import type { LinkTable } from './link-table.ts'
import type { PeerLink } from './peer-link.ts'

export interface SilenceWatch {
  /** Asks over connections that have been silent for long. */
  readonly review: () => void
  /** Asks over every connection, and tells of those that answer. */
  readonly askAll: (onAlive: (link: PeerLink) => void) => void
  readonly close: () => void
}

export interface SilenceWatchOptions {
  readonly links: Pick<LinkTable, 'all'>
  readonly scheduler: Scheduler
  readonly random: Random
  readonly nowMs: () => number
  readonly limits: Pick<NetworkLimits, 'silentMs' | 'wakeSpreadMs'>
  /** True when the peer answers in time. Never rejects. */
  readonly showsLife: (link: PeerLink) => Promise<boolean>
  readonly close: (link: PeerLink, message: string) => void
}

/** Starts without questions. One at a time is asked over a connection: that is their bound. */
export function createSilenceWatch(options: SilenceWatchOptions): SilenceWatch {
  const { links, scheduler, random, nowMs, limits, showsLife, close } = options
  const asked = new Map<PeerLink, Set<(link: PeerLink) => void>>()
  const waiting = new Set<Cancel>()

  async function ask(link: PeerLink, onAlive?: (link: PeerLink) => void): Promise<void> {
    const listeners = asked.get(link) ?? new Set()
    if (onAlive !== undefined) listeners.add(onAlive)
    if (asked.has(link)) return
    asked.set(link, listeners)
    const isAlive = await showsLife(link)
    asked.delete(link)
    if (link.signal.aborted) return
    if (isAlive) for (const listener of listeners) listener(link)
    else close(link, 'the peer fell silent')
  }
  function askLater(link: PeerLink, onAlive: (link: PeerLink) => void): void {
    const cancel = scheduler.after(jitterMs(limits.wakeSpreadMs, random), () => {
      waiting.delete(cancel)
      link.spawn('sign of life', () => ask(link, onAlive))
    })
    waiting.add(cancel)
  }

  return {
    review: () => {
      for (const link of links.all()) {
        if (asked.has(link) || nowMs() - link.heardMs() < limits.silentMs) continue
        link.spawn('sign of life', () => ask(link))
      }
    },
    askAll: (onAlive) => {
      for (const cancel of waiting) cancel()
      waiting.clear()
      for (const link of links.all()) askLater(link, onAlive)
    },
    close: () => {
      for (const cancel of waiting) cancel()
      waiting.clear()
    },
  }
}
