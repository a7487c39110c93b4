/**
 * What peers are held to: invalid intentions are counted, a broken protocol ends the connection.
 *
 * Every misdeed is counted in the ledger, told as an event and logged here, in one place, whichever protocol showed it.
 *
 * @module
 */
import { type IngestOutcome, type Logger, toHex } from '@lattice/model'
import { BootstrapFailed, PeerViolation } from './errors.ts'
import type { GapFault } from './gap-filler.ts'
import type { NetworkEvent } from './network-event.ts'
import type { PeerLedger } from './peer-ledger.ts'
import type { PeerLink } from './peer-link.ts'

export interface PeerConduct {
  /** Counts those of an ingest that are invalid; too many end the connection. */
  readonly ingested: (link: PeerLink, outcomes: readonly IngestOutcome[]) => void
  /** It sent intentions whose causes it does not have, or that have no end. */
  readonly uncaused: (link: PeerLink, why: GapFault) => void
  /** A session ended in an error: one the peer is to blame for shuts it out. */
  readonly failed: (link: PeerLink, error: unknown) => void
}

export interface PeerConductDeps {
  readonly ledger: PeerLedger
  readonly logger: Logger
  readonly publish: (event: NetworkEvent) => void
  /** Closes a connection, also from within one of its own tasks. */
  readonly close: (link: PeerLink, message: string) => void
}

export function createPeerConduct({ ledger, logger, publish, close }: PeerConductDeps): PeerConduct {
  function report({ peer }: PeerLink, code: string, message: string): void {
    logger.warn('peer misbehaves', { peer: toHex(peer), code, message })
    publish({ kind: 'misbehaviour', peer, code, message })
  }
  return {
    ingested: (link, outcomes) => {
      const invalid = outcomes.filter((outcome) => outcome.kind === 'invalid')
      const [first] = invalid
      if (first === undefined) return
      const tooMany = ledger.invalid(link.peer, invalid.length)
      report(link, first.code, `sent ${invalid.length} invalid intentions`)
      if (tooMany) close(link, 'too many invalid intentions')
    },
    uncaused: (link, why) => {
      const tooMany = ledger.invalid(link.peer, 1)
      report(link, why, 'sent intentions without their causes')
      if (tooMany) close(link, 'too many invalid intentions')
    },
    failed: (link, error) => {
      if (!(error instanceof PeerViolation) && !(error instanceof BootstrapFailed)) {
        logger.debug('session failed', { peer: toHex(link.peer), error })
        return
      }
      ledger.strike(link.peer)
      report(link, error.detail.why, error.message)
      close(link, 'protocol violation')
    },
  }
}
