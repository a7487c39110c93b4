/**
 * `lattice store ack`, `store debug observations` and `store debug forks`: who has seen what, and who forked.
 *
 * @module
 */
import { toHex } from '@lattice/model'
import { daemon } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { OPTIONAL_STORE_ARGUMENT, parseCount } from '../parse-option.ts'
import { formatId } from '../render/bytes-text.ts'
import { lagText } from '../render/lag-text.ts'
import { type Cell, renderTable } from '../render/table.ts'
import { formatCount, formatPlural } from '../render/units.ts'
import type { Bind } from '../run-action.ts'

/** Forks listed at once: far more than a person reads. */
const MAX_FORKS = 1000
const DEFAULT_FORKS = 100

export function addAckCommand(store: Command, bind: Bind): void {
  store
    .command('ack')
    .description('tell the peers now what this node has seen')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .action(bind(acknowledge))
}

export function addObserveCommands(debug: Command, bind: Bind): void {
  debug
    .command('observations')
    .description('what every author has seen of every other, and what all have')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .action(bind(showObservations))
  debug
    .command('forks')
    .description('authors that wrote two intentions after the same one; with --json the proofs, too')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .option('-n, --number <count>', 'how many', parseCount({ min: 1, max: MAX_FORKS }), DEFAULT_FORKS)
    .action(
      bind((context, reference: string | undefined, options: { readonly number: number }) =>
        showForks(context, reference, options.number),
      ),
    )
}

async function acknowledge(context: CommandContext, reference: string | undefined): Promise<void> {
  const { out, signal } = context
  const { id } = await context.store(reference)
  const response = await (await context.backend()).store.acknowledge({ storeId: id }, { signal })
  await out.message(daemon.AcknowledgeResponseSchema, response, () =>
    response.id.length === 0 ? 'nothing to acknowledge' : `acknowledged: ${formatId(response.id, out.full)}`,
  )
}

async function showObservations(context: CommandContext, reference: string | undefined): Promise<void> {
  const { out, clock, signal } = context
  const { id } = await context.store(reference)
  const response = await (await context.backend()).store.observe({ storeId: id }, { signal })
  await out.message(daemon.ObservationsSchema, response, () => observationsText(response, out, clock.wallMs()))
}

/** Exported for its test. A row per author: what it has seen of each. */
export function observationsText(
  { authors, omitted, stable, headSeq, stableFrontier }: daemon.Observations,
  { style, width, full }: Pick<CommandContext['out'], 'style' | 'width' | 'full'>,
  nowMs: number,
): string {
  const table = renderTable({
    columns: [
      { header: 'AUTHOR' },
      { header: 'NAME' },
      { header: 'UNSEEN' },
      ...authors.map((each, index) => ({ header: headerOf(each, index), align: 'right' as const })),
    ],
    rows: authors.map((row): Cell[] => {
      const counts = new Map(row.seen.map(({ author, count }) => [toHex(author), count]))
      const lag = row.lag === undefined ? '' : lagText(row.lag, nowMs)
      return [
        { text: formatId(row.author, full), paint: style.name },
        row.name,
        lag,
        ...authors.map(({ author }) => formatCount(counts.get(toHex(author)) ?? 0n)),
      ]
    }),
    style,
    width,
  })
  const lines = [
    table,
    `${formatCount(stable)} of ${formatPlural(headSeq, 'intention')} seen by every peer that writes`,
    ...(stableFrontier.length === 0 ? [] : [`up to ${stableFrontier.map((each) => formatId(each, full)).join(' ')}`]),
    ...(omitted === 0 ? [] : [style.dim(`${formatPlural(omitted, 'author')} that wrote before these left out`)]),
  ]
  return lines.join('\n')
}

function headerOf({ name }: daemon.AuthorObservation, index: number): string {
  return name === '' ? `#${index + 1}` : name
}

async function showForks(context: CommandContext, reference: string | undefined, limit: number): Promise<void> {
  const { out, signal } = context
  const { id } = await context.store(reference)
  const response = await (await context.backend()).store.listForks({ storeId: id, limit }, { signal })
  await out.message(daemon.ListForksResponseSchema, response, () => {
    if (response.forks.length === 0) return 'nobody forked'
    return renderTable({
      columns: [{ header: 'AUTHOR' }, { header: 'NAME' }, { header: 'FIRST' }, { header: 'SECOND' }, { header: '' }],
      rows: response.forks.map((fork) => [
        { text: formatId(fork.author, out.full), paint: out.style.warn },
        fork.authorName,
        formatId(fork.first, out.full),
        formatId(fork.second, out.full),
        fork.joined ? 'joined' : { text: 'open', paint: out.style.warn },
      ]),
      style: out.style,
      width: out.width,
    })
  })
}
