/**
 * An event of the node as one line.
 *
 * @module
 */
import { daemon, system } from '@lattice/proto'
import type { PeerNames } from '../peer-names.ts'
import { formatId } from './bytes-text.ts'
import { printable } from './display-text.ts'
import { enumText } from './enum-text.ts'
import { storeStateText } from './store-list.ts'
import type { Style } from './style.ts'
import { formatCount, formatDuration, formatPlural, formatSize, formatTime } from './units.ts'

export interface EventTextOptions {
  readonly style: Style
  readonly full: boolean
  /** Of the store that an event is about; keys where there are none. */
  readonly names?: PeerNames
}

/** `2026-11-22 17:47:47Z  peer 3f2a9c01b2d4 is online`. */
export function nodeEventText(event: daemon.NodeEvent, options: EventTextOptions): string {
  return `${options.style.dim(formatTime(event.time))}  ${nodeEventSentence(event, options)}`
}

/** What happened, without when. */
export function nodeEventSentence({ event }: daemon.NodeEvent, { style, full, names }: EventTextOptions): string {
  const id = (bytes: Uint8Array): string => style.name(formatId(bytes, full))
  switch (event.case) {
    case 'storeReady':
      return `store ${id(event.value.storeId)} is ready`
    case 'joinFailed':
      return style.bad(`joining ${formatId(event.value.storeId, full)} failed: ${printable(event.value.message)}`)
    case 'syncResult':
      return syncText(event.value, { style, full })
    case 'peerOnline':
      return `peer ${id(event.value.peer)} is ${style.good('online')}`
    case 'peerOffline':
      return `peer ${id(event.value.peer)} is ${style.warn('offline')}`
    case 'forkDetected':
      return style.warn(
        `author ${formatId(event.value.author, full)} forked in ${formatId(event.value.storeId, full)}: was a backup restored there?`,
      )
    case 'stalled':
      return style.bad(
        `store ${formatId(event.value.storeId, full)} is stalled at ${event.value.seq}: ${printable(event.value.error)}`,
      )
    case 'storeFailed':
      return style.bad(`store ${formatId(event.value.storeId, full)} has failed: ${printable(event.value.message)}`)
    case 'resumed':
      return `store ${id(event.value.storeId)} goes on after ${formatCount(event.value.appliedSeq)}`
    case 'projectionProgress':
      return `store ${id(event.value.storeId)} projected ${formatCount(event.value.done)} of ${formatCount(event.value.total)}`
    case 'rebuilt':
      return `store ${id(event.value.storeId)} is rebuilt: ${formatCount(event.value.appliedSeq)} intentions projected`
    case 'bootstrapProgress':
      return `store ${id(event.value.storeId)} received ${bootstrapText(event.value)}`
    case 'clockSkew':
      return style.bad(skewText(event.value.aheadMs))
    case 'storeChanged':
      return storeChangedText(event.value, { style, full })
    case 'storeRemoved':
      return `store ${id(event.value.storeId)} is no longer on this node`
    case 'peerChanged':
      return peerChangedText(event.value, { style, full })
    case 'peerLag':
      return peerLagText(event.value, { style, full })
    case 'inviteClaimed':
      return `peer ${id(event.value.claimedBy)} joined ${id(event.value.storeId)} with invite ${id(event.value.tokenHash)}: ${formatPlural(event.value.usesLeft, 'use')} left`
    case 'selfRevoked': {
      const by = event.value.by.length === 0 ? '' : ` by ${formatId(event.value.by, full)}`
      return style.bad(
        `this node was removed from store ${formatId(event.value.storeId, full)}${by}: it can read what it has, 'store debug excluded' shows what was cut`,
      )
    }
    case 'stateDivergence':
    case 'pruneProgress':
    case 'pruned':
    case 'returned':
      return historySentence(event, { style, full })
    case 'epochWaiting':
      return epochWaitingText(event.value, { style, full, ...(names && { names }) })
    case 'epochSettled':
      return `epoch ${event.value.seq} of store ${id(event.value.storeId)} is settled (${id(event.value.epoch)})`
    case 'excluded': {
      const { storeId, author, count, own } = event.value
      const whose = own ? 'this node' : `peer ${formatId(author, full)}`
      const what = `${formatPlural(count, 'write')} of ${whose} in store ${formatId(storeId, full)}`
      return style.warn(`${what} count for nothing any more: they are beyond where its rights end`)
    }
    case 'lagged':
      return style.warn(`${formatPlural(event.value, 'event')} dropped: this reader is too slow`)
    case undefined:
      return 'something this version does not know'
  }
}

/** `epoch 4 of store 3f2a9c01b2d4 waits for nas, laptop and 3 more to acknowledge it (0a1b2c3d4e5f)`. */
function epochWaitingText(
  { storeId, epoch, seq, waitingFor, total }: daemon.EpochWaiting,
  { style, full, names = (peer) => formatId(peer, full) }: EventTextOptions,
): string {
  const id = (bytes: Uint8Array): string => style.name(formatId(bytes, full))
  const more = total - BigInt(waitingFor.length)
  const peers = `${waitingFor.map((peer) => names(peer)).join(', ')}${more > 0n ? ` and ${formatCount(more)} more` : ''}`
  return `epoch ${seq} of store ${id(storeId)} waits for ${style.warn(peers)} to acknowledge it (${id(epoch)})`
}

