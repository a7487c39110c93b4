/**
 * The connections and streams of the worker by the names that it gave them.
 *
 * A connection's streams are forgotten with it, so the tables are bounded by what is live.
 *
 * @module
 */
import { type BiStream, type Connection, StreamLost } from '@lattice/net-types'

export interface NamedConnection {
  readonly connection: Connection
  readonly inbound: AsyncIterator<BiStream>
}

export interface NameTable {
  readonly addConnection: (connection: Connection) => number
  /** Forgets the connection and its streams. */
  readonly dropConnection: (name: number) => void
  readonly findConnection: (name: number) => NamedConnection | undefined
  /** Throws {@link StreamLost} when the connection is gone. */
  readonly addStream: (connection: number, stream: BiStream) => number
  readonly dropStream: (name: number) => void
  readonly findStream: (name: number) => BiStream | undefined
}

interface Entry extends NamedConnection {
  readonly streams: Set<number>
}

export function createNameTable(): NameTable {
  const connections = new Map<number, Entry>()
  const streams = new Map<number, { readonly stream: BiStream; readonly owner: Entry }>()
  let nextName = 0

  const newName = (): number => {
    nextName += 1
    return nextName
  }

  return {
    addConnection: (connection) => {
      const name = newName()
      connections.set(name, { connection, inbound: connection.streams[Symbol.asyncIterator](), streams: new Set() })
      return name
    },
    dropConnection: (name) => {
      for (const stream of connections.get(name)?.streams ?? []) streams.delete(stream)
      connections.delete(name)
    },
    findConnection: (name) => connections.get(name),
    addStream: (connection, stream) => {
      const owner = connections.get(connection)
      if (owner === undefined) throw new StreamLost('the connection has ended')
      const name = newName()
      owner.streams.add(name)
      streams.set(name, { stream, owner })
      return name
    },
    dropStream: (name) => {
      streams.get(name)?.owner.streams.delete(name)
      streams.delete(name)
    },
    findStream: (name) => streams.get(name)?.stream,
  }
}
