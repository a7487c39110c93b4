/**
 * `lattice store snapshot`: the state that a node keeps at epochs, for newcomers and for logs that were pruned.
 *
 * @module
 */
import { daemon } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { CommandFailed } from '../errors.ts'
import { OPTIONAL_STORE_ARGUMENT } from '../parse-option.ts'
import { peerNames } from '../peer-names.ts'
import { formatId } from '../render/bytes-text.ts'
import { snapshotPairs, snapshotText } from '../render/history-text.ts'
import { renderPairs } from '../render/table.ts'
import { formatCount } from '../render/units.ts'
import type { Bind } from '../run-action.ts'
import { describeStore } from '../store-selection.ts'

export function addSnapshotCommand(store: Command, bind: Bind): void {
  store
    .command('snapshot')
    .description('see that the state at the newest settled epoch is kept; nodes do so by themselves')
    .argument('[store]', OPTIONAL_STORE_ARGUMENT)
    .option('--info', 'only say what is kept, and whether all nodes have come to the same')
    .action(
      bind((context, reference: string | undefined, options: { readonly info?: boolean }) =>
        options.info === true ? show(context, reference) : make(context, reference),
      ),
    )
}

async function show(context: CommandContext, reference: string | undefined): Promise<void> {
  const { out, signal } = context
  const info = await context.store(reference)
  const status = await (await context.backend()).store.getSnapshot({ storeId: info.id }, { signal })
  const names = out.json ? formatId : await peerNames(context, info)
  await out.message(daemon.SnapshotStatusSchema, status, () =>
    renderPairs(snapshotPairs(status, { ...out, names }), out.style),
  )
}

async function make(context: CommandContext, reference: string | undefined): Promise<void> {
  const { out, signal } = context
  const info = await context.store(reference)
  const bar = out.progress('making')
  let made: daemon.Snapshot | undefined
  try {
    for await (const { progress } of (await context.backend()).store.makeSnapshot({ storeId: info.id }, { signal })) {
      if (progress.case === 'made') made = progress.value
      else if (progress.case === 'step') {
        const { done, total } = progress.value
        bar.update(Number(done), Number(total), `${formatCount(done)} of ${formatCount(total)} records`)
      }
    }
  } finally {
    bar.clear()
  }
  if (made === undefined) throw new CommandFailed('PROTOCOL_VIOLATION', 'the node ended without an answer: try again')
  const snapshot = made
  await out.message(
    daemon.SnapshotSchema,
    snapshot,
    () => `the state of ${describeStore(info)} is kept at ${snapshotText(snapshot, out.full)}`,
  )
}
