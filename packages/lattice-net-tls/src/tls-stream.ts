/**
 * A stream of the machine as a `BiStream`: what waits there is a promise here.
 *
 * @module
 */
import { assert } from '@lattice/model'
import { type BiStream, StreamLost } from '@lattice/net-types'
import type { Mux } from './mux/mux.ts'
import { isOver, type MuxStream } from './mux/mux-stream.ts'

interface Waiter {
  readonly wake: () => void
  readonly fail: (error: StreamLost) => void
}

export function createTlsStream(mux: Mux, stream: MuxStream): BiStream {
  let reader: Waiter | undefined
  let writer: Waiter | undefined

  const wakeReader = (): void => {
    const waiting = reader
    reader = undefined
    waiting?.wake()
  }
  const wakeWriter = (): void => {
    const waiting = writer
    writer = undefined
    waiting?.wake()
  }
  stream.events.readable = wakeReader
  stream.events.written = wakeWriter
  stream.events.lost = (message) => {
    for (const waiting of [reader, writer]) waiting?.fail(new StreamLost(message))
    reader = undefined
    writer = undefined
  }
  const throwIfLost = (): void => {
    if (stream.lost !== undefined) throw new StreamLost(stream.lost)
  }

  return {
    read: async () => {
      assert(reader === undefined, 'a stream has one reader at a time')
      for (;;) {
        throwIfLost()
        const bytes = mux.read(stream)
        if (bytes !== undefined || stream.ended) return bytes
        await new Promise<void>((wake, fail) => {
          reader = { wake, fail }
        })
      }
    },
    write: async (bytes) => {
      throwIfLost()
      assert(writer === undefined, 'a stream has one writer at a time')
      const written = new Promise<void>((wake, fail) => {
        writer = { wake, fail }
      })
      mux.write(stream, bytes)
      await written
    },
    finish: async () => {
      throwIfLost()
      if (!stream.finishing) mux.finish(stream)
    },
    reset: () => {
      if (!isOver(stream)) mux.reset(stream)
    },
  }
}
