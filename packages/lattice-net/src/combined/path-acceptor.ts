/**
 * The accepting side: each path that comes in says which connection of its peer it belongs to, and joins it, or begins it.
 *
 * Connections are kept by the proved key and the number together, so nothing a peer says can touch the connection of another.
 *
 * @module
 */
import { type AsyncQueue, type IdKey, idKey, type Random, type Scheduler, toHex } from '@lattice/model'
import type { Connection, Transport } from '@lattice/net-types'
import { createDeadline, orAborted } from '../deadline.ts'
import { type CombinedConnection, createCombinedConnection } from './combined-connection.ts'
import { createPath } from './path.ts'
import { type AgreedPath, answerPath, meetPath, PATH_NUMBER_BYTES } from './path-preface.ts'

/** How long a path may take to say what it belongs to. */
export const PREFACE_DEADLINE_MS = 10_000
/** Paths that have not said it yet; beyond them new ones are closed. */
const MAX_UNSAID = 64
/** Connections that ended, remembered so that a late path of one does not begin it anew. The oldest are forgotten first. */
const MAX_ENDED = 256

export interface PathAcceptorDeps {
  readonly scheduler: Scheduler
  readonly random: Random
  readonly incoming: AsyncQueue<Connection>
  readonly spawn: (name: string, task: () => Promise<void>) => void
  /** Told of each connection that a peer began. */
  readonly onConnection: (connection: CombinedConnection) => void
}

export interface PathAcceptor {
  /** Takes in what a transport accepts, until that ends. */
  readonly serve: (transport: Transport, rank: number) => Promise<void>
}

export function createPathAcceptor(deps: PathAcceptorDeps): PathAcceptor {
  const { scheduler, random, incoming, spawn, onConnection } = deps
  const startNumber = random.bytes(PATH_NUMBER_BYTES)
  const connections = new Map<string, CombinedConnection>()
  const ended = new Set<string>()
  let unsaid = 0

  /** The connection that a path joins: one that is there, or a new one. */
  function joined(key: string, { connection: { peer } }: AgreedPath): CombinedConnection {
    const known = connections.get(key)
    if (known !== undefined) return known
    const combined = createCombinedConnection({ peer, outgoing: false, spawn, onPathLost: () => undefined })
    connections.set(key, combined)
    spawn('connection', async () => {
      await combined.closed
      connections.delete(key)
      ended.add(key)
      const [oldest] = ended
      if (ended.size > MAX_ENDED && oldest !== undefined) ended.delete(oldest)
    })
    return combined
  }

  async function admit(connection: Connection, transport: Transport, rank: number): Promise<void> {
    const afterMs = PREFACE_DEADLINE_MS
    const deadline = createDeadline({ parents: [], scheduler, afterMs, waitingFor: 'what a path belongs to' })
    unsaid += 1
    try {
      const agreed = await orAborted(meetPath(connection), deadline.signal, () => undefined)
      const key = keyOf(idKey(connection.peer), agreed.number)
      await orAborted(answerPath(agreed, startNumber), deadline.signal, () => undefined)
      if (ended.has(key)) return await connection.close('the connection has ended')
      // From here on in one go: the connection is never there without a path.
      const isNew = !connections.has(key)
      const combined = joined(key, agreed)
      combined.add(createPath({ name: transport.name, rank, agreed, scheduler }))
      if (!isNew) return
      onConnection(combined)
      if (!incoming.push(combined)) await combined.close('too many connections wait to be accepted')
    } catch {
      // The dialler broke off, was too slow, or is not one of us.
      await connection.close('not a path')
    } finally {
      unsaid -= 1
      deadline.release()
    }
  }

  return {
    serve: async (transport, rank) => {
      for await (const connection of transport.incoming) {
        if (unsaid < MAX_UNSAID) spawn('path', () => admit(connection, transport, rank))
        else spawn('refuse path', () => connection.close('too many paths at once'))
      }
    },
  }
}

function keyOf(peer: IdKey, number: Uint8Array): string {
  return peer + toHex(number)
}
