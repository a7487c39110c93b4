/**
 * `lattice store history`: what was written, newest first.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { daemon } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { parseCount } from '../parse-option.ts'
import { formatId } from '../render/bytes-text.ts'
import { truncate } from '../render/display-text.ts'
import { renderTable } from '../render/table.ts'
import { formatTime } from '../render/units.ts'
import type { Bind } from '../run-action.ts'

const DEFAULT_ENTRIES = 20
/** Most entries of one reply. */
const PAGE_ENTRIES = 1000
/** What a summary takes at most unless it is asked for in full: a batch names every key it writes. */
const SUMMARY_COLUMNS = 100
/** Text in quotes, which is data, or an id. */
const QUOTED_OR_ID = /"(?:\\.|[^"\\])*"|0x([0-9a-f]{12})[0-9a-f]{52}(?![0-9a-f])/gu
/** Most entries of one command: it answers with a single document. */
const MAX_ENTRIES = 100_000

interface HistoryOptions {
  readonly number: number
}

export function addHistoryCommand(store: Command, bind: Bind): void {
  store
    .command('history')
    .description('the intentions of the selected store, newest first')
    .option('-n, --number <count>', 'how many', parseCount({ min: 1, max: MAX_ENTRIES }), DEFAULT_ENTRIES)
    .action(bind((context, options: HistoryOptions) => showHistory(context, options)))
}

async function showHistory(context: CommandContext, { number }: HistoryOptions): Promise<void> {
  const { out, signal } = context
  const { id } = await context.store()
  const { store } = await context.backend()
  const response = create(daemon.HistoryResponseSchema)
  let beforeSeq = 0n
  do {
    const limit = Math.min(PAGE_ENTRIES, number - response.intentions.length)
    const page = await store.history({ storeId: id, beforeSeq, limit }, { signal })
    response.intentions.push(...page.intentions)
    response.nextBeforeSeq = page.nextBeforeSeq
    beforeSeq = page.nextBeforeSeq
  } while (beforeSeq !== 0n && response.intentions.length < number)
  await out.message(daemon.HistoryResponseSchema, response, () => historyText(response.intentions, out))
}

function historyText(
  intentions: readonly daemon.IntentionDetails[],
  { style, width, full }: CommandContext['out'],
): string {
  return renderTable({
    columns: [
      { header: 'SEQ', align: 'right' },
      { header: 'ID' },
      { header: 'AUTHOR' },
      { header: 'TIME' },
      { header: 'WHAT' },
    ],
    rows: intentions.map((each) => [
      String(each.seq),
      { text: formatId(each.id, full), paint: style.name },
      formatId(each.author, full),
      formatTime(each.wall),
      full ? each.summary : truncate(withShortIds(each.summary), SUMMARY_COLUMNS),
    ]),
    style,
    width,
  })
}

/** Ids and keys as everywhere else; what somebody wrote stays as it is. */
export function withShortIds(summary: string): string {
  return summary.replace(QUOTED_OR_ID, (text, digits: string | undefined) => digits ?? text)
}
