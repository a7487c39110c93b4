/**
 * `lattice store export FILE`: the keys and values of a store as lines that `store import` reads.
 *
 * Pages are fetched one after another and written as they come, so any store is exported in the memory of a page.
 *
 * @module
 */
import { storeExecutor } from '@lattice/api/client'
import { concatBytes, toStoreId } from '@lattice/model'
import { kv } from '@lattice/proto'
import { type Client, createClient } from '@lattice/store-base'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { CommandFailed, UsageError } from '../errors.ts'
import { chooseFormat, STDIO } from '../import/choose-format.ts'
import { type ExportTarget, openExportFile } from '../import/export-target.ts'
import type { LineFormat } from '../import/read-record.ts'
import { writeRecord } from '../import/write-record.ts'
import { formatBytes, parseBytes } from '../render/bytes-text.ts'
import { printable } from '../render/display-text.ts'
import { formatCount, formatDuration, formatPlural, formatSize } from '../render/units.ts'
import type { Bind } from '../run-action.ts'

const LIST_METHOD = 'List'
/** Keys of a page: a page also ends at half a frame, so this is few messages, and little memory. */
const PAGE_KEYS = 1000

interface ExportOptions {
  readonly separator?: string
  readonly prefix?: string
  readonly force?: boolean
}

interface ExportCounts {
  readonly records: number
  /** Bytes of the lines. */
  readonly bytes: number
  /** Keys of which several values stand; the one that wins was written. */
  readonly conflicted: number
}

export function addExportCommand(store: Command, bind: Bind): void {
  store
    .command('export')
    .description('write keys and values to a file: JSON Lines {"key":…,"value":…}, or separated text')
    .argument('<file>', 'a file named .jsonl or .ndjson, or - for stdout')
    .option('--separator <text>', String.raw`write the key, this, and the value instead; \t = tab`)
    .option('--prefix <prefix>', 'only the keys that begin with it')
    .option('--force', 'replace the file if it is there')
    .addHelpText(
      'after',
      '\nStore import reads it back with the same options. The file appears once it is whole. What is\nwritten meanwhile may be in it or not: each page is one state, the file need not be.',
    )
    .action(bind((context, file: string, options: ExportOptions) => exportFile(context, file, options)))
}

async function exportFile(context: CommandContext, file: string, options: ExportOptions): Promise<void> {
  const { out, clock } = context
  const format = chooseFormat(file, { separator: options.separator, act: 'written' })
  if (file === STDIO && out.json && format.kind !== 'json')
    throw new UsageError('with --json stdout is JSON: leave out --separator, or export to a file')
  const prefix = parseBytes(options.prefix ?? '')
  if (!prefix.ok) throw new UsageError(`the prefix ${prefix.error}`)
  const client = await keyValueClient(context)
  const target = file === STDIO ? stdoutTarget(context) : await openExportFile(file, { force: options.force ?? false })
  const startMs = clock.monotonicMs()
  let counts: ExportCounts
  try {
    counts = await writePages(context, { client, format, prefix: prefix.value, target })
    await target.finish()
  } finally {
    await target.discard()
  }
  const took = clock.monotonicMs() - startMs
  if (file === STDIO) await out.note(summaryText(counts, { file, took }))
  else await out.document({ ...counts, ms: Math.round(took) }, () => summaryText(counts, { file, took }))
  if (counts.conflicted > 0)
    await out.note(
      `${formatPlural(counts.conflicted, 'key')} of which several values stand: the one that wins was written`,
    )
}

interface Export {
  readonly client: Client<typeof kv.KvStore>
  readonly format: LineFormat
  readonly prefix: Uint8Array
  readonly target: ExportTarget
}

async function writePages(
  { out, signal }: CommandContext,
  { client, format, prefix, target }: Export,
): Promise<ExportCounts> {
  const bar = out.progress('exporting')
  let [records, bytes, conflicted] = [0, 0, 0]
  try {
    const total = Number((await client.count({ prefix }, signal)).count)
    let pageToken: Uint8Array = new Uint8Array()
    do {
      const page: kv.ListResponse = await client.list({ prefix, limit: PAGE_KEYS, pageToken }, signal)
      const lines = concatBytes(...page.items.map((item) => lineOf(item, format)))
      await target.write(lines)
      signal.throwIfAborted()
      records += page.items.length
      bytes += lines.length
      conflicted += page.items.filter((item) => item.conflicted).length
      bar.update(records, Math.max(total, records), `${formatCount(records)} records`)
      pageToken = page.nextPageToken
    } while (pageToken.length > 0)
  } finally {
    bar.clear()
  }
  return { records, bytes, conflicted }
}

function lineOf(item: kv.KeyValue, format: LineFormat): Uint8Array {
  const line = writeRecord(item, format)
  if (line.ok) return line.value
  throw new CommandFailed('INVALID_ARGUMENT', `key ${printable(formatBytes(item.key))}: ${line.error}`, {
    hint: 'export as JSON Lines, which hold any key and value: leave out --separator',
  })
}

function stdoutTarget({ out }: CommandContext): ExportTarget {
  return { write: out.bytes, finish: async () => undefined, discard: async () => undefined }
}

async function keyValueClient(context: CommandContext): Promise<Client<typeof kv.KvStore>> {
  const store = await context.store()
  const described = await context.storeInterface(store)
  const method = described.methods.find((each) => each.name === LIST_METHOD)
  if (method?.input.typeName !== kv.ListRequestSchema.typeName) {
    throw new CommandFailed('NOT_SUPPORTED', `a store of type ${described.storeType} has no keys and values to export`)
  }
  return createClient({ service: kv.KvStore }, storeExecutor(await context.backend(), toStoreId(store.id)))
}

function summaryText(
  { records, bytes }: ExportCounts,
  { file, took }: { readonly file: string; readonly took: number },
): string {
  const where = file === STDIO ? 'stdout' : printable(file)
  return `exported ${formatPlural(records, 'record')}, ${formatSize(bytes)}, to ${where} in ${formatDuration(took)}`
}
