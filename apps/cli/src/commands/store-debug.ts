/**
 * `lattice store debug …`: the log of a store as it is.
 *
 * @module
 */
import { toHex } from '@lattice/model'
import { daemon } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { OPTIONAL_STORE_ARGUMENT, parseCount, toPrefix } from '../parse-option.ts'
import { formatId } from '../render/bytes-text.ts'
import { renderTable } from '../render/table.ts'
import { formatPlural, formatTime } from '../render/units.ts'
import type { Bind } from '../run-action.ts'
import { addEpochCommands } from './store-epochs.ts'
import { addStrandedCommand } from './store-stranded.ts'
import { addObserveCommands } from './store-observe.ts'

/** Most entries of one reply. */
const MAX_ENTRIES = 1000
const DEFAULT_ENTRIES = 100

interface BranchOptions {
  readonly number: number
  readonly causal?: boolean
}

interface PageOptions {
  readonly number: number
  readonly from?: number
}

export function addStoreDebugCommands(store: Command, bind: Bind): void {
  const debug = store.command('debug').description('the log of a store as it is')
  const countOption = [
    '-n, --number <count>',
    'how many',
    parseCount({ min: 1, max: MAX_ENTRIES }),
    DEFAULT_ENTRIES,
  ] as const
  addObserveCommands(debug, bind)
  addEpochCommands(debug, bind)
  addStrandedCommand(debug, bind)
  debug
    .command('tips')
    .description('the last witnessed intention of every author')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .action(bind(showTips))
  debug
    .command('witness')
    .description("this node's witness log, from the first record or from --from")
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .option(...countOption)
    .option('--from <seq>', 'first record', parseCount({ min: 1, max: Number.MAX_SAFE_INTEGER }))
    .action(
      bind((context, reference: string | undefined, options: PageOptions) => showWitness(context, reference, options)),
    )
  debug
    .command('floating')
    .description('what waits to be witnessed, and why')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .option(...countOption)
    .action(
      bind((context, reference: string | undefined, options: PageOptions) => showFloating(context, reference, options)),
    )
  debug
    .command('rejections')
    .description('what was recorded without effect, and why')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .option(...countOption)
    .option('--from <seq>', 'first record', parseCount({ min: 1, max: Number.MAX_SAFE_INTEGER }))
    .action(
      bind((context, reference: string | undefined, options: PageOptions) =>
        showRejections(context, reference, options),
      ),
    )
  debug
    .command('intention')
    .description('one intention in full')
    .argument('<prefix>', '4 or more digits of its id')
    .action(bind((context, prefix: string) => showIntention(context, prefix)))
  debug
    .command('branch')
    .description('where the histories of intentions parted, and what each has since')
    .argument('<head...>', '4 or more digits of their ids')
    .option(...countOption)
    .option('--causal', "causal deps alone, without each author's own chain")
    .action(bind((context, heads: string[], options: BranchOptions) => showBranch(context, heads, options)))
}

async function showTips(context: CommandContext, reference: string | undefined): Promise<void> {
  const { out, signal } = context
  const { id } = await context.store(reference)
  const response = await (await context.backend()).store.listTips({ storeId: id }, { signal })
  await out.message(daemon.ListTipsResponseSchema, response, () =>
    renderTable({
      columns: [
        { header: 'AUTHOR' },
        { header: 'NAME' },
        { header: 'TIP' },
        { header: 'POSITION', align: 'right' },
        { header: 'SEQ', align: 'right' },
        { header: 'TIME' },
        { header: '' },
      ],
      rows: response.tips.map((tip) => [
        formatId(tip.author, out.full),
        tip.authorName,
        { text: formatId(tip.id, out.full), paint: out.style.name },
        String(tip.position),
        String(tip.seq),
        formatTime(tip.wall),
        tip.joined ? 'joined' : '',
      ]),
      style: out.style,
      width: out.width,
    }),
  )
}

async function showWitness(
  context: CommandContext,
  reference: string | undefined,
  { number, from = 0 }: PageOptions,
): Promise<void> {
  const { out, signal } = context
  const { id } = await context.store(reference)
  const request = { storeId: id, fromSeq: BigInt(from), limit: number }
  const response = await (await context.backend()).store.listWitness(request, { signal })
  await out.message(daemon.ListWitnessResponseSchema, response, () =>
    renderTable({
      columns: [
        { header: 'SEQ', align: 'right' },
        { header: 'HASH' },
        { header: 'INTENTION' },
        { header: 'TIME' },
        { header: 'PREVIOUS' },
        { header: 'SIGNED' },
      ],
      rows: response.entries.map((entry) => [
        String(entry.seq),
        formatId(entry.hash, out.full),
        { text: formatId(entry.intentionId, out.full), paint: out.style.name },
        formatTime(entry.wallTime),
        formatId(entry.prevHash, out.full),
        entry.signed ? 'yes' : '',
      ]),
      style: out.style,
      width: out.width,
    }),
  )
}

