/**
 * How a store is: its counts, digests and troubles, and its system table.
 *
 * @module
 */
import { isLatticeError, isLatticeErrorCode, type LatticeErrorCode, toHex } from '@lattice/model'
import { daemon } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { CommandFailed } from '../errors.ts'
import { OPTIONAL_STORE_ARGUMENT } from '../parse-option.ts'
import { type PeerNames, peerNames } from '../peer-names.ts'
import { formatId } from '../render/bytes-text.ts'
import { awaitingCell, closedStoreText } from '../render/closed-store.ts'
import { epochStateCell } from '../render/epoch-text.ts'
import { type StoreHistory, historyText } from '../render/history-text.ts'
import { failedStoreText } from '../render/integrity-text.ts'
import { asObject } from '../render/json-object.ts'
import { lagCell } from '../render/lag-text.ts'
import { API_FORMATS, messageToJson } from '../render/message-json.ts'
import { storeLabel, storeStateText } from '../render/store-list.ts'
import { systemTableText } from '../render/system-table.ts'
import { type Cell, renderPairs, renderTable } from '../render/table.ts'
import { formatCount, formatPlural, formatSize } from '../render/units.ts'
import type { Bind } from '../run-action.ts'
import { describeStore, storeNow } from '../store-selection.ts'

export function addStatusCommands(store: Command, bind: Bind): void {
  store
    .command('status')
    .description('counts, digests, peers and troubles of a store')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .option('-v, --verbose', 'also its history, epochs and snapshot, and every peer with its lag')
    .action(
      bind((context, reference: string | undefined, options: { readonly verbose?: boolean }) =>
        showStatus(context, reference, options.verbose === true || context.out.full),
      ),
    )
  store
    .command('system')
    .description('every entry of the system table: peers, invites, children, name; with -v ids in full')
    .action(bind(showSystem))
}

async function showStatus(context: CommandContext, reference: string | undefined, isVerbose: boolean): Promise<void> {
  const { out, clock, signal } = context
  const info = await storeNow(context, reference)
  const { id } = info
  if (info.state === daemon.StoreState.FAILED) return showFailed(context, info)
  const { store } = await context.backend()
  const status = await statusOf(context, info)
  const awaits = (status?.store ?? info).awaiting.length > 0 || status?.unsettled !== undefined
  const names = awaits ? await peerNames(context, info) : formatId
  if (status === undefined) {
    return out.message(daemon.StoreInfoSchema, info, () => closedStoreText(info, { style: out.style, names }))
  }
  const text = statusText(status, { ...out, names })
  if (!isVerbose) return out.message(daemon.StoreStatusSchema, status, () => text)
  const { peers } = await store.listPeers({ storeId: id }, { signal })
  const history = await historyOf(context, id)
  const document = {
    ...asObject(messageToJson(daemon.StoreStatusSchema, status, API_FORMATS)),
    peerList: peers.map((peer) => messageToJson(daemon.PeerInfoSchema, peer, API_FORMATS)),
    pruning: messageToJson(daemon.PruningStatusSchema, history.pruning, API_FORMATS),
    snapshot: messageToJson(daemon.SnapshotStatusSchema, history.snapshot, API_FORMATS),
    epochs: history.epochs.map((epoch) => messageToJson(daemon.EpochSchema, epoch, API_FORMATS)),
  }
  const shownNames = out.json ? formatId : await peerNames(context, info)
  return out.document(document, () =>
    [text, historyText(history, { ...out, names: shownNames }), peersText(peers, out, clock.wallMs())].join('\n\n'),
  )
}

/** The newest epochs tell how far nodes have come; all of them are in `store debug epochs`. */
const EPOCHS_SHOWN = 3

async function historyOf({ backend, signal }: CommandContext, storeId: Uint8Array): Promise<StoreHistory> {
  const { store } = await backend()
  const [pruning, snapshot, { epochs }] = await Promise.all([
    store.getPruning({ storeId }, { signal }),
    store.getSnapshot({ storeId }, { signal }),
    store.listEpochs({ storeId, limit: EPOCHS_SHOWN }, { signal }),
  ])
  return { pruning, snapshot, epochs }
}

/** Undefined where the store is not in use and was not meant to be. */
async function statusOf(
  { backend, signal }: CommandContext,
  info: daemon.StoreInfo,
): Promise<daemon.StoreStatus | undefined> {
  try {
    return await (await backend()).store.getStatus({ storeId: info.id }, { signal })
  } catch (error) {
    const isClosed = isLatticeError(error) && CLOSED.includes(error.code)
    if (!isClosed || info.state === daemon.StoreState.ACTIVE) throw error
    return undefined
  }
}

/** What a node answers about a store that it does not have open. */
const CLOSED: readonly LatticeErrorCode[] = ['STORE_NOT_READY', 'WRONG_STATE']

/** Who has what, as far as it is known. */
function peersText(
  peers: readonly daemon.PeerInfo[],
  { style, width, full }: CommandContext['out'],
  nowMs: number,
): string {
  return renderTable({
    columns: [{ header: 'PEER' }, { header: 'NAME' }, { header: '' }, { header: 'LAG' }],
    rows: peers.map((peer) => [
      { text: formatId(peer.publicKey, full), paint: style.name },
      peer.name,
      presenceText(peer),
      lagCell(peer, style, nowMs),
    ]),
    style,
    width,
  })
}

function presenceText({ self, online }: daemon.PeerInfo): string {
  if (self) return 'this node'
  return online ? 'online' : 'offline'
}

