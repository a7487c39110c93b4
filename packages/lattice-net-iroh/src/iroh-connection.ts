/**
 * A QUIC connection as a `Connection`.
 *
 * Streams are taken from the native side only as the consumer asks for them, so what a peer opens unasked stays within the
 * limit it was granted. A peer that opens one-way streams, which this protocol has no use for, loses its connection.
 *
 * @module
 */
import type { PublicKey } from '@lattice/model'
import { type BiStream, type CloseReason, type Connection, StreamLost } from '@lattice/net-types'
import { createIrohStream } from './iroh-stream.ts'
import { type Connection as NativeConnection, describeFailure, textToNumbers } from './native.ts'

/**
 * Streams a peer may have open: more than the sessions two nodes run at once, each with 1.25 MB of window at most.
 * @beyond The stream waits in the transport.
 */
export const MAX_OPEN_STREAMS = 64
/**
 * Longest reason sent with a close: it has to fit in one packet.
 * @beyond The rest of the reason is cut off.
 */
const MAX_CLOSE_CHARS = 200

const CLOSE_CODE = 0n

export interface IrohConnectionOptions {
  readonly native: NativeConnection
  readonly peer: PublicKey
  readonly outgoing: boolean
}

export function createIrohConnection({ native, peer, outgoing }: IrohConnectionOptions): Connection {
  let localMessage: string | undefined
  native.setMaxConcurrentBiStreams(BigInt(MAX_OPEN_STREAMS))
  native.setMaxConcurrentUniStreams(0n)

  const closeNow = (message: string): void => {
    if (localMessage !== undefined || native.closeReason() !== null) return
    localMessage = message
    native.close(CLOSE_CODE, textToNumbers(message.slice(0, MAX_CLOSE_CHARS)))
  }
  const closed = native.closed().then(
    (text) => (localMessage === undefined ? parseCloseReason(text) : closedHere(localMessage)),
    (error: unknown): CloseReason => ({ by: 'lost', message: describeFailure(error) }),
  )
  const refuseOneWay = async (): Promise<void> => {
    await native.acceptUni()
    closeNow('one-way streams are not part of the protocol')
  }
  // Rejects when the connection ends, as it should.
  refuseOneWay().catch(() => undefined)

  return {
    peer,
    outgoing,
    closed,
    open: async () => {
      try {
        const { send, recv } = await native.openBi()
        return createIrohStream(send, recv)
      } catch (error) {
        throw new StreamLost(describeFailure(error), { cause: error })
      }
    },
    streams: { [Symbol.asyncIterator]: () => ({ next: () => nextStream(native) }) },
    close: async (message) => {
      closeNow(message)
      await closed
    },
  }
}

async function nextStream(native: NativeConnection): Promise<IteratorResult<BiStream, undefined>> {
  try {
    const { send, recv } = await native.acceptBi()
    return { done: false, value: createIrohStream(send, recv) }
  } catch {
    // It fails for one reason alone: the connection has ended, which `closed` tells of.
    return { done: true, value: undefined }
  }
}

function closedHere(message: string): CloseReason {
  return { by: 'local', message }
}

/** Reads the binding's account of how a connection ended. */
export function parseCloseReason(text: string): CloseReason {
  const remote = /^closed by peer: (?<reason>.*?)(?: \(code \d+\))?$/s.exec(text)?.groups?.['reason']
  if (remote !== undefined) return { by: 'remote', message: remote }
  return text === 'closed' ? closedHere('the transport was closed') : { by: 'lost', message: text }
}
