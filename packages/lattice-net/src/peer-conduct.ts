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
import type { PeerLedger, Standing } from './peer-ledger.ts'
import type { PeerLink } from './peer-link.ts'
import type { OverusedKind } from './peer-meter.ts'

interface Misconduct {
  readonly what: string
  readonly standing: Standing
}

export interface PeerConduct {
  /** Counts those of an ingest that are invalid; too many end the connection. */
  readonly ingested: (link: PeerLink, outcomes: readonly IngestOutcome[]) => void
  /** It sent intentions whose causes it does not have, or that have no end. */
  readonly uncaused: (link: PeerLink, why: GapFault) => void
  /** It asked for far more of something than it may. */
  readonly overused: (link: PeerLink, kind: OverusedKind) => void
  /** It opened a stream, or went on with one, while it is muted. */
  readonly askedWhileMuted: (link: PeerLink) => void
  /** It broke the protocol: it is shut out from now on, and its connection ends with the session. */
  readonly broke: (link: PeerLink, error: PeerViolation | BootstrapFailed) => void
  /** A session ended in an error: one the peer is to blame for shuts it out, if it is not yet, and ends its connection. */
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
  function report({ peer }: PeerLink, code: string, { what, standing }: Misconduct): void {
    const message = standing === 'muted' ? `${what}, and is not served for a while` : what
    logger.warn('peer misbehaves', { peer: toHex(peer), code, message })
    publish({ kind: 'misbehaviour', peer, code, message })
  }
  // What was told as it happened is not counted again as its session ends.
  const counted = new WeakSet<Error>()
  function broke(link: PeerLink, error: PeerViolation | BootstrapFailed): void {
    if (counted.has(error)) return
    counted.add(error)
    const standing = ledger.score(link.peer, 'violation')
    report(link, error.detail.why, { what: error.message, standing })
  }
  return {
    broke,
    ingested: (link, outcomes) => {
      const invalid = outcomes.filter((outcome) => outcome.kind === 'invalid')
      const [first] = invalid
      if (first === undefined) return
      const standing = ledger.score(link.peer, 'invalid_item', invalid.length)
      report(link, first.code, { what: `sent ${invalid.length} invalid intentions`, standing })
      if (standing === 'shut_out') close(link, 'too many invalid intentions')
    },
    uncaused: (link, why) => {
      const standing = ledger.score(link.peer, 'invalid_item')
      report(link, why, { what: 'sent intentions without their causes', standing })
      if (standing === 'shut_out') close(link, 'too many invalid intentions')
    },
    overused: (link, kind) => {
      const standing = ledger.score(link.peer, 'overuse')
      report(link, `overuse_${kind}`, { what: `asked for too much at once (${kind})`, standing })
      if (standing === 'shut_out') close(link, 'too much asked for')
    },
    askedWhileMuted: (link) => {
      if (ledger.score(link.peer, 'asked_while_muted') !== 'shut_out') return
      report(link, 'asked_while_muted', { what: 'went on asking while it was not served', standing: 'shut_out' })
      close(link, 'asked too often while not served')
    },
    failed: (link, error) => {
      if (!(error instanceof PeerViolation) && !(error instanceof BootstrapFailed)) {
        logger.debug('session failed', { peer: toHex(link.peer), error })
        return
      }
      broke(link, error)
      close(link, 'protocol violation')
    },
  }
}
