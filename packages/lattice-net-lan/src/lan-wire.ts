/**
 * What discovery needs of the network: packets to everybody on the links, and theirs.
 *
 * @module
 */

export interface WireListener {
  /** `source` tells senders apart; on a network it is their IP address, which can be forged. */
  readonly onPacket: (bytes: Uint8Array, source: string) => void
  /** Other links are there than before: whoever is on them has heard nothing yet. */
  readonly onLinksChanged: () => void
}

export interface LanWire {
  /** To all links; what cannot be sent is lost. Never throws. */
  readonly send: (bytes: Uint8Array) => void
  /** Resolves when what was sent has left and the sockets are released. Idempotent. */
  readonly close: () => Promise<void>
}

export type OpenLanWire = (listener: WireListener) => LanWire
