/**
 * `lattice store import FILE`: many records from a file or a pipe.
 *
 * @module
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { create, toBinary } from '@bufbuild/protobuf'
import { storeExecutor } from '@lattice/api/client'
import { toStoreId } from '@lattice/model'
import { kv } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { CommandFailed, UsageError } from '../errors.ts'
import { batchRecords, type ImportRecord } from '../import/batches.ts'
import { chooseFormat, STDIO } from '../import/choose-format.ts'
import { type ImportCounts, type ImportRun, runImport } from '../import/run-import.ts'
import { splitLines } from '../import/split-lines.ts'
import { formatCount, formatDuration, formatPlural, formatSize } from '../render/units.ts'
import type { Bind } from '../run-action.ts'

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
  const format = chooseFormat(file, { separator: options.separator, act: 'read' })
  const { chunks, size } = await openInput(context, file)
  const write = await batchWriter(context)
  const startMs = clock.monotonicMs()
  const elapsedMs = (): number => clock.monotonicMs() - startMs
  const bar = out.progress('importing')
  const lines = splitLines(untilAborted(chunks, signal))
  let counts: ImportCounts
  try {
    counts = await runImport({
      batches: batchRecords(lines, { format, comments: options.comments ?? false }),
      encode: encodeBatch,
      write,
      signal,
      onProgress: (sofar, offset) =>
        bar.update(offset, size, `${formatCount(sofar.records)} records, ${rate(sofar, elapsedMs())}`),
    })
  } finally {
    bar.clear()
  }
  if (signal.aborted) await out.note(`interrupted: ${formatPlural(counts.records, 'record')} imported before`)
  signal.throwIfAborted()
  const ms = elapsedMs()
  await out.document({ ...counts, ms: Math.round(ms) }, () => summaryText(counts, ms))
}

async function openInput(
  { stdin }: CommandContext,
  file: string,
): Promise<{ readonly chunks: AsyncIterable<unknown>; readonly size: number }> {
  if (file === STDIO) return { chunks: stdin, size: 0 }
  try {
    const found = await stat(file)
    if (found.isDirectory()) throw new UsageError(`${file} is a directory: name a file in it`)
    const chunks = createReadStream(file)
    // Opened before anything is written, so that an unreadable file is its own error.
    await new Promise((resolve, reject) => {
      chunks.once('open', resolve)
      chunks.once('error', reject)
    })
    return { chunks, size: found.size }
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(whyUnreadable(file, error))
  }
}

function whyUnreadable(file: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOENT' || code === 'ENOTDIR') return `there is no file ${file}`
  if (code === 'EACCES' || code === 'EPERM') return `${file} may not be read by this user`
  return `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`
}

/** Ends with the input, or quietly once aborted, also while nothing comes. */
async function* untilAborted(chunks: AsyncIterable<unknown>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const source = chunks[Symbol.asyncIterator]()
  const aborted = new Promise<'aborted'>((resolve) => {
    signal.addEventListener('abort', () => resolve('aborted'), { once: true })
    if (signal.aborted) resolve('aborted')
  })
  for (;;) {
    const next = await Promise.race([source.next(), aborted])
    if (next === 'aborted' || next.done === true) return
    const chunk: unknown = next.value
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    // A plain array, for the `slice` of a Buffer would share instead of copy.
    if (bytes instanceof Uint8Array) yield new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
}

function encodeBatch(records: readonly ImportRecord[]): Uint8Array {
  const operations = records.map(({ key, value }) =>
    create(kv.KvOperationSchema, { key, operation: { case: 'put', value } }),
  )
  return toBinary(kv.BatchRequestSchema, create(kv.BatchRequestSchema, { operations }))
}

async function batchWriter(context: CommandContext): Promise<ImportRun['write']> {
  const store = await context.store()
  const described = await context.storeInterface(store)
  const method = described.methods.find((each) => each.name === BATCH_METHOD)
  if (method?.input.typeName !== kv.BatchRequestSchema.typeName) {
    throw new CommandFailed(
      'NOT_SUPPORTED',
      `a store of type ${described.storeType} takes no keys and values to import`,
    )
  }
  const executor = storeExecutor(await context.backend(), toStoreId(store.id))
  return (requests, onProgress) => executor.execMany(BATCH_METHOD, requests, { onProgress })
}

function rate({ records }: ImportCounts, ms: number): string {
  return `${formatCount(Math.round(records / Math.max(ms / 1000, 0.001)))} records/s`
}

function summaryText(counts: ImportCounts, ms: number): string {
  if (counts.records === 0) return 'nothing to import: the input has no records'
  return `imported ${formatPlural(counts.records, 'record')}, ${formatSize(counts.bytes)} in ${formatDuration(ms)} (${rate(counts, ms)})`
}