/** What came of reconciling with one peer. */
export function syncText(outcome: daemon.SyncOutcome, { style, full }: EventTextOptions): string {
  const id = formatId(outcome.peer, full)
  const peer = style.name(outcome.name === '' ? id : `${printable(outcome.name)} (${id})`)
  const moved = `sent ${formatCount(outcome.sent)}, received ${formatCount(outcome.received)}`
  const why = printable(outcome.error)
  switch (outcome.result) {
    case daemon.SyncResult.SYNCED:
      return `${peer} ${style.good('synced')}: ${moved}`
    case daemon.SyncResult.UNSPECIFIED:
    case daemon.SyncResult.DIFFERS:
      return `${peer} ${style.warn('not synced yet')}: ${moved}`
    case daemon.SyncResult.FAILED:
      return `${peer} ${style.bad('failed')}: ${why} (${outcome.errorCode})`
    case daemon.SyncResult.REFUSED:
      return `${peer} ${style.bad('refused')}: ${why} (${outcome.errorCode})`
    case daemon.SyncResult.UNREACHABLE:
      return `${peer} ${style.warn('unreachable')}: ${why}`
    case daemon.SyncResult.MUTED:
      return `${peer} ${style.bad('shut out')}: ${why}`
    case daemon.SyncResult.INACTIVE:
      return `${peer} ${style.dim('takes no part')}: ${why}`
  }
}

/** `store team/notes (3f2a9c01b2d4) is archived`. */
function storeChangedText(store: daemon.StoreInfo, { style, full }: EventTextOptions): string {
  const label = printable(store.path === '' ? store.name : store.path)
  const idText = formatId(store.id, full)
  const id = style.name(idText)
  const state = storeStateText(store, style)
  const shown = typeof state === 'string' ? state : state.paint(state.text)
  // The path of a store whose name has not come yet is made of its id.
  const isNamed = store.name !== '' || !idText.startsWith(label)
  return `store ${isNamed ? `${label} (${id})` : id} is ${shown}`
}

/** `peer nas (cdcdcdcdcdcd) is an active writer of 3f2a9c01b2d4`. */
function peerChangedText(
  { storeId, peer, name, status, role }: daemon.PeerChanged,
  { style, full }: EventTextOptions,
): string {
  const id = style.name(formatId(peer, full))
  const who = name === '' ? id : `${printable(name)} (${id})`
  const what = `${enumText(system.PeerStatusSchema, status)} ${enumText(system.RoleSchema, role)}`
  return `peer ${who} is ${/^[aeiou]/u.test(what) ? 'an' : 'a'} ${what} of ${style.name(formatId(storeId, full))}`
}

function peerLagText({ storeId, peer, lag }: daemon.PeerLagChanged, { style, full }: EventTextOptions): string {
  const unseen = lag?.unseen ?? 0n
  const who = `peer ${style.name(formatId(peer, full))}`
  const where = style.name(formatId(storeId, full))
  return unseen === 0n
    ? `${who} has caught up in ${where}`
    : `${who} is ${style.warn(`${formatPlural(unseen, 'intention')} behind`)} in ${where}`
}

function skewText(aheadMs: bigint): string {
  const size = formatDuration(aheadMs < 0n ? -aheadMs : aheadMs)
  return `the clock of this node is ${size} ${aheadMs < 0n ? 'behind' : 'ahead of'} its peers: set it right`
}

/** `1,024 of 20,000 (230 KB from 3 peers)`. */
function bootstrapText({ done, total, bytes, peers }: daemon.BootstrapProgress): string {
  const far = `${formatCount(done)} of ${formatCount(total)}`
  return peers === 0 ? far : `${far} (${formatSize(bytes)} from ${formatPlural(peers, 'peer')})`
}

type HistoryEvent = Extract<
  daemon.NodeEvent['event'],
  { case: 'stateDivergence' | 'pruneProgress' | 'pruned' | 'returned' }
>

function historySentence(event: HistoryEvent, { style, full }: EventTextOptions): string {
  const id = (bytes: Uint8Array): string => style.name(formatId(bytes, full))
  switch (event.case) {
    case 'stateDivergence': {
      const { storeId, epoch, others } = event.value
      const who = others.map(({ peer }) => formatId(peer, full)).join(', ')
      return style.bad(
        `${who} came to another state of store ${formatId(storeId, full)} at epoch ${formatId(epoch, full)}: nothing is pruned while that stands, 'lattice why' says what to do`,
      )
    }
    case 'pruneProgress':
      return `pruning store ${id(event.value.storeId)}: ${formatCount(event.value.done)} of ${formatCount(event.value.total)} steps`
    case 'pruned': {
      const { storeId, epoch, intentions, bytesBefore, bytesAfter } = event.value
      return `store ${id(storeId)} was pruned at epoch ${id(epoch)}: ${formatPlural(intentions, 'intention')} less, its log went from ${formatSize(bytesBefore)} to ${formatSize(bytesAfter)}`
    }
    case 'returned': {
      const { storeId, kept, waiting } = event.value
      const had = `store ${id(storeId)} was made anew from its peers, which had deleted history that this node lacked: ${formatPlural(kept, 'own write')} kept`
      if (waiting === 0n) return had
      return style.bad(
        `${had}; ${formatPlural(waiting, 'own write')} cite what is gone and count nowhere: write them anew, the log before is kept beside`,
      )
    }
  }
}
