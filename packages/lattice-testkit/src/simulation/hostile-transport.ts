/**
 * A transport that lies: the node above it is a real one, and what it says is changed on its way out.
 *
 * So a hostile peer gets as far into every protocol as its key allows, and breaks it anywhere: whatever frames there are,
 * now or later, pass through here. What it receives is left as it is.
 *
 * @module
 */
import { createFrameDecoder } from '@lattice/net'
import type { BiStream, Connection, Transport } from '@lattice/net-types'
import { type Corruption, createCorruption, type HostileOptions } from './corrupt-frames.ts'

export function createHostileTransport(transport: Transport, options: HostileOptions): Transport {
  const corruption = createCorruption(options)
  const wrap = (connection: Connection): Connection => wrapConnection(connection, corruption)
  return {
    ...transport,
    connect: async (peer, dialOptions) => wrap(await transport.connect(peer, dialOptions)),
    incoming: mapAsync(transport.incoming, wrap),
  }
}

function wrapConnection(connection: Connection, corruption: Corruption): Connection {
  const wrap = (stream: BiStream): BiStream => wrapStream(stream, corruption)
  return {
    peer: connection.peer,
    outgoing: connection.outgoing,
    closed: connection.closed,
    close: connection.close,
    open: async () => wrap(await connection.open()),
    streams: mapAsync(connection.streams, wrap),
  }
}

function wrapStream(stream: BiStream, corruption: Corruption): BiStream {
  const decoder = createFrameDecoder()
  let isSilent = false
  let isEnded = false
  const write = async (bytes: Uint8Array): Promise<void> => {
    decoder.push(bytes)
    for (let next = decoder.next(); next.ok && next.value !== undefined; next = decoder.next()) {
      if (isSilent || isEnded) continue
      const deed = corruption.of(next.value)
      isSilent = deed.thenSilent
      for (const chunk of deed.chunks) await stream.write(chunk)
      if (!deed.thenEnd) continue
      isEnded = true
      await stream.finish()
    }
  }
  return {
    read: stream.read,
    write,
    // Who fell silent does not say goodbye either.
    finish: async () => {
      if (!isSilent && !isEnded) await stream.finish()
    },
    reset: stream.reset,
  }
}

async function* mapAsync<A, B>(items: AsyncIterable<A>, map: (item: A) => B): AsyncGenerator<B, void, undefined> {
  for await (const item of items) yield map(item)
}
