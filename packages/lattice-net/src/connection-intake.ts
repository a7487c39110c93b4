/**
 * Where connections come in, those that peers make and those made here: which are served, which are turned away.
 *
 * @module
 */
import { equalBytes, type Logger, type PublicKey, type Scope } from '@lattice/model'
import type { Connection, Transport } from '@lattice/net-types'
import type { LinkTable } from './link-table.ts'
import type { PeerLedger } from './peer-ledger.ts'
import type { PeerLink } from './peer-link.ts'

export interface ConnectionIntake {
  /** Takes a new connection in, or closes it. */
  readonly adopt: (connection: Connection) => void
}

export interface ConnectionIntakeDeps {
  readonly transport: Pick<Transport, 'id' | 'incoming'>
  readonly links: LinkTable
  readonly ledger: PeerLedger
  readonly scope: Scope
  readonly logger: Logger
  /** Counts a connection that the peer made; false when it made too many of late. */
  readonly count: (peer: PublicKey) => boolean
  /** Serves a connection from now on. */
  readonly takeIn: (connection: Connection) => void
  /** True when the peer answers over this connection in time. Never rejects. */
  readonly showsLife: (link: PeerLink) => Promise<boolean>
}

/** Accepts what the transport brings until it ends. */
export function createConnectionIntake(deps: ConnectionIntakeDeps): ConnectionIntake {
  const { transport, links, ledger, scope, logger, takeIn } = deps
  // Connections that are asked for a sign of life, each for the sake of one other.
  const crossings = new Set<PeerLink>()
  const isClosed = (): boolean => scope.signal.aborted

  function turnAway(connection: Connection): void {
    scope.spawn('turn away', () => connection.close('not taken in'))
  }

  function adopt(connection: Connection): void {
    const { peer, outgoing } = connection
    const isCounted = outgoing || deps.count(peer)
    const isWelcome = isCounted && !isClosed() && !equalBytes(peer, transport.id) && ledger.mutedForMs(peer) === 0
    const admission = isWelcome ? links.admit(peer, outgoing) : 'refuse'
    const current = links.get(peer)
    if (admission === 'take') takeIn(connection)
    else if (admission === 'refuse' || current === undefined || crossings.has(current)) turnAway(connection)
    else scope.spawn('crossing', () => settleCrossing(current, connection))
  }

  /** Closes the new connection if the one that goes first lives, else lets it take its place. */
  async function settleCrossing(current: PeerLink, connection: Connection): Promise<void> {
    crossings.add(current)
    const isAlive = await deps.showsLife(current)
    crossings.delete(current)
    const present = links.get(connection.peer)
    const isFree = present === undefined || (present === current && !isAlive)
    if (isFree && !isClosed() && ledger.mutedForMs(connection.peer) === 0) takeIn(connection)
    else turnAway(connection)
  }

  async function acceptAll(): Promise<void> {
    try {
      for await (const connection of transport.incoming) adopt(connection)
    } catch (error) {
      logger.error('the transport stopped accepting', { error })
    }
  }

  scope.spawn('incoming', acceptAll)
  return { adopt }
}
