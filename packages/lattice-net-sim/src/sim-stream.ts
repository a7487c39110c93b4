/**
 * One end of a stream: reading, writing, and the window between them.
 *
 * The writer may be ahead of the reader by the window and no further, counting what is on its way, so an unread stream costs
 * a bounded amount of memory and the writer waits. Writes are cut at drawn places: nobody above may rely on the boundaries.
 *
 * @module
 */
import { type Random, unreachable } from '@lattice/model'
import { type BiStream, StreamLost } from '@lattice/net-types'
import { createInbox } from './inbox.ts'
import { createOutbox } from './outbox.ts'

/** What travels between the two ends of a stream. */
export type StreamMessage =
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'credit'; readonly bytes: number }
  | { readonly kind: 'finish' }
  | { readonly kind: 'reset' }

export interface StreamEnd {
  readonly stream: BiStream
  readonly receive: (message: StreamMessage) => void
  /** The connection ended: reads and writes reject from now on. */
  readonly fail: (message: string) => void
}

export interface StreamEndDeps {
  readonly random: Random
  readonly windowBytes: number
  readonly send: (message: StreamMessage) => void
  /** Called once, when both directions are over. */
  readonly onDone: () => void
}

export function createStreamEnd({ random, windowBytes, send, onDone }: StreamEndDeps): StreamEnd {
  let lost: string | undefined
  let done = false
  const tell = createTelling(windowBytes, (bytes) => send({ kind: 'credit', bytes }))

  const settle = (): void => {
    const over = lost !== undefined || (outbox.isFinished() && inbox.isDrained())
    if (!over || done) return
    done = true
    onDone()
  }
  const outbox = createOutbox({ random, windowBytes, send: (bytes) => send({ kind: 'data', bytes }) })
  const onTaken = (bytes: number): void => {
    tell(bytes)
    settle()
  }
  const inbox = createInbox({ windowBytes, onTaken })
  const fail = (message: string): void => {
    if (lost !== undefined || done) return
    lost = message
    inbox.fail(message)
    outbox.fail(message)
    settle()
  }
  const throwIfLost = (): void => {
    if (lost !== undefined) throw new StreamLost(lost)
  }
  const receive = (message: StreamMessage): void => {
    if (lost !== undefined || done) return
    switch (message.kind) {
      case 'data':
        return inbox.push(message.bytes)
      case 'credit':
        return outbox.grant(message.bytes)
      case 'finish':
        return inbox.end()
      case 'reset':
        return fail('the peer reset the stream')
      default:
        return unreachable(message)
    }
  }

  return {
    receive,
    fail,
    stream: {
      read: async () => {
        throwIfLost()
        return inbox.read()
      },
      write: async (bytes) => {
        throwIfLost()
        await outbox.write(bytes)
      },
      finish: async () => {
        throwIfLost()
        if (outbox.isFinished()) return
        outbox.finish()
        send({ kind: 'finish' })
        settle()
      },
      reset: () => {
        if (lost !== undefined || done) return
        send({ kind: 'reset' })
        fail('the stream was reset here')
      },
    },
  }
}

/**
 * The writer is told of what was read in parts of the window, as QUIC does it: most streams carry less and need no credit.
 * The writer never waits for more than half a window, so what is untold never holds it up.
 */
const TOLD_PARTS = 4

function createTelling(windowBytes: number, grant: (bytes: number) => void): (bytes: number) => void {
  let untold = 0
  return (bytes) => {
    untold += bytes
    if (untold < windowBytes / TOLD_PARTS) return
    grant(untold)
    untold = 0
  }
}
