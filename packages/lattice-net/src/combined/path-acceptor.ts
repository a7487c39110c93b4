/**
 * The accepting side: each path that comes in says which connection of its peer it belongs to, and joins it, or begins it.
 *
 * Connections are kept by the proved key and the number together, so nothing a peer says can touch the connection of another.
 * An honest path says what it belongs to within a round trip. Where many say nothing, the one silent longest makes room for
 * each newcomer, by whatever keys they are: who would keep others out has to open paths faster than a round trip lets him.
 *
 * @module
 */
import { type AsyncQueue, type IdKey, idKey, type PublicKey, type Random, type Scheduler, toHex } from '@lattice/model'
import { type Connection, MAX_HANDSHAKES, type Transport } from '@lattice/net-types'
import { createDeadline, orAborted } from '../deadline.ts'
import { type CombinedConnection, createCombinedConnection } from './combined-connection.ts'
import { createPath } from './path.ts'
import { type AgreedPath, answerPath, meetPath, PATH_NUMBER_BYTES } from './path-preface.ts'

/**
 * How long a path may take to say what it belongs to: a round trip on the slowest link takes less.
 * @beyond The path is closed.
 */
export const PREFACE_DEADLINE_MS = 10_000
/**
 * Paths of all peers that have not said it yet: as many as shake hands at once.
 * @beyond The one silent longest is closed.
 */
export const MAX_UNSAID: number = MAX_HANDSHAKES
/**
 * Such paths of one peer: one over each transport, twice. Whoever opens more and says nothing takes no room of others.
 * @beyond The peer's own that is silent longest is closed.
 */
export const MAX_UNSAID_PER_PEER = 4
/**
 * Connections that ended, remembered so that a late path of one does not begin it anew.
 * @beyond The oldest is forgotten.
 */
const MAX_ENDED = 256

/** Why a path was let go that said nothing while others came. */
const CROWDED_OUT: Error = new Error('others came')

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
  const unsaid = createUnsaid()

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
    const leave = unsaid.enter(connection.peer, () => deadline.abort(CROWDED_OUT))
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
    } catch (error) {
      // The dialler broke off, was too slow, or is not one of us.
      await connection.close(error === CROWDED_OUT ? 'too many paths at once' : 'not a path')
    } finally {
      leave()
      deadline.release()
    }
  }

  return {
    serve: async (transport, rank) => {
      for await (const connection of transport.incoming) {
        spawn('path', () => admit(connection, transport, rank))
      }
    },
  }
}

/** The paths that have not said what they belong to. */
function createUnsaid(): {
  /** Takes in one more, at the cost of another where there is no room; returns how it leaves. */
  readonly enter: (peer: PublicKey, letGo: () => void) => () => void
} {
  // The one silent longest first.
  const paths = new Set<{ readonly key: IdKey; readonly letGo: () => void }>()
  return {
    enter: (peer, letGo) => {
      const path = { key: idKey(peer), letGo }
      const own = [...paths].filter(({ key }) => key === path.key)
      const [oldest] = own.length < MAX_UNSAID_PER_PEER ? paths : own
      const isFull = paths.size >= MAX_UNSAID || own.length >= MAX_UNSAID_PER_PEER
      if (isFull && oldest !== undefined) {
        paths.delete(oldest)
        oldest.letGo()
      }
      paths.add(path)
      return () => paths.delete(path)
    },
  }
}

function keyOf(peer: IdKey, number: Uint8Array): string {
  return peer + toHex(number)
}
