/**
 * The kinds of operation that are the kernel's own.
 *
 * @module
 */
import type { OpKind } from '@lattice/model'

export type SilentKind = 'epoch' | 'epochAck' | 'ack'

/** True for kinds that are the kernel's. They may also cite more than others. */
export function isSilent(kind: OpKind): kind is SilentKind {
  return kind === 'epoch' || kind === 'epochAck' || kind === 'ack'
}

/** True for kinds that no projector sees. Of the kernel's own an epoch that stands is shown to it. */
export function isUnseen(kind: OpKind): kind is 'epochAck' | 'ack' {
  return kind === 'epochAck' || kind === 'ack'
}
