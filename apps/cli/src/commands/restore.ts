/**
 * `lattice restore`: proves a backup good, and makes a node of it where there is none.
 *
 * It needs no daemon. What makes a node is loaded on demand, as `--embedded` does.
 *
 * @module
 */
import { resolve } from 'node:path'
import { toHex } from '@lattice/model'
import type { checkBackup, restoreFromBackup } from '@lattice/runtime'
import { type Command, Option } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { formatId } from '../render/bytes-text.ts'
import { printable } from '../render/display-text.ts'
import type { ProgressBar } from '../render/progress-bar.ts'
import { formatCount, formatDuration, formatPlural, formatSize, formatTime } from '../render/units.ts'
import type { Bind } from '../run-action.ts'

interface RestoreOptions {
  readonly to?: string
  readonly verify?: boolean
  readonly identity?: string
  readonly offlineOk?: boolean
}

type Verified = Awaited<ReturnType<typeof checkBackup>>
type Restored = Awaited<ReturnType<typeof restoreFromBackup>>

const HELP = `Make a node of a backup, in a directory that holds none.

The backup is proved good first: every file, and every record, signature and
link of every log. Nothing is overwritten: the data directory is absent or
empty before.

A restored node reads at once, and writes to a store once it was compared with
one other peer of it, so that it first has what it wrote after the backup. With
--offline-ok it writes at once; what it wrote after the backup and a peer still
has then shows as a fork, which converges.
For a single store 'lattice store repair --accept-fork' does the same later.

Never run the old node and the restored one at the same time.`

/** `dataDir` is where the node of this command line lives. */
export function addRestoreCommand(program: Command, bind: Bind, dataDir: () => string): void {
  program
    .command('restore')
    .summary('make a node of a backup, in a directory that holds none')
    .description(HELP)
    .argument('<dir>', 'the backup')
    .option('--to <dir>', 'data directory of the restored node; by default that of --data-dir')
    .option('--verify', 'only prove the backup good; exit code 6 when it is not')
    .option('--identity <file>', 'the identity key, where the backup has none')
    .addOption(new Option('--offline-ok', 'write at once, before any peer was compared').conflicts('verify'))
    .action(
      bind((context, directory: string, options: RestoreOptions) =>
        options.verify === true
          ? verify(context, directory)
          : restore(context, directory, { ...options, to: options.to ?? dataDir() }),
      ),
    )
}

async function verify({ out, clock, signal }: CommandContext, directory: string): Promise<void> {
  const runtime = await import('@lattice/runtime')
  const startMs = clock.monotonicMs()
  const bar = out.progress('verifying')
  let verified: Verified
  try {
    verified = await runtime.checkBackup({
      directory: resolve(directory),
      signal,
      onProgress: (progress) => showStep(bar, progress),
    })
  } finally {
    bar.clear()
  }
  const took = formatDuration(clock.monotonicMs() - startMs)
  await out.document(toJson(verified), () => [`the backup is good (${took})`, ...linesOf(verified, out)].join('\n'))
}

async function restore(
  { out, clock, signal }: CommandContext,
  directory: string,
  { to, identity, offlineOk = false }: RestoreOptions & { readonly to: string },
): Promise<void> {
  const runtime = await import('@lattice/runtime')
  const startMs = clock.monotonicMs()
  const bar = out.progress('restoring')
  let restored: Restored
  try {
    restored = await runtime.restoreFromBackup({
      directory: resolve(directory),
      dataDir: resolve(to),
      offlineOk,
      ...(identity !== undefined && { identityFile: resolve(identity) }),
      signal,
      onProgress: (progress) => showStep(bar, progress),
    })
  } finally {
    bar.clear()
  }
  const took = formatDuration(clock.monotonicMs() - startMs)
  const document = { ...toJson(restored), dataDir: restored.dataDir, heldStores: restored.held }
  await out.document(document, () =>
    [
      `restored ${printable(restored.dataDir)} in ${took}`,
      ...linesOf(restored, out),
      restored.held === 0
        ? 'it writes at once: start the node, and no other with this key'
        : 'a store with other peers is written to once it was compared with one of them: start the node, and no other with this key',
    ].join('\n'),
  )
}

interface Step {
  readonly stage?: string
  readonly part: string
  readonly done: number
  readonly total: number
}

function showStep(bar: ProgressBar, { stage = 'verifying', part, done, total }: Step): void {
  const count = part === 'files' || stage === 'copying' ? formatSize : formatCount
  bar.update(done, total, `${stage} ${printable(part)}, ${count(done)} of ${count(total)}`)
}

function linesOf(backup: Verified, { full }: CommandContext['out']): readonly string[] {
  return [
    `node ${formatId(backup.node, full)}, made ${formatTime(backup.createdAt)}, ${formatSize(backup.bytes)}, ${backup.withIdentity ? 'with' : 'without'} its identity key`,
    ...backup.stores.map((store) => `  ${printable(store.path)}  ${storeText(store)}`),
    ...backup.leftOut.map((sentence) => `not in it: ${printable(sentence)}`),
    ...backup.extra.map((path) => `no part of it: ${printable(path)}`),
  ]
}

function storeText({ isAsItWas, isEmpty, records, state }: Verified['stores'][number]): string {
  if (isAsItWas) return 'as it was, damaged: repair it once the node runs'
  return isEmpty ? `${state}, no data` : `${state}, ${formatPlural(records, 'record')}`
}

function toJson(backup: Verified): {
  readonly [key: string]: string | number | boolean | Record<string, string | number | boolean | string[]>[] | string[]
} {
  const { directory, createdAt, node, withIdentity, bytes, stores, leftOut, extra } = backup
  return {
    directory,
    createdAt: String(createdAt),
    node: toHex(node),
    withIdentity,
    bytes: String(bytes),
    stores: stores.map(({ id, path, storeType, state, isAsItWas, isEmpty, records, ownTips }) => ({
      id: toHex(id),
      path,
      storeType,
      state,
      isAsItWas,
      isEmpty,
      records: String(records),
      ownTips: ownTips.map(toHex),
    })),
    leftOut: [...leftOut],
    extra: [...extra],
  }
}
