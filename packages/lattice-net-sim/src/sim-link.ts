/**
 * A connection: two ends, the streams between them, and how each end learns that it is over.
 *
 * An end that closes is over at once; the other learns of it a latency later, or by losing the connection. What was written
 * and not yet read is dropped with it, as on QUIC. A stream shows at the other end with its first message, so code that
 * waits for a stream nobody wrote on waits here as it would in production.
 *
 * @module
 */
import { createAsyncQueue, type Random, type Scheduler } from '@lattice/model'
import type { BiStream, CloseReason, Connection } from '@lattice/net-types'
import type { Conditions } from './conditions.ts'
import { createDeferred } from './deferred.ts'
import { createReplayer, type Replayer } from './replay.ts'
import type { SimNode } from './sim-node.ts'
import { createStreamEnd, type StreamEnd, type StreamMessage } from './sim-stream.ts'
import { createSlots } from './slots.ts'
import { createLane, type Wire } from './wire.ts'

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
  readonly scheduler: Scheduler
  readonly conditions: () => Conditions
  /** Called as a message arrives. */
  readonly onMessage: (message: LinkMessage) => void
  /** Called as a stream's first data is sent a second time. */
  readonly onReplay: (from: SimNode, to: SimNode) => void
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
  const openStream: OpenStream = (from, to, onDone) => {
    const stream = streamCount
    streamCount += 1
    const replayer = createReplayer({
      ...deps,
      open: () => {
        streamCount += 1
        deps.onReplay(from.node, to.node)
        return createStreamPair({ ...deps, stream: streamCount - 1, from, to, onDone: () => undefined })
      },
      isLive: () => from.isLive() && to.isLive(),
    })
    return createStreamPair({ ...deps, stream, from, to, onDone, ...(replayer && { replayer }) })
  }
  const dialer: EndState = createEnd({ ...deps, openStream, node: deps.dialer, outgoing: true, other: () => acceptor })
  const acceptor: EndState = createEnd({
    ...deps,
    openStream,
    node: deps.acceptor,
    outgoing: false,
    other: () => dialer,
  })
  return { id: deps.id, dialer, acceptor }
}

type OpenStream = (from: EndState, to: EndState, onDone: () => void) => BiStream

interface EndDeps extends Pick<SimLinkDeps, 'wire' | 'onMessage' | 'onDone'> {
  readonly node: SimNode
  readonly outgoing: boolean
  readonly other: () => EndState
  readonly openStream: OpenStream
}

function createEnd({ node, outgoing, other, openStream, wire, onMessage, onDone }: EndDeps): EndState {
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
    if (!other().isLive()) onDone()
  }
  const close = (message: string): void => {
    if (!live) return
    const far = other()
    const deliver = (): void => {
      if (!far.isLive()) return
      onMessage({ from: node, to: far.node, kind: 'close', stream: -1, bytes: 0 })
      far.end({ by: 'remote', message })
    }
    wire.carry({ from: node.key, to: far.node.key, sender: node, deliver })
    end({ by: 'local', message })
  }
  const connection: Connection = {
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
  }
  const state: EndState = {
    node,
    streams,
    connection,
    isLive: () => live,
    end,
    close,
    offer: (stream) => inbound.push(stream),
  }
  return state
}

interface StreamPairDeps extends Pick<SimLinkDeps, 'wire' | 'onMessage' | 'random' | 'windowBytes'> {
  readonly stream: number
  readonly from: EndState
  readonly to: EndState
  /** Called when the stream is over at `from`. */
  readonly onDone: () => void
  /** Is shown what the opening side writes. */
  readonly replayer?: Replayer
}

/** Makes both ends of a stream and gives the one at `from`; the other is shown with the first message that arrives. */
function createStreamPair(deps: StreamPairDeps): BiStream {
  const { from, to } = deps
  let announced = false
  /** False when the peer has no room: the stream is refused. */
  const announce = (): boolean => {
    if (announced) return true
    announced = true
    return to.offer(far.stream)
  }
  const onDone = (): void => {
    from.streams.delete(near)
    deps.onDone()
  }
  const near: StreamEnd = createStreamEnd({
    ...deps,
    send: senderOf(deps, { from, to, receive: (message) => (announce() ? far.receive(message) : far.stream.reset()) }),
    onDone: () => {
      deps.replayer?.answered()
      onDone()
    },
  })
  const far: StreamEnd = createStreamEnd({
    ...deps,
    send: senderOf(deps, {
      from: to,
      to: from,
      receive: (message) => {
        if (message.kind === 'data') deps.replayer?.answered()
        near.receive(message)
      },
    }),
    onDone: () => to.streams.delete(far),
  })
  from.streams.add(near)
  to.streams.add(far)
  return near.stream
}

/** Sends messages of a stream one way, in order. */
function senderOf(
  deps: StreamPairDeps,
  direction: { readonly from: EndState; readonly to: EndState; readonly receive: (message: StreamMessage) => void },
): (message: StreamMessage) => void {
  const { from, to, receive } = direction
  const lane = createLane(deps.wire, { from: from.node.key, to: to.node.key, sender: from.node })
  return (message) => {
    if (message.kind === 'data' && from === deps.from) deps.replayer?.wrote(message.bytes)
    const arrive = (): void => {
      if (!to.isLive()) return
      const { kind } = message
      deps.onMessage({ from: from.node, to: to.node, kind, stream: deps.stream, bytes: messageBytes(message) })
      receive(message)
    }
    lane(arrive, message.kind === 'data' ? message.bytes.length : 0)
  }
}

function messageBytes(message: StreamMessage): number {
  if (message.kind === 'data') return message.bytes.length
  return message.kind === 'credit' ? message.bytes : 0
}
