/**
 * A link in memory: what one sends, all hear, the sender included, as with multicast on one host.
 *
 * @module
 */
import type { Scheduler } from '@lattice/model'
import type { OpenLanWire, WireListener } from '../lan-wire.ts'

export interface WireHub {
  /** The wire of the host with this address. */
  readonly open: (source: string) => OpenLanWire
  /** Sends from any address, as whoever forges does. */
  readonly inject: (bytes: Uint8Array, source: string) => void
  /** Everything that nodes sent, in order. */
  readonly sent: { readonly bytes: Uint8Array; readonly source: string }[]
  /** All links are others: wires say so. */
  readonly changeLinks: () => void
}

/** Packets arrive a millisecond after they are sent. */
export function createWireHub(scheduler: Scheduler): WireHub {
  const listeners = new Set<WireListener>()
  const sent: { readonly bytes: Uint8Array; readonly source: string }[] = []
  const inject = (bytes: Uint8Array, source: string): void => {
    scheduler.after(1, () => {
      for (const listener of listeners) listener.onPacket(bytes, source)
    })
  }
  return {
    sent,
    inject,
    changeLinks: () => {
      for (const listener of listeners) listener.onLinksChanged()
    },
    open: (source) => (listener) => {
      listeners.add(listener)
      return {
        send: (bytes) => {
          sent.push({ bytes, source })
          inject(bytes, source)
        },
        close: async () => {
          listeners.delete(listener)
        },
      }
    },
  }
}
