/**
 * A store's history for people: where it begins, what a prune would take, and the state that is kept at epochs.
 *
 * @module
 */
import { daemon, type system } from '@lattice/proto'
import type { PeerNames } from '../peer-names.ts'
import { formatId } from './bytes-text.ts'
import { acksText, epochStateCell, epochTitle } from './epoch-text.ts'
import type { Style } from './style.ts'
import type { Cell } from './table.ts'
import { renderPairs } from './table.ts'
import { formatCount, formatPlural, formatSize, formatTime } from './units.ts'

export interface HistoryTextOptions {
  readonly style: Style
  readonly full: boolean
  readonly names: PeerNames
}

/** `manual`, `the last 30 days are kept`. */
export function policyText(policy: system.PrunePolicy | undefined): string {
  const kept = policy?.policy
  switch (kept?.case) {
    case 'keepDays':
      return kept.value === 1 ? 'the last day is kept' : `the last ${formatCount(kept.value)} days are kept`
    case 'keepCount':
      return kept.value === 1 ? 'the last intention is kept' : `the last ${formatCount(kept.value)} intentions are kept`
    default:
      return 'manual: all of it is kept until somebody prunes'
  }
}

function partText(part: daemon.PrunePart | undefined): string {
  return `${formatPlural(part?.intentions ?? 0n, 'intention')}, ${formatSize(part?.bytes ?? 0n)}`
}

const { PruneHindrance, PruneWait, PruningState, SnapshotState } = daemon

/** What keeps it from being done at once, and what to do; empty where nothing does. */
export function hindranceText({ hindrance, waitsFor }: daemon.PrunePlan, names: PeerNames): string {
  switch (hindrance) {
    case PruneHindrance.EPOCH_NEEDED:
      return waitsFor.length === 0
        ? 'an epoch is made for it'
        : `an epoch is made for it; ${waitingText(waitsFor, names)} did not acknowledge the newest there is`
    case PruneHindrance.HISTORY_RECENT:
      return 'no epoch is old enough to be cut at: a prune makes one, for a later prune'
    case PruneHindrance.NOTHING_TO_PRUNE:
      return 'there is nothing to delete'
    case PruneHindrance.NOT_SETTLED:
      return `waits for ${waitingText(waitsFor, names)} to acknowledge the epoch`
    case PruneHindrance.NOT_FINAL:
      return 'waits for peers to sign the state at the epoch'
    case PruneHindrance.DIVERGED:
      return "nodes have come to different states, so nothing is deleted: 'lattice why' says who differs"
    case PruneHindrance.BESIDE:
      return 'writes were made beside the epoch that not every node can place: a prune at a later epoch takes them along'
    case PruneHindrance.NO_SNAPSHOT:
      return 'this node keeps no state at the epoch: only a node that reads the store can prune its own log'
    default:
      return ''
  }
}

export function planText(plan: daemon.PrunePlan, { style, full, names }: HistoryTextOptions): string {
  const hindrance = hindranceText(plan, names)
  const pairs: [string, Cell][] = [
    ['goes', partText(plan.goes)],
    ['stays', partText(plan.stays)],
    ['frees', `about ${formatSize(plan.freedBytes)} of the log`],
    ['cut at', plan.epoch.length === 0 ? 'an epoch that is not made yet' : `epoch ${formatId(plan.epoch, full)}`],
  ]
  if (hindrance !== '') pairs.push(['now', { text: hindrance, paint: style.warn }])
  return renderPairs(pairs, style)
}

/** What goes on; undefined when nothing does, or what is followed has no effect. */
export function pruningText(
  { state, epoch, done, total, failure, waitsOn, waitsFor, ineffective }: daemon.PruningStatus,
  names: PeerNames,
): string | undefined {
  if (ineffective !== undefined) {
    return ineffective.mayCount ? `epoch ${formatId(ineffective.id)}: ${acksText(ineffective, names)}` : undefined
  }
  switch (state) {
    case PruningState.WAITING:
      return `waits for ${WAITS[waitsOn] ?? waitingText(waitsFor, names)} (epoch ${formatId(epoch)})`
    case PruningState.PRUNING:
      return total === 0n ? 'prepared' : `${formatCount(done)} of ${formatCount(total)} steps`
    case PruningState.FAILED:
      return `failed, and is tried again: ${failure}`
    default:
      return undefined
  }
}

