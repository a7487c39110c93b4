/**
 * A QUIC stream as a `BiStream`.
 *
 * The binding holds a lock per direction while a read or a write waits, so a reset cannot interrupt it there. Here the
 * waiting call rejects at once all the same, and the reset reaches the peer with the direction that is free; the other
 * follows when the peer answers or the connection ends. Each failure of one direction resets the other: a stream is whole or
 * lost.
 *
 * @module
 */
import { assert } from '@lattice/model'
import { type BiStream, StreamLost } from '@lattice/net-types'
import { describeFailure, type RecvStream, type SendStream, toNumbers } from './native.ts'

/** A write is handed over in slices of this size: converting one blocks the event loop for less than a millisecond. */
export const WRITE_SLICE_BYTES: number = 16 * 1024
/** The most one read takes: about as long on the event loop as a slice of a write. */
export const READ_BYTES: number = 32 * 1024

const RESET_CODE = 0n

export function createIrohStream(send: SendStream, recv: RecvStream): BiStream {
  let lost: string | undefined
  let finished = false
  let ended = false
  let writing = false
  let reading = false
  const waiting = new Set<(error: StreamLost) => void>()

  const lose = (message: string): void => {
    if (lost !== undefined) return
    lost = message
    // Fails when the direction is over already; waits while it is in use.
    send.reset(RESET_CODE).catch(ignore)
    recv.stop(RESET_CODE).catch(ignore)
    for (const reject of waiting) reject(new StreamLost(message))
  }
  const throwIfLost = (): void => {
    if (lost !== undefined) throw new StreamLost(lost)
  }
  /** The outcome of a native call, or the loss of the stream if that is sooner. */
  const orLost = <T>(call: Promise<T>): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      waiting.add(reject)
      call.then(resolve, (error: unknown) => {
        const message = describeFailure(error)
        lose(message)
        reject(new StreamLost(message, { cause: error }))
      })
      call.then(
        () => waiting.delete(reject),
        () => waiting.delete(reject),
      )
    })

  return {
    read: async () => {
      assert(!reading, 'a stream has one reader at a time')
      throwIfLost()
      if (ended) return undefined
      reading = true
      try {
        const numbers = await orLost(recv.read(READ_BYTES))
        ended = numbers.length === 0
        return ended ? undefined : Uint8Array.from(numbers)
      } finally {
        reading = false
      }
    },
    write: async (bytes) => {
      assert(!writing, 'a stream has one writer at a time')
      throwIfLost()
      assert(!finished, 'nothing is written after finish')
      writing = true
      try {
        for (let offset = 0; offset < bytes.length; offset += WRITE_SLICE_BYTES) {
          await orLost(send.writeAll(toNumbers(bytes.subarray(offset, offset + WRITE_SLICE_BYTES))))
        }
      } finally {
        writing = false
      }
    },
    finish: async () => {
      throwIfLost()
      if (finished) return
      assert(!writing, 'a stream is finished after its last write')
      finished = true
      await orLost(send.finish())
    },
    reset: () => {
      if (!(finished && ended)) lose('the stream was reset here')
    },
  }
}

function ignore(): void {
  // The outcome of a reset changes nothing: the stream is lost either way.
}
