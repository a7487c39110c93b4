/**
 * A connection: two ends, the streams between them, and how each end learns that it is over.
 *
 * An end that closes is over at once; the other learns of it a latency later, or by losing the connection. What was written
 * and not yet read is dropped with it, as on QUIC. A stream shows at the other end with its first message, so code that
 * waits for a stream nobody wrote on waits here as it would in production.
 *
 * @module
 */
import { createAsyncQueue, type Random } from '@lattice/model'
import type { BiStream, CloseReason, Connection } from '@lattice/net-types'
import { createDeferred } from './deferred.ts'
import type { SimNode } from './sim-node.ts'
import { createStreamEnd, type StreamEnd, type StreamMessage } from './sim-stream.ts'
import { createSlots } from './slots.ts'
import { createLane, type Lane, type Wire } from './wire.ts'

/** Streams one end may have open at a time: more sessions than two peers run at once; further `open` calls wait. */
export const MAX_OPEN_STREAMS = 64

/** One end of a link. */
export interface LinkEnd {
  readonly node: SimNode
  readonly connection: Connection
  readonly isLive: () => boolean
  /** Ends this end and sends the news. Idempotent. */
  readonly close: (message: string) => void
  /** Ends this end alone: nothing is sent. Idempotent. */
  readonly end: (reason: CloseReason) => void
}

/** A connection between two nodes. */
export interface SimLink {
  readonly id: number
  readonly dialer: LinkEnd
  readonly acceptor: LinkEnd
}

export interface SimLinkDeps {
  readonly id: number
  readonly dialer: SimNode
  readonly acceptor: SimNode
  readonly random: Random
  readonly windowBytes: number
  readonly wire: Wire
  /** Called as a message arrives. */
  readonly onMessage: (message: LinkMessage) => void
  /** Called when both ends are over. */
  readonly onDone: () => void
}

/** What arrived at the `to` end of a link. */
export interface LinkMessage {
  readonly from: SimNode
  readonly to: SimNode
  readonly kind: StreamMessage['kind'] | 'close'
  /** Of its stream, in order of opening at the link; -1 for the link itself. */
  readonly stream: number
  readonly bytes: number
}

interface EndState extends LinkEnd {
  readonly streams: Set<StreamEnd>
  /** Shows a stream the peer opened; false when there is no room for it. */
  readonly offer: (stream: BiStream) => boolean
}

export function createSimLink(deps: SimLinkDeps): SimLink {
  let streamCount = 0
  const lane = (from: SimNode, to: SimNode): Lane => createLane(deps.wire, { from: from.key, to: to.key, sender: from })

  const openStream = (from: EndState, to: EndState, onDone: () => void): BiStream => {
    const stream = streamCount
    streamCount += 1
    let announced = false
    const side = (end: EndState, other: EndState, peer: () => StreamEnd, onSideDone: () => void): StreamEnd => {
      const send = lane(end.node, other.node)
      const created: StreamEnd = createStreamEnd({
        random: deps.random,
        windowBytes: deps.windowBytes,
        send: (message) =>
          send(() => {
            if (!other.isLive()) return
            const bytes = messageBytes(message)
            deps.onMessage({ from: end.node, to: other.node, kind: message.kind, stream, bytes })
            if (other === to && !announced) {
              announced = true
              if (!to.offer(peer().stream)) return peer().stream.reset()
            }
            peer().receive(message)
          }),
        onDone: () => {
          end.streams.delete(created)
          onSideDone()
        },
      })
      end.streams.add(created)
      return created
    }
    const near: StreamEnd = side(from, to, () => far, onDone)
    const far: StreamEnd = side(
      to,
      from,
      () => near,
      () => undefined,
    )
    return near.stream
  }

  const createEnd = (node: SimNode, other: () => EndState, outgoing: boolean): EndState => {
    const streams = new Set<StreamEnd>()
    const inbound = createAsyncQueue<BiStream>({ capacity: MAX_OPEN_STREAMS })
    const slots = createSlots(MAX_OPEN_STREAMS)
    const closed = createDeferred<CloseReason>()
    let live = true

    const end = (reason: CloseReason): void => {
      if (!live) return
      live = false
      for (const stream of streams) stream.fail(reason.message)
      slots.fail(reason.message)
      inbound.close()
      closed.resolve(reason)
      if (!other().isLive()) deps.onDone()
    }
    const close = (message: string): void => {
      if (!live) return
      const far = other()
      const deliver = (): void => {
        if (!far.isLive()) return
        deps.onMessage({ from: node, to: far.node, kind: 'close', stream: -1, bytes: 0 })
        far.end({ by: 'remote', message })
      }
      deps.wire.carry({ from: node.key, to: far.node.key, sender: node, deliver })
      end({ by: 'local', message })
    }
    const state: EndState = {
      node,
      streams,
      isLive: () => live,
      close,
      end,
      offer: (stream) => inbound.push(stream),
      connection: {
        get peer() {
          return other().node.publicKey
        },
        outgoing,
        closed: closed.promise,
        streams: inbound,
        open: async () => {
          await slots.take()
          return openStream(state, other(), slots.release)
        },
        close: async (message) => close(message),
      },
    }
    return state
  }

  const dialer: EndState = createEnd(deps.dialer, () => acceptor, true)
  const acceptor: EndState = createEnd(deps.acceptor, () => dialer, false)
  return { id: deps.id, dialer, acceptor }
}

function messageBytes(message: StreamMessage): number {
  if (message.kind === 'data') return message.bytes.length
  return message.kind === 'credit' ? message.bytes : 0
}
