/**
 * `lattice store sync` and `lattice store rebuild`: work that the node does and
 * this reports.
 *
 * @module
 */
import { create, type JsonValue } from '@bufbuild/protobuf'
import { daemon } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { CommandFailed } from '../errors.ts'
import { OPTIONAL_STORE_ARGUMENT } from '../parse-option.ts'
import { API_FORMATS, messageToJson } from '../render/message-json.ts'
import { syncText } from '../render/node-event.ts'
import { formatCount, formatDuration, formatPlural } from '../render/units.ts'
import type { Bind } from '../run-action.ts'
import { describeStore } from '../store-selection.ts'

export function addSyncCommands(store: Command, bind: Bind): void {
  store
    .command('sync')
    .description('reconcile with every peer now, and say what came of each')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .action(bind(syncStore))
  store
    .command('rebuild')
    .description('delete the projected state and project the log anew')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .action(bind(rebuildStore))
  store
    .command('retry')
    .description('go on with a projection that stalled, once its cause is mended')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .action(bind(retryStore))
}

async function retryStore(context: CommandContext, reference: string | undefined): Promise<void> {
  const { out, signal } = context
  const info = await context.store(reference)
  const response = await (await context.backend()).store.retry({ storeId: info.id }, { signal })
  await out.message(
    daemon.RetryResponseSchema,
    response,
    () => `${describeStore(info)} goes on: ${formatCount(response.appliedSeq)} intentions projected`,
  )
}

async function syncStore(context: CommandContext, reference: string | undefined): Promise<void> {
  const { out, signal } = context
  const info = await context.store(reference)
  const outcomes: daemon.SyncOutcome[] = []
  for await (const { progress } of (await context.backend()).store.sync({ storeId: info.id }, { signal })) {
    if (progress.case !== 'outcome') continue
    outcomes.push(progress.value)
    if (!out.json) await out.message(daemon.SyncOutcomeSchema, progress.value, () => syncText(progress.value, out))
  }
  const taking = outcomes.filter(({ result }) => result !== daemon.SyncResult.INACTIVE)
  const failed = taking.filter(({ synced }) => !synced)
  if (out.json) await out.document(summaryDocument(outcomes, taking), () => '')
  if (taking.length === 0) {
    throw new CommandFailed('SYNC_FAILED', `no other peer takes part in ${describeStore(info)}: nothing was compared`, {
      hint: "'peer invite' makes a token for another node",
    })
  }
  if (failed.length > 0) {
    const what = `${failed.length} of ${formatPlural(taking.length, 'peer')} could not be synced`
    throw new CommandFailed('SYNC_FAILED', what, { detail: { failed: failed.length, peers: taking.length } })
  }
}

function summaryDocument(outcomes: readonly daemon.SyncOutcome[], taking: readonly daemon.SyncOutcome[]): JsonValue {
  return {
    outcomes: outcomes.map((outcome) => messageToJson(daemon.SyncOutcomeSchema, outcome, API_FORMATS)),
    peers: taking.length,
    synced: taking.filter(({ synced }) => synced).length,
    inactive: outcomes.length - taking.length,
  }
}

async function rebuildStore(context: CommandContext, reference: string | undefined): Promise<void> {
  const { out, clock, signal } = context
  const info = await context.store(reference)
  const startMs = clock.monotonicMs()
  const bar = out.progress('rebuilding')
  let last = create(daemon.RebuildProgressSchema)
  try {
    for await (const progress of (await context.backend()).store.rebuild({ storeId: info.id }, { signal })) {
      last = progress
      bar.update(Number(last.done), Number(last.total), `${formatCount(last.done)} of ${formatCount(last.total)}`)
    }
  } finally {
    bar.clear()
  }
  const took = formatDuration(clock.monotonicMs() - startMs)
  await out.message(
    daemon.RebuildProgressSchema,
    last,
    () => `rebuilt ${describeStore(info)}: ${formatCount(last.done)} intentions projected in ${took}`,
  )
}
