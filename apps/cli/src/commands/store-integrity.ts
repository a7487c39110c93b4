/**
 * `lattice store verify` and `lattice store repair`: is it all there as it was
 * written, and if not, what can be done about it.
 *
 * @module
 */
import { toHex } from '@lattice/model'
import { daemon } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { CommandFailed } from '../errors.ts'
import { OPTIONAL_STORE_ARGUMENT } from '../parse-option.ts'
import { repairText, verifyText } from '../render/integrity-text.ts'
import type { ProgressBar } from '../render/progress-bar.ts'
import { formatCount, formatDuration } from '../render/units.ts'
import type { Bind } from '../run-action.ts'
import { describeStore } from '../store-selection.ts'

interface VerifyOptions {
  readonly full?: boolean
}

interface RepairOptions {
  readonly withoutPeer?: boolean
  readonly acceptFork?: boolean
}

export function addIntegrityCommands(store: Command, bind: Bind): void {
  store
    .command('verify')
    .description('look through a store for damage, also one that failed; exit code 6 when there is any')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .option('--full', 'also every signature, the structure of the files, and state made anew and compared')
    .action(
      bind((context, reference: string | undefined, options: VerifyOptions) => verify(context, reference, options)),
    )
  store
    .command('repair')
    .description('make a damaged store whole again, from its own records or with a peer; the damaged log is kept')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .option('--without-peer', 'nobody else has the store: go on with what can be read')
    .option('--accept-fork', 'write on although own last writes may be at a peer that was not reached')
    .action(
      bind((context, reference: string | undefined, options: RepairOptions) => repair(context, reference, options)),
    )
}

async function verify(
  context: CommandContext,
  reference: string | undefined,
  { full = false }: VerifyOptions,
): Promise<void> {
  const { out, clock, signal } = context
  const info = await context.store(reference)
  const startMs = clock.monotonicMs()
  const bar = out.progress('verifying')
  let report: daemon.VerifyReport | undefined
  try {
    for await (const { progress } of (await context.backend()).store.verify({ storeId: info.id, full }, { signal })) {
      if (progress.case === 'report') report = progress.value
      else if (progress.case === 'step') showStep(bar, progress.value, progress.value.part)
    }
  } finally {
    bar.clear()
  }
  const found = reported(report)
  const took = formatDuration(clock.monotonicMs() - startMs)
  await out.message(daemon.VerifyReportSchema, found, () => verifyText(found, { name: describeStore(info), took }, out))
  if (found.outcome !== daemon.VerifyOutcome.SOUND) throw damaged(info, found)
}

/** What has been printed says what is wrong; this says what to do, and ends with exit code 6. */
function damaged(info: daemon.StoreInfo, report: daemon.VerifyReport): CommandFailed {
  const isRecords = report.outcome === daemon.VerifyOutcome.RECORDS
  return new CommandFailed('LOG_DAMAGED', `${describeStore(info)} is damaged`, {
    hint: isRecords
      ? `'lattice store repair ${toHex(info.id).slice(0, 12)}' fetches it from a peer and keeps what is only here`
      : `'lattice store repair ${toHex(info.id).slice(0, 12)}' makes it anew from its own records`,
    detail: { storeId: toHex(info.id), problems: Number(report.problemCount) },
  })
}

async function repair(context: CommandContext, reference: string | undefined, options: RepairOptions): Promise<void> {
  const { out, clock, signal } = context
  const info = await context.store(reference)
  const startMs = clock.monotonicMs()
  const bar = out.progress('repairing')
  const { withoutPeer = false, acceptFork = false } = options
  const request = { storeId: info.id, withoutPeer, acceptFork }
  let result: daemon.RepairResult | undefined
  try {
    for await (const { progress } of (await context.backend()).store.repair(request, { signal })) {
      if (progress.case === 'result') result = progress.value
      else if (progress.case === 'step') showStep(bar, progress.value, progress.value.stage)
    }
  } finally {
    bar.clear()
  }
  const done = reported(result)
  const took = formatDuration(clock.monotonicMs() - startMs)
  await out.message(daemon.RepairResultSchema, done, () => repairText(done, { name: describeStore(info), took }, out))
}

function showStep(bar: ProgressBar, step: { readonly done: bigint; readonly total: bigint }, what: string): void {
  bar.update(Number(step.done), Number(step.total), `${what} ${formatCount(step.done)} of ${formatCount(step.total)}`)
}

/** A stream that ends well ends with its answer. */
function reported<T>(answer: T | undefined): T {
  if (answer === undefined) throw new CommandFailed('PROTOCOL_VIOLATION', 'the node ended without an answer: try again')
  return answer
}
