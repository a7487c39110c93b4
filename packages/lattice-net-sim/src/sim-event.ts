/**
 * What a simulated network tells of itself.
 *
 * @module
 */
import type { LinkMessage } from './sim-link.ts'

/** Something that happened, named by the nodes' keys in hex. */
export interface SimEvent {
  readonly kind: LinkMessage['kind'] | 'dial' | 'accept' | 'refuse' | 'connect' | 'lost' | 'crash' | 'replay' | 'redial'
  readonly from: string
  readonly to: string
  /** The connection, in order of their making; -1 before there is one. */
  readonly link: number
  readonly stream: number
  readonly bytes: number
}

/** Tells of an event; what does not apply may be left out. */
export type Emit = (event: Pick<SimEvent, 'kind' | 'from' | 'to'> & Partial<SimEvent>) => void
