/**
 * How a peer is held to its bounds, as far as a line of a table says it: only where it is not served.
 *
 * @module
 */
import { daemon } from '@lattice/proto'
import { formatDuration } from './units.ts'

/** `not served`, `shut out for 12.0 s`; undefined for a peer that is served. */
export function conductText({ conduct }: daemon.PeerInfo): string | undefined {
  switch (conduct?.standing) {
    case daemon.PeerStanding.MUTED:
      return 'not served'
    case daemon.PeerStanding.SHUT_OUT:
      return `shut out for ${formatDuration(conduct.shutOutForMs)}`
    default:
      return undefined
  }
}
