/**
 * Epochs for people: what they are for, and how far they are acknowledged.
 *
 * @module
 */
import { daemon, system } from '@lattice/proto'
import type { PeerNames } from '../peer-names.ts'
import { enumText } from './enum-text.ts'
import { formatPlural } from './units.ts'
import type { Style } from './style.ts'
import type { Cell } from './table.ts'

/** `revoked laptop; nas keeps reader`, `initial`. */
export function epochCauseText({ cause, removals }: daemon.Epoch, names: PeerNames): string {
  if (removals.length === 0) return enumText(daemon.EpochCauseSchema, cause).replaceAll('_', ' ')
  return removals
    .map(({ peer, remains }) =>
      remains === system.Role.UNSPECIFIED
        ? `revoked ${names(peer)}`
        : `${names(peer)} keeps ${enumText(system.RoleSchema, remains)}`,
    )
    .join('; ')
}

/** `final`, `settled`, `waiting for nas`, or why it has no effect. */
export function epochStateCell(epoch: daemon.Epoch, names: PeerNames, style: Style): Cell {
  if (epoch.fault !== '') return { text: `no effect: ${faultWords(epoch)}`, paint: style.dim }
  if (epoch.diverged) return { text: 'DIVERGED: peers signed different states', paint: style.bad }
  if (epoch.final) return { text: 'final', paint: style.good }
  if (epoch.settled) return { text: 'settled', paint: style.good }
  return { text: `waiting for ${epoch.waitingFor.map((peer) => names(peer)).join(', ')}`, paint: style.warn }
}

/** `initial by laptop`, `prune by nas`. */
export function epochTitle(epoch: daemon.Epoch, names: PeerNames): string {
  return `${epochCauseText(epoch, names)} by ${names(epoch.author)}`
}

/** `1 of 2 peers have acknowledged it, waiting for nas`, or why nobody has to. */
export function acksText(epoch: daemon.Epoch, names: PeerNames): string {
  const { required, acked, waitingFor, settled, mayCount } = epoch
  if (epoch.fault !== '') return `it has no effect${mayCount ? ' as yet' : ''}: ${faultText(epoch)}`
  if (required.length === 0) return 'nobody has to acknowledge it'
  const count = `${acked.length} of ${formatPlural(required.length, 'peer')} ${required.length === 1 ? 'has' : 'have'} acknowledged it`
  if (settled) return `${count}, it is settled`
  return `${count}, waiting for ${waitingFor.map((peer) => names(peer)).join(', ')}`
}

/** A sentence of why it has no effect. */
export function faultText(epoch: daemon.Epoch): string {
  return FAULTS[epoch.fault] ?? faultWords(epoch)
}

function faultWords({ fault }: daemon.Epoch): string {
  return fault.replaceAll('_', ' ')
}

/** Of those that an epoch which counted when it was made may come to have. */
const FAULTS: Readonly<Record<string, string>> = {
  outranked: 'a senior admin took the rights of its author at the same time',
  set_aside: 'an admin set it aside, as what it follows in the store above did not come to count',
  parent_unknown: 'what it follows in the store above is not here',
  parent_void: 'what it follows in the store above has no effect',
  admin_unknown: 'its author is no admin by what is here of the store above',
}
