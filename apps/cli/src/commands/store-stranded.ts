/**
 * `lattice store debug stranded` and `store resubmit`: own writes that were put aside when a store began anew.
 *
 * @module
 */
import { isLatticeErrorCode } from '@lattice/model'
import { daemon } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { confirmYes } from '../confirm.ts'
import { CommandFailed } from '../errors.ts'
import { OPTIONAL_STORE_ARGUMENT, parseCount, toPrefix } from '../parse-option.ts'
import { formatId } from '../render/bytes-text.ts'
import { renderTable } from '../render/table.ts'
import { formatPlural, formatTime } from '../render/units.ts'
import type { Bind } from '../run-action.ts'
import { describeStore } from '../store-selection.ts'

/** Most entries of one reply. */
const MAX_ENTRIES = 1000
const DEFAULT_ENTRIES = 100

export function addStrandedCommand(debug: Command, bind: Bind): void {
  debug
    .command('stranded')
    .description('own writes whose causes were deleted while this node was away')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .option('-n, --number <count>', 'how many', parseCount({ min: 1, max: MAX_ENTRIES }), DEFAULT_ENTRIES)
    .action(
      bind((context, reference: string | undefined, options: { readonly number: number }) =>
        show(context, reference, options),
      ),
    )
}

export function addResubmitCommand(store: Command, bind: Bind): void {
  store
    .command('resubmit')
    .description('write anew what lost its causes while this node was away, on top of all that is there now')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .option('--only <id>', 'this one alone, by 4 or more digits of its id; again for another', addPrefix)
    .option('--drop', 'let it go instead')
    .option('--yes', 'without asking')
    .action(
      bind((context, reference: string | undefined, options: ResubmitOptions) => resubmit(context, reference, options)),
    )
}

interface ResubmitOptions {
  readonly only?: readonly string[]
  readonly drop?: boolean
  readonly yes?: boolean
}

function addPrefix(text: string, others: readonly string[] = []): readonly string[] {
  return [...others, toPrefix(text)]
}

async function show(
  context: CommandContext,
  reference: string | undefined,
  { number: limit }: { readonly number: number },
): Promise<void> {
  const { out, signal } = context
  const { id: storeId } = await context.store(reference)
  const response = await (await context.backend()).store.listStranded({ storeId, limit }, { signal })
  await out.message(daemon.ListStrandedResponseSchema, response, () => {
    if (response.writes.length === 0) return 'nothing is stranded'
    const table = renderTable({
      columns: [{ header: 'ID' }, { header: 'TIME' }, { header: 'WHAT' }, { header: 'TO DO' }],
      rows: response.writes.map(({ id, wall, summary, remedy }) => [
        { text: formatId(id, out.full), paint: out.style.name },
        formatTime(wall),
        summary,
        remedy === '' ? 'resubmit' : remedy,
      ]),
      style: out.style,
      width: out.width,
    })
    const isAll = BigInt(response.writes.length) === response.total
    return isAll ? table : `${table}\n${out.style.dim(`${response.writes.length} of ${response.total}`)}`
  })
}

async function resubmit(
  context: CommandContext,
  reference: string | undefined,
  { only = [], drop = false, yes = false }: ResubmitOptions,
): Promise<void> {
  const { out, signal } = context
  const info = await context.store(reference)
  const { store } = await context.backend()
  const { total } = await store.listStranded({ storeId: info.id, limit: 1 }, { signal })
  if (total > 0n) {
    const count = formatPlural(only.length === 0 ? total : BigInt(only.length), 'write')
    await confirmYes(context, {
      warning: drop
        ? `${count} of this node to ${describeStore(info)} will be gone for good`
        : `${count} of this node to ${describeStore(info)} will be written as of now, over what others wrote meanwhile`,
      verb: drop ? 'drop' : 'resubmit',
      name: count,
      isGiven: yes,
    })
  }
  const response = await store.resubmitStranded({ storeId: info.id, drop, ids: [...only] }, { signal })
  await out.message(daemon.ResubmitStrandedResponseSchema, response, () =>
    drop ? `dropped ${formatPlural(response.dropped, 'write')}` : resubmittedText(response, out),
  )
  assertAllDone(response)
}

function resubmittedText(
  { settled, kept }: daemon.ResubmitStrandedResponse,
  { style, full }: CommandContext['out'],
): string {
  const lines = kept.map(({ id, reason }) => `${style.name(formatId(id, full))} stays: ${reason}`)
  return [`submitted ${formatPlural(settled.length, 'write')} anew`, ...lines].join('\n')
}

/** Throws where something stays that was to be written: what was done is printed. */
function assertAllDone({ kept, error, errorCode }: daemon.ResubmitStrandedResponse): void {
  if (errorCode !== '') throw new CommandFailed(isLatticeErrorCode(errorCode) ? errorCode : 'INTERNAL', error)
  if (kept.length === 0) return
  throw new CommandFailed('NOT_SUPPORTED', `${formatPlural(kept.length, 'write')} cannot be written anew`, {
    hint: "do what it says, then let it go by 'store resubmit --drop --only ID'",
  })
}
