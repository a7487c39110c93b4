/**
 * The sockets of the wire: one per link that sends, one for the host that listens.
 *
 * Each reports its failures instead of throwing them, sends nothing before it is bound to where it belongs, and can be
 * closed at any moment.
 *
 * @module
 */
import { createSocket, type Socket } from 'node:dgram'
import { BlockList } from 'node:net'
import type { Link } from './links.ts'
import { isLoopbackSource } from './loopback-address.ts'

/** The group and the port of mDNS (RFC 6762, 3). */
export const MDNS_GROUP = '224.0.0.251'
export const MDNS_PORT = 5353
/** So that a packet is seen not to have been routed (RFC 6762, 11). */
const TTL = 255

export interface Mouth {
  /** Dropped unless it is ready. */
  readonly send: (bytes: Uint8Array) => void
  /** It could not be opened, and is closed. */
  readonly hasFailed: () => boolean
  /** Resolves when what was sent has left. To be asked before it is closed. */
  readonly drained: () => Promise<void>
  readonly close: () => Promise<void>
}

export interface MouthListener {
  readonly onReady: () => void
  readonly onSent: () => void
  readonly onFailure: (error: unknown) => void
}

/** Sends by the link that has this address, whatever the routes say. */
export function openMouth({ address }: Link, { onReady, onSent, onFailure }: MouthListener): Mouth {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  const sending = new Set<Promise<void>>()
  let state: 'opening' | 'ready' | 'failed' = 'opening'
  const fail = (error: unknown): void => {
    state = 'failed'
    onFailure(error)
    closeSocket(socket).catch(onFailure)
  }
  socket.on('error', fail)
  socket.bind({ address, port: MDNS_PORT, exclusive: true }, () => {
    try {
      socket.setMulticastInterface(address)
      socket.setMulticastTTL(TTL)
    } catch (error) {
      return fail(error)
    }
    state = 'ready'
    onReady()
  })
  return {
    send: (bytes) => {
      if (state !== 'ready') return
      const sent = new Promise<void>((resolve) => {
        socket.send(bytes, MDNS_PORT, MDNS_GROUP, (error) => {
          if (error === null) onSent()
          else onFailure(error)
          sending.delete(sent)
          resolve()
        })
      })
      sending.add(sent)
    },
    hasFailed: () => state === 'failed',
    drained: async () => {
      await Promise.all(sending)
    },
    close: () => {
      state = 'failed'
      return closeSocket(socket)
    },
  }
}

export interface EarsListener {
  /** From this host or somebody on one of its links. */
  readonly onPacket: (bytes: Uint8Array, source: string) => void
  /** Of everything that arrives, before it is looked at; false for enough. */
  readonly onArrival: () => boolean
  readonly onReady: () => void
  /** When it cannot listen at all, it is closed. */
  readonly onFailure: (error: unknown) => void
}

export interface Ears {
  readonly hasFailed: () => boolean
  readonly close: () => Promise<void>
}

/** Listens on these links. */
export function openEars(links: readonly Link[], { onPacket, onArrival, onReady, onFailure }: EarsListener): Ears {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  const onLink = new BlockList()
  for (const { address, prefix } of links) onLink.addSubnet(address, prefix)
  let isOpen = true
  const fail = (error: unknown): void => {
    isOpen = false
    onFailure(error)
    closeSocket(socket).catch(onFailure)
  }
  socket.on('error', fail)
  socket.on('message', (bytes, { address }) => {
    if (!isOpen || !onArrival()) return
    // Anybody can send to the port from anywhere; only who is on a link is heard.
    if (isLoopbackSource(address) || onLink.check(address)) onPacket(bytes, address)
  })
  socket.bind({ port: MDNS_PORT, exclusive: true }, () => {
    const failures = links.flatMap(({ address }) => joinGroup(socket, address))
    if (failures.length < links.length) onReady()
    for (const failure of failures) onFailure(failure)
  })
  return {
    hasFailed: () => !isOpen,
    close: () => {
      isOpen = false
      return closeSocket(socket)
    },
  }
}

/** The failure, unless it is that another address of the same interface has joined before. */
function joinGroup(socket: Socket, address: string): readonly unknown[] {
  try {
    socket.addMembership(MDNS_GROUP, address)
    return []
  } catch (error) {
    const isJoined = typeof error === 'object' && error !== null && 'code' in error && error.code === 'EADDRINUSE'
    return isJoined ? [] : [error]
  }
}

/** Resolves when it is closed, also where it was never bound or is closed already. */
function closeSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    try {
      socket.close(() => resolve())
    } catch {
      resolve()
    }
  })
}
