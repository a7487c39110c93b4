/**
 * `lattice store import FILE`: many records from a file or a pipe.
 *
 * @module
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { create, toBinary } from '@bufbuild/protobuf'
import { kv } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { CommandFailed, UsageError } from '../errors.ts'
import { type Batch, batchRecords } from '../import/batches.ts'
import { type LineFormat, readSeparator } from '../import/read-record.ts'
import { type ImportCounts, runImport } from '../import/run-import.ts'
import { splitLines } from '../import/split-lines.ts'
import { formatCount, formatDuration, formatPlural, formatSize } from '../render/units.ts'
import type { Bind } from '../run-action.ts'

const STDIN = '-'
const BATCH_METHOD = 'Batch'

interface ImportOptions {
  readonly separator?: string
  readonly comments?: boolean
}

export function addImportCommand(store: Command, bind: Bind): void {
  store
    .command('import')
    .description('write the records of a file: JSON Lines {"key":…,"value":…}, or separated text')
    .argument('<file>', 'a file, or - for stdin')
    .option('--separator <text>', String.raw`the key is what comes before it, the value the rest of the line; \t = tab`)
    .option('--comments', 'skip blank lines and lines that begin with #')
    .addHelpText(
      'after',
      '\nRecords are written in batches, in the order of the file. An import that ended early is\nsimply repeated: a key that is there already gets the same value again.',
    )
    .action(bind((context, file: string, options: ImportOptions) => importFile(context, file, options)))
}

async function importFile(context: CommandContext, file: string, options: ImportOptions): Promise<void> {
  const { out, clock, signal } = context
  const format = chooseFormat(file, options.separator)
  const { chunks, size } = await openInput(context, file)
  const send = await batchSender(context)
  const startMs = clock.monotonicMs()
  const elapsedMs = (): number => clock.monotonicMs() - startMs
  const bar = out.progress('importing')
  let counts: ImportCounts
  try {
    counts = await runImport({
      batches: batchRecords(splitLines(abortable(chunks, signal)), { format, comments: options.comments ?? false }),
      send,
      onProgress: (sofar, offset) =>
        bar.update(offset, size, `${formatCount(sofar.records)} records, ${rate(sofar, elapsedMs())}`),
    })
  } finally {
    bar.clear()
  }
  signal.throwIfAborted()
  const ms = elapsedMs()
  await out.document({ ...counts, ms: Math.round(ms) }, () => summaryText(counts, ms))
}

function chooseFormat(file: string, separator: string | undefined): LineFormat {
  if (separator !== undefined) {
    const bytes = readSeparator(separator)
    if (bytes === undefined) throw new UsageError('the separator is empty: give one such as --separator ";"')
    return { kind: 'separated', separator: bytes }
  }
  if (file === STDIN || /\.(?:jsonl|ndjson)$/iu.test(file)) return { kind: 'json' }
  throw new UsageError(`how are the lines of ${file} to be read?`, {
    hint: 'give --separator for separated text; JSON Lines are in files named .jsonl or .ndjson',
  })
}

async function openInput(
  { stdin }: CommandContext,
  file: string,
): Promise<{ readonly chunks: AsyncIterable<unknown>; readonly size: number }> {
  if (file === STDIN) return { chunks: stdin, size: 0 }
  try {
    const { size } = await stat(file)
    const chunks = createReadStream(file)
    // Opened before anything is written, so that an unreadable file is its own error.
    await new Promise((resolve, reject) => {
      chunks.once('open', resolve)
      chunks.once('error', reject)
    })
    return { chunks, size }
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

async function* abortable(chunks: AsyncIterable<unknown>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    signal.throwIfAborted()
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    // A plain array, for the `slice` of a Buffer would share instead of copy.
    if (bytes instanceof Uint8Array) yield new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
}

async function batchSender(context: CommandContext): Promise<(batch: Batch) => Promise<void>> {
  const { signal } = context
  const store = await context.store()
  const described = await context.storeInterface(store)
  const method = described.methods.find((each) => each.name === BATCH_METHOD)
  if (method?.input.typeName !== kv.BatchRequestSchema.typeName) {
    throw new CommandFailed(
      'NOT_SUPPORTED',
      `a store of type ${described.storeType} takes no keys and values to import`,
    )
  }
  const { dynamic } = await context.backend()
  return async ({ records }) => {
    const operations = records.map(({ key, value }) => ({ key, operation: { case: 'put' as const, value } }))
    const request = toBinary(kv.BatchRequestSchema, create(kv.BatchRequestSchema, { operations }))
    await dynamic.exec({ storeId: store.id, method: BATCH_METHOD, request }, { signal })
  }
}

function rate({ records }: ImportCounts, ms: number): string {
  return `${formatCount(Math.round(records / Math.max(ms / 1000, 0.001)))} records/s`
}

function summaryText(counts: ImportCounts, ms: number): string {
  return `imported ${formatPlural(counts.records, 'record')}, ${formatSize(counts.bytes)} in ${formatDuration(ms)} (${rate(counts, ms)})`
}