const WAITS: Readonly<Partial<Record<daemon.PruneWait, string>>> = {
  [PruneWait.FINALITY]: 'peers to sign the state at the epoch',
  [PruneWait.AGREEMENT]: 'nodes to come to the same state',
  [PruneWait.SNAPSHOT]: 'the state at the epoch to be kept here',
  [PruneWait.STATE]: 'the state in use to come as far',
  [PruneWait.BESIDE]: 'a later prune: writes were made beside this one that not every node can place',
}

function waitingText(peers: readonly Uint8Array[], names: PeerNames): string {
  return peers.length === 0 ? 'acknowledgements' : peers.map((peer) => names(peer)).join(', ')
}

/** Where history begins: `epoch 5 (3f2a9c01b2d4) of 2026-…, 1,234 intentions before it are gone`. */
export function baseText({ base }: daemon.PruningStatus, full: boolean): string {
  if (base === undefined) return 'all of it is here'
  const gone = `${formatPlural(base.gone, 'intention')} before it ${base.gone === 1n ? 'is' : 'are'} gone`
  return `begins with epoch ${base.seq} (${formatId(base.epoch, full)}) of ${formatTime(base.wall)}, ${gone}`
}

/** `epoch 5 (3f2a9c01b2d4): 12 rows, 20.5 kB, root 0a1b2c3d4e5f`. */
export function snapshotText({ epoch, seq, root, systemRows, appRows, bytes }: daemon.Snapshot, full: boolean): string {
  const rows = formatPlural(systemRows + appRows, 'row')
  return `epoch ${seq} (${formatId(epoch, full)}): ${rows}, ${formatSize(bytes)}, root ${formatId(root, full)}`
}

export function snapshotPairs(
  status: daemon.SnapshotStatus,
  { style, full, names }: HistoryTextOptions,
): [string, Cell][] {
  const { state, settled, candidate, making, failure, divergences } = status
  if (state === SnapshotState.OFF)
    return [['snapshot', { text: 'none: nothing here reads this store', paint: style.dim }]]
  const none = 'none: no epoch is settled yet'
  const pairs: [string, Cell][] = [['snapshot', settled === undefined ? none : snapshotText(settled, full)]]
  if (candidate !== undefined) pairs.push(['not settled', snapshotText(candidate, full)])
  if (making !== undefined)
    pairs.push(['making', `${formatCount(making.done)} of ${formatCount(making.total)} records`])
  if (failure !== '') pairs.push(['failed', { text: `${failure}; it is tried again`, paint: style.warn }])
  for (const { epoch, others } of divergences) {
    const text = `${others.map(({ peer }) => names(peer)).join(', ')} came to another state at epoch ${formatId(epoch, full)}`
    pairs.push(['DIVERGED', { text, paint: style.bad }])
  }
  return pairs
}

export interface StoreHistory {
  readonly pruning: daemon.PruningStatus
  readonly snapshot: daemon.SnapshotStatus
  /** Newest first. */
  readonly epochs: readonly daemon.Epoch[]
}

/** All of it, for the status of a store. */
export function historyText({ pruning, snapshot, epochs }: StoreHistory, options: HistoryTextOptions): string {
  const { style, full, names } = options
  const now = pruningText(pruning, names)
  const pairs: [string, Cell][] = [
    ['history', baseText(pruning, full)],
    ['kept', policyText(pruning.policy)],
    ...(now === undefined ? [] : [['pruning', { text: now, paint: style.warn }] as [string, Cell]]),
    ...snapshotPairs(snapshot, options),
    ...epochs.map((epoch): [string, Cell] => [`epoch ${epoch.seq}`, epochCell(epoch, options)]),
  ]
  return renderPairs(pairs, style)
}

function epochCell(epoch: daemon.Epoch, { names, style }: HistoryTextOptions): Cell {
  const state = epochStateCell(epoch, names, style)
  const title = epochTitle(epoch, names)
  return typeof state === 'string' ? `${title}: ${state}` : { ...state, text: `${title}: ${state.text}` }
}
