/**
 * `lattice store join TOKEN`: becomes a peer of a store and fetches it.
 *
 * @module
 */
import { toHex } from '@lattice/model'
import { daemon } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { CommandFailed } from '../errors.ts'
import { printable } from '../render/display-text.ts'
import { formatCount, formatDuration } from '../render/units.ts'
import type { Bind } from '../run-action.ts'
import { describeStore } from '../store-selection.ts'

export function addJoinCommand(store: Command, bind: Bind): void {
  store
    .command('join')
    .description('join a store with the token of an invite; ends when the store is here')
    .argument('<token>', 'the line that begins with lattice1')
    .action(bind((context, token: string) => joinStore(context, token)))
}

async function joinStore({ out, backend, clock, signal }: CommandContext, token: string): Promise<void> {
  const startMs = clock.monotonicMs()
  const { store } = await backend()
  const bar = out.progress('receiving')
  let joined: daemon.StoreInfo | undefined
  try {
    for await (const { progress } of store.join({ token: token.trim() }, { signal })) {
      switch (progress.case) {
        case 'stage':
          bar.clear()
          await out.note(out.style.dim(stageText(progress.value)))
          break
        case 'bootstrap':
          bar.update(Number(progress.value.done), Number(progress.value.total), bootstrapText(progress.value))
          break
        case 'joined':
          joined = progress.value
          break
        case undefined:
          break
      }
    }
  } finally {
    bar.clear()
  }
  if (joined === undefined) {
    throw new CommandFailed('BOOTSTRAP_FAILED', 'the node ended the join without saying how it went: see its log')
  }
  const info = joined
  const took = formatDuration(clock.monotonicMs() - startMs)
  await out.message(
    daemon.StoreInfoSchema,
    info,
    () => `joined ${printable(info.storeType)} store ${describeStore(info)} in ${took}\nid ${toHex(info.id)}`,
  )
}

function bootstrapText({ done, total }: daemon.BootstrapProgress): string {
  return total === 0n ? formatCount(done) : `${formatCount(done)} of ${formatCount(total)}`
}

function stageText(stage: daemon.JoinStage): string {
  switch (stage) {
    case daemon.JoinStage.CONNECTING:
      return 'connecting to the inviter …'
    case daemon.JoinStage.REDEEMING:
      return 'showing the token …'
    case daemon.JoinStage.BOOTSTRAPPING:
      return 'receiving the store …'
    default:
      return 'working …'
  }
}
