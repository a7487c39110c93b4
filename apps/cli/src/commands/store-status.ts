/**
 * How a store is: its counts, digests and troubles, and its system table.
 *
 * @module
 */
import { isLatticeErrorCode, toHex } from '@lattice/model'
import { daemon } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { CommandFailed } from '../errors.ts'
import { formatId } from '../render/bytes-text.ts'
import { failedStoreText } from '../render/integrity-text.ts'
import { othersOnline } from '../render/others-online.ts'
import { storeStateText } from '../render/store-list.ts'
import { type Cell, renderPairs, renderTable } from '../render/table.ts'
import { formatCount, formatPlural, formatSize } from '../render/units.ts'
import type { Bind } from '../run-action.ts'
import { describeStore } from '../store-selection.ts'

export function addStatusCommands(store: Command, bind: Bind): void {
  store
    .command('status')
    .description('counts, digests, peers and troubles of a store')
    .argument('[store]')
    .action(bind((context, reference: string | undefined) => showStatus(context, reference)))
  store
    .command('system')
    .description('every entry of the system table: peers, invites, children, name')
    .action(bind(showSystem))
}

async function showStatus(context: CommandContext, reference: string | undefined): Promise<void> {
  const { out, signal } = context
  const info = await context.store(reference)
  const { id } = info
  if (info.state === daemon.StoreState.FAILED) return showFailed(context, info)
  const status = await (await context.backend()).store.getStatus({ storeId: id }, { signal })
  await out.message(daemon.StoreStatusSchema, status, () => statusText(status, out))
}

/** Shown as it is; the exit code is that of what went wrong. */
async function showFailed({ out }: CommandContext, info: daemon.StoreInfo): Promise<void> {
  await out.message(daemon.StoreInfoSchema, info, () => failedStoreText(info, out))
  const code = isLatticeErrorCode(info.errorCode) ? info.errorCode : 'INTERNAL'
  throw new CommandFailed(code, `${describeStore(info)} cannot be used`)
}

/** Exported for its test. */
export function statusText(
  status: daemon.StoreStatus,
  { style, full }: Pick<CommandContext['out'], 'style' | 'full'>,
): string {
  const { store } = status
  const pairs: [string, Cell][] = []
  if (store !== undefined) {
    pairs.push(
      ['store', { text: store.path === '' ? store.name : store.path, paint: style.strong }],
      ['id', toHex(store.id)],
      ['type', store.storeType],
      ['state', storeStateText(store, style)],
    )
    if (store.headless) {
      const text = `nothing here opens ${store.storeType}: it is received, kept and served, its data unread`
      pairs.push(['', { text, paint: style.dim }])
    }
    if (store.error !== '') pairs.push(['error', { text: store.error, paint: style.bad }])
  }
  pairs.push(
    ['peers', `${formatPlural(status.peers, 'peer')} with this node, ${status.peersOnline} online, ${status.strategy}`],
    ['sync', syncCell(status, style)],
    ...(status.held === '' ? [] : [['writes', { text: `held: ${status.held}`, paint: style.warn }] as [string, Cell]]),
    ['keys', formatCount(status.keys)],
    ['intentions', `${formatCount(status.witnessCount)} witnessed, ${formatCount(status.floating)} floating`],
    [
      'authors',
      status.forkedAuthors === 0 ? String(status.authors) : `${status.authors}, ${status.forkedAuthors} forked`,
    ],
    [
      'rejections',
      { text: formatCount(status.rejections), paint: status.rejections > 0n ? style.warn : (text) => text },
    ],
    ['projection', projectionCell(status, style)],
    ['size', `log ${formatSize(status.logBytes)}, state ${formatSize(status.stateBytes)}`],
    ['fingerprint', formatId(status.fingerprint, full)],
    ['state digest', formatId(status.stateDigest, full)],
  )
  if (full) pairs.push(['witness head', formatId(status.witnessHead, full)])
  return renderPairs(pairs, style)
}

function syncCell(status: daemon.StoreStatus, style: CommandContext['out']['style']): Cell {
  if (othersOnline(status) === 0) return { text: 'no peer is connected', paint: style.dim }
  if (status.synced) return { text: 'synced with every connected peer', paint: style.good }
  if (status.peersDiffering === 0) return { text: 'comparing with the connected peers', paint: style.warn }
  return { text: `${formatPlural(status.peersDiffering, 'connected peer')} differing, syncing`, paint: style.warn }
}

function projectionCell(status: daemon.StoreStatus, style: CommandContext['out']['style']): Cell {
  const { stalled } = status
  if (stalled !== undefined) {
    return { text: `STALLED at ${stalled.seq} (${formatId(stalled.intentionId)}): ${stalled.error}`, paint: style.bad }
  }
  return `${formatCount(status.appliedSeq)} of ${formatCount(status.witnessCount)}`
}

async function showSystem(context: CommandContext): Promise<void> {
  const { out, signal } = context
  const { id } = await context.store()
  const response = await (await context.backend()).store.listSystem({ storeId: id }, { signal })
  await out.message(daemon.ListSystemResponseSchema, response, () =>
    renderTable({
      columns: [{ header: 'KEY' }, { header: 'VALUE' }, { header: '' }],
      rows: response.entries.map((entry) => [
        entry.key,
        entry.value,
        { text: entry.conflicted ? 'conflicted' : '', paint: out.style.warn },
      ]),
      style: out.style,
      width: out.width,
    }),
  )
}