async function showFloating(
  context: CommandContext,
  reference: string | undefined,
  { number }: PageOptions,
): Promise<void> {
  const { out, signal } = context
  const { id } = await context.store(reference)
  const response = await (await context.backend()).store.listFloating({ storeId: id, limit: number }, { signal })
  await out.message(daemon.ListFloatingResponseSchema, response, () =>
    response.total === 0n ? 'nothing floats' : floatingText(response, out),
  )
}

function floatingText(
  { entries, total }: daemon.ListFloatingResponse,
  { style, width, full }: CommandContext['out'],
): string {
  const table = renderTable({
    columns: [{ header: 'ID' }, { header: 'AUTHOR' }, { header: 'TIME' }, { header: 'WHY' }, { header: 'MISSING' }],
    rows: entries.map(({ intention, reason, missing }) => [
      { text: intention === undefined ? '' : formatId(intention.id, full), paint: style.name },
      intention === undefined ? '' : formatId(intention.author, full),
      intention === undefined ? '' : formatTime(intention.wall),
      reason,
      missing.map((each) => formatId(each, full)).join(' '),
    ]),
    style,
    width,
  })
  return BigInt(entries.length) < total
    ? `${table}\n${style.dim(`${entries.length} of ${formatPlural(total, 'intention')}`)}`
    : table
}

async function showRejections(
  context: CommandContext,
  reference: string | undefined,
  { number, from = 1 }: PageOptions,
): Promise<void> {
  const { out, signal } = context
  const { id } = await context.store(reference)
  const request = { storeId: id, afterSeq: BigInt(from - 1), limit: number }
  const response = await (await context.backend()).store.listRejections(request, { signal })
  await out.message(daemon.ListRejectionsResponseSchema, response, () => {
    if (response.total === 0n) return 'nothing was rejected'
    const table = renderTable({
      columns: [{ header: 'SEQ', align: 'right' }, { header: 'INTENTION' }, { header: 'WHY' }],
      rows: response.entries.map(({ seq, intentionId, reason }) => [
        String(seq),
        { text: formatId(intentionId, out.full), paint: out.style.name },
        reason,
      ]),
      style: out.style,
      width: out.width,
    })
    const isAll = BigInt(response.entries.length) === response.total
    return isAll ? table : `${table}\n${out.style.dim(`${response.entries.length} of ${response.total}`)}`
  })
}

async function showIntention(context: CommandContext, text: string): Promise<void> {
  const { out, signal } = context
  const { id } = await context.store()
  const prefix = toPrefix(text)
  const details = await (await context.backend()).store.getIntention({ storeId: id, prefix }, { signal })
  await out.message(daemon.IntentionDetailsSchema, details, () => {
    const place = details.seq === 0n ? `floating: ${details.floating}` : `witnessed as ${details.seq}`
    return `${out.style.dim(`${toHex(details.id)}, ${details.size} bytes, ${place}`)}\n${details.text}`
  })
}

async function showBranch(
  context: CommandContext,
  heads: readonly string[],
  { number, causal = false }: BranchOptions,
): Promise<void> {
  const { out, signal } = context
  const { id } = await context.store()
  const request = { storeId: id, heads: heads.map(toPrefix), causalOnly: causal, limit: number }
  const response = await (await context.backend()).store.inspectBranch(request, { signal })
  await out.message(daemon.InspectBranchResponseSchema, response, () => branchText(response, out))
}

function branchText({ lcas, branches }: daemon.InspectBranchResponse, { style, full }: CommandContext['out']): string {
  const name = (id: Uint8Array): string => style.name(formatId(id, full))
  const common = lcas.length === 0 ? ['nothing in common'] : ['in common up to', ...lcas.map((id) => `  ${name(id)}`)]
  const lines = branches.flatMap(({ head, count, ids }) => [
    `${name(head)} ${style.dim(formatPlural(count, 'intention'))}`,
    ...(BigInt(ids.length) < count ? [style.dim(`  … ${count - BigInt(ids.length)} before`)] : []),
    ...ids.map((each) => `  ${formatId(each, full)}`),
  ])
  return [...common, ...lines].join('\n')
}
