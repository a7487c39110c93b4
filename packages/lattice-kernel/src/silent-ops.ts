/**
 * The kinds of operation that are the kernel's own.
 *
 * @module
 */
import type { OpKind } from '@lattice/model'

export type SilentKind = 'epoch' | 'epochAck' | 'ack'

/** True for kinds that no state machine sees. They may also cite more than others. */
export function isSilent(kind: OpKind): kind is SilentKind {
  return kind === 'epoch' || kind === 'epochAck' || kind === 'ack'
}
