/**
 * `lattice backup`: a copy of the node, made while it runs.
 *
 * @module
 */
import { resolve } from 'node:path'
import { daemon } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { CommandFailed } from '../errors.ts'
import { printable } from '../render/display-text.ts'
import type { ProgressBar } from '../render/progress-bar.ts'
import { formatDuration, formatPlural, formatSize } from '../render/units.ts'
import type { Bind } from '../run-action.ts'

interface BackupOptions {
  readonly identity: boolean
}

const HELP = `Copy the node with all its stores to a new directory, while it runs.

The directory is made where the node runs; it is created, or has to be empty,
and lies outside the data directory. Writing goes on meanwhile. A backup without
a backup.json is not whole.

Whoever has the identity key can act as this node: keep the backup as you keep
the data directory, or leave the key out and keep a copy of it elsewhere.`

export function addBackupCommand(program: Command, bind: Bind): void {
  program
    .command('backup')
    .summary('copy the node with all its stores to a new directory, while it runs')
    .description(HELP)
    .argument('<dir>', 'where to; relative to the current directory')
    .option('--no-identity', 'leave the identity key out')
    .action(bind((context, directory: string, options: BackupOptions) => backup(context, directory, options)))
}

async function backup(context: CommandContext, directory: string, { identity }: BackupOptions): Promise<void> {
  const { out, clock, signal } = context
  const startMs = clock.monotonicMs()
  const request = { directory: resolve(directory), withoutIdentity: !identity }
  const bar = out.progress('backing up')
  let result: daemon.BackupResult | undefined
  try {
    for await (const { progress } of (await context.backend()).node.backup(request, { signal })) {
      if (progress.case === 'result') result = progress.value
      else if (progress.case === 'step') showStep(bar, progress.value)
    }
  } finally {
    bar.clear()
  }
  if (result === undefined) {
    throw new CommandFailed('PROTOCOL_VIOLATION', 'the node ended without an answer: try again')
  }
  const made = result
  const took = formatDuration(clock.monotonicMs() - startMs)
  await out.message(daemon.BackupResultSchema, made, () => resultText(made, took))
}

function showStep(bar: ProgressBar, { part, done, total }: daemon.BackupStep): void {
  bar.update(Number(done), Number(total), `${printable(part)}, ${formatSize(done)} of ${formatSize(total)}`)
}

function resultText({ directory, stores, bytes, withIdentity, leftOut }: daemon.BackupResult, took: string): string {
  return [
    `backed up ${formatPlural(stores, 'store')}, ${formatSize(bytes)}, to ${printable(directory)} in ${took}`,
    withIdentity
      ? 'the identity key is inside: whoever has this backup can act as this node'
      : 'the identity key is not inside: a restore needs it, so keep a copy of identity.key elsewhere',
    ...leftOut.map((sentence) => `not whole: ${printable(sentence)}`),
  ].join('\n')
}
