/**
 * `lattice store debug epochs` and `store debug excluded`: where writes end to count, and what that cut.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { daemon } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { OPTIONAL_STORE_ARGUMENT, parseCount } from '../parse-option.ts'
import { peerNames } from '../peer-names.ts'
import { formatId } from '../render/bytes-text.ts'
import { epochCauseText, epochStateCell } from '../render/epoch-text.ts'
import { renderTable } from '../render/table.ts'
import { formatTime } from '../render/units.ts'
import type { Bind } from '../run-action.ts'

/** Most entries of one reply. */
const PAGE_ENTRIES = 1000
/** Most entries of one command: it answers with a single document. */
const MAX_ENTRIES = 100_000
const DEFAULT_ENTRIES = 100

interface PageOptions {
  readonly number: number
}

export function addEpochCommands(debug: Command, bind: Bind): void {
  const count = ['-n, --number <count>', 'how many', parseCount({ min: 1, max: MAX_ENTRIES }), DEFAULT_ENTRIES] as const
  debug
    .command('epochs')
    .description('epochs, the newest that counts first: what each is for, by whom, and who has yet to acknowledge it')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .option(...count)
    .action(
      bind((context, reference: string | undefined, options: PageOptions) => showEpochs(context, reference, options)),
    )
  debug
    .command('excluded')
    .description("what counts for nothing, as it was written beyond where its author's rights end")
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .option(...count)
    .action(
      bind((context, reference: string | undefined, options: PageOptions) => showExcluded(context, reference, options)),
    )
}

interface Asked {
  readonly limit: number
  readonly pageToken: Uint8Array
}

/** As many as are asked for, whatever one reply holds; answers where a list of more goes on. */
async function listPages(
  number: number,
  ask: (asked: Asked) => Promise<{ readonly count: number; readonly nextPageToken: Uint8Array }>,
): Promise<Uint8Array> {
  let [listed, pageToken] = [0, new Uint8Array()]
  do {
    const { count, nextPageToken } = await ask({ limit: Math.min(PAGE_ENTRIES, number - listed), pageToken })
    listed += count
    pageToken = Uint8Array.from(nextPageToken)
  } while (pageToken.length > 0 && listed < number)
  return pageToken
}

async function listEpochs(context: CommandContext, storeId: Uint8Array, number: number) {
  const { store } = await context.backend()
  const response = create(daemon.ListEpochsResponseSchema)
  response.nextPageToken = await listPages(number, async (asked) => {
    const { epochs, total, nextPageToken } = await store.listEpochs({ storeId, ...asked }, { signal: context.signal })
    response.epochs.push(...epochs)
    response.total = total
    return { count: epochs.length, nextPageToken }
  })
  return response
}

async function listExcluded(context: CommandContext, storeId: Uint8Array, number: number) {
  const { store } = await context.backend()
  const response = create(daemon.ListExcludedResponseSchema)
  response.nextPageToken = await listPages(number, async (asked) => {
    const { entries, nextPageToken } = await store.listExcluded({ storeId, ...asked }, { signal: context.signal })
    response.entries.push(...entries)
    return { count: entries.length, nextPageToken }
  })
  return response
}

async function showEpochs(
  context: CommandContext,
  reference: string | undefined,
  { number }: PageOptions,
): Promise<void> {
  const { out } = context
  const store = await context.store(reference)
  const response = await listEpochs(context, store.id, number)
  const names = response.epochs.length > 0 && !out.json ? await peerNames(context, store) : formatId
  await out.message(daemon.ListEpochsResponseSchema, response, () => {
    if (response.epochs.length === 0) return 'no epochs: the first comes with the first other peer that may write'
    const table = renderTable({
      columns: [
        { header: 'SEQ', align: 'right' },
        { header: 'EPOCH' },
        { header: 'FOR' },
        { header: 'BY' },
        { header: 'TIME' },
        { header: 'STATE' },
      ],
      rows: response.epochs.map((epoch) => [
        String(epoch.seq),
        { text: formatId(epoch.id, out.full), paint: out.style.name },
        epochCauseText(epoch, names),
        names(epoch.author),
        formatTime(epoch.wall),
        epochStateCell(epoch, names, out.style),
      ]),
      style: out.style,
      width: out.width,
    })
    const isAll = BigInt(response.epochs.length) === response.total
    return isAll ? table : `${table}\n${out.style.dim(`${response.epochs.length} of ${response.total}`)}`
  })
}

async function showExcluded(
  context: CommandContext,
  reference: string | undefined,
  { number }: PageOptions,
): Promise<void> {
  const { out } = context
  const store = await context.store(reference)
  const response = await listExcluded(context, store.id, number)
  const names = response.entries.length > 0 && !out.json ? await peerNames(context, store) : formatId
  await out.message(daemon.ListExcludedResponseSchema, response, () => {
    if (response.entries.length === 0) return 'nothing is excluded'
    const table = renderTable({
      columns: [
        { header: 'ID' },
        { header: 'AUTHOR' },
        { header: 'TIME' },
        { header: 'EPOCH' },
        { header: '' },
        { header: 'WHAT' },
      ],
      rows: response.entries.map((entry) => [
        { text: formatId(entry.id, out.full), paint: out.style.name },
        names(entry.author),
        formatTime(entry.wall),
        entry.epoch.length === 0 ? '' : formatId(entry.epoch, out.full),
        entry.link ? 'link' : '',
        entry.summary,
      ]),
      style: out.style,
      width: out.width,
    })
    const isAll = response.nextPageToken.length === 0
    return isAll ? table : `${table}\n${out.style.dim('there are more: ask for more with -n')}`
  })
}