/** Shown as it is; the exit code is that of what went wrong. */
async function showFailed({ out }: CommandContext, info: daemon.StoreInfo): Promise<void> {
  await out.message(daemon.StoreInfoSchema, info, () => failedStoreText(info, out))
  const code = isLatticeErrorCode(info.errorCode) ? info.errorCode : 'INTERNAL'
  throw new CommandFailed(code, `${describeStore(info)} cannot be used`)
}

interface StatusTextOptions extends Pick<CommandContext['out'], 'style' | 'full'> {
  readonly names?: PeerNames
}

const STRATEGIES: Readonly<Record<string, string>> = {
  inherited: 'inherited: the peers of its parent, as they are at any time',
  independent: 'independent: peers of its own',
  snapshot: "snapshot: peers of its own, in the beginning its parent's",
}

/** Exported for its test. */
export function statusText(status: daemon.StoreStatus, { style, full, names = formatId }: StatusTextOptions): string {
  const { store } = status
  const pairs: [string, Cell][] = []
  if (store !== undefined) {
    pairs.push(
      ['store', { text: storeLabel(store), paint: style.strong }],
      ['id', toHex(store.id)],
      ['type', store.storeType],
      ['state', storeStateText(store, style)],
    )
    if (store.awaiting.length > 0) pairs.push(['waiting', awaitingCell(store, { style, names })])
    if (!store.hasData) pairs.push(['data', { text: 'none on this node', paint: style.warn }])
    if (store.headless) {
      const text = `nothing here opens ${store.storeType}: it is received, kept and served, its data unread`
      pairs.push(['', { text, paint: style.dim }])
    }
    if (store.error !== '') pairs.push(['error', { text: store.error, paint: style.bad }])
  }
  pairs.push(
    ['peers', `${formatPlural(status.peers, 'peer')} with this node, ${status.peersOnline} online`],
    ['strategy', STRATEGIES[status.strategy] ?? status.strategy],
    ['sync', syncCell(status, style)],
    ...unsettledPairs(status, style, names),
    ...(status.held === '' ? [] : [['writes', { text: `held: ${status.held}`, paint: style.warn }] as [string, Cell]]),
    ['keys', formatCount(status.keys)],
    ['intentions', `${formatCount(status.witnessCount)} witnessed, ${formatCount(status.floating)} floating`],
    ['authors', authorsCell(status, style)],
    [
      'rejections',
      { text: formatCount(status.rejections), paint: status.rejections > 0n ? style.warn : (text) => text },
    ],
    ['seen by all', seenCell(status)],
    ['projection', projectionCell(status, style)],
    ['size', sizeText(status)],
    ['fingerprint', formatId(status.fingerprint, full)],
    ['state digest', formatId(status.stateDigest, full)],
  )
  if (full) pairs.push(['witness head', formatId(status.witnessHead, full)])
  return renderPairs(pairs, style)
}

/** Who holds an epoch up, where anybody does. */
function unsettledPairs(
  { unsettled }: daemon.StoreStatus,
  style: CommandContext['out']['style'],
  names: PeerNames,
): [string, Cell][] {
  return unsettled === undefined ? [] : [[`epoch ${unsettled.seq}`, epochStateCell(unsettled, names, style)]]
}

function sizeText({ logBytes, stateBytes, snapshotBytes }: daemon.StoreStatus): string {
  const kept = snapshotBytes === 0n ? '' : `, snapshots ${formatSize(snapshotBytes)}`
  return `log ${formatSize(logBytes)}, state ${formatSize(stateBytes)}${kept}`
}

function authorsCell(status: daemon.StoreStatus, style: CommandContext['out']['style']): Cell {
  if (status.forkedAuthors === 0) return String(status.authors)
  if (status.openForks === 0) return `${status.authors}, ${formatPlural(status.forkedAuthors, 'fork')}, all joined`
  const open = formatPlural(status.openForks, 'author')
  return {
    text: `${status.authors}, ${formatPlural(status.forkedAuthors, 'fork')}, ${open} not joined`,
    paint: style.warn,
  }
}

/** By what the peers that write have acknowledged; others are not asked. What was pruned counts as well. */
function seenCell({ stable, headSeq, peersLagging }: daemon.StoreStatus): string {
  const seen = `${formatCount(stable)} of ${formatCount(headSeq)} by every peer that writes`
  return peersLagging === 0 ? seen : `${seen}, ${formatPlural(peersLagging, 'peer')} behind`
}

function syncCell(status: daemon.StoreStatus, style: CommandContext['out']['style']): Cell {
  if (status.peersConnected === 0) return { text: 'no peer is connected', paint: style.dim }
  if (status.synced) return { text: 'synced with every connected peer', paint: style.good }
  if (status.peersDiffering === 0) return { text: 'comparing with the connected peers', paint: style.warn }
  return { text: `${formatPlural(status.peersDiffering, 'connected peer')} differing, syncing`, paint: style.warn }
}

function projectionCell(status: daemon.StoreStatus, style: CommandContext['out']['style']): Cell {
  const { stalled } = status
  if (stalled !== undefined) {
    return { text: `STALLED at ${stalled.seq} (${formatId(stalled.intentionId)}): ${stalled.error}`, paint: style.bad }
  }
  return `${formatCount(status.appliedSeq)} of ${formatCount(status.headSeq)}`
}

async function showSystem(context: CommandContext): Promise<void> {
  const { out, signal } = context
  const { id } = await context.store()
  const response = await (await context.backend()).store.listSystem({ storeId: id }, { signal })
  await out.message(daemon.ListSystemResponseSchema, response, () => systemTableText(response.entries, out))
}
