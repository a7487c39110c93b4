/**
 * Connections and streams that live in the worker, as the port of transports has them.
 *
 * @module
 */
import { assert, toPublicKey } from '@lattice/model'
import { type BiStream, type Connection, StreamLost } from '@lattice/net-types'
import type { WorkerClient } from './worker-client.ts'
import type { ConnectionName } from './worker-protocol.ts'

/** What one message to the worker carries of a write: the copy that is made of it stays small. */
export const WRITE_MESSAGE_BYTES: number = 64 * 1024

export function createWorkerConnection(
  client: WorkerClient,
  { connection, peer }: ConnectionName,
  outgoing: boolean,
): Connection {
  const closed = client.ended(connection)
  return {
    peer: toPublicKey(peer),
    outgoing,
    closed,
    open: async () => createWorkerStream(client, await client.call({ op: 'open', connection })),
    streams: {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          const name = await client.call({ op: 'acceptStream', connection }).catch(noMore)
          if (name === undefined) return { done: true, value: undefined }
          return { done: false, value: createWorkerStream(client, name) }
        },
      }),
    },
    close: async (message) => {
      await client.call({ op: 'closeConnection', connection, message }).catch(noMore)
      await closed
    },
  }
}

function createWorkerStream(client: WorkerClient, stream: number): BiStream {
  let lost: string | undefined
  let finished = false
  let ended = false
  let reading = false
  let writing = false
  /** Both directions are over: the worker may forget the stream. */
  const settle = (): void => {
    if (finished && ended) client.tell({ op: 'reset', stream })
  }
  const throwIfLost = (): void => {
    if (lost !== undefined) throw new StreamLost(lost)
  }
  return {
    read: async () => {
      assert(!reading, 'a stream has one reader at a time')
      throwIfLost()
      if (ended) return undefined
      reading = true
      try {
        const bytes = await client.call({ op: 'read', stream })
        if (bytes !== undefined) return bytes
        ended = true
        settle()
        return undefined
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
        for (let offset = 0; offset < bytes.length; offset += WRITE_MESSAGE_BYTES) {
          const copy = new Uint8Array(bytes.subarray(offset, offset + WRITE_MESSAGE_BYTES))
          await client.call({ op: 'write', stream, bytes: copy }, [copy.buffer])
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
      await client.call({ op: 'finish', stream })
      settle()
    },
    reset: () => {
      if (lost !== undefined || (finished && ended)) return
      lost = 'the stream was reset here'
      client.tell({ op: 'reset', stream })
    },
  }
}

function noMore(): undefined {
  // The worker has ended, and the connection with it.
  return undefined
}
