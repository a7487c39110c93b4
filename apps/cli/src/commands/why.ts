/**
 * `lattice why [STORE] [PEER]`: what is missing, at whom, and the reason.
 *
 * @module
 */
import { daemon } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { UsageError } from '../errors.ts'
import { findingsText } from '../render/findings-text.ts'
import type { Bind } from '../run-action.ts'

const DESCRIPTION = `What is missing, at whom, and the reason: peers that are away and where they were tried, what no other machine has, what waits for what, and what stands still. The gravest first; each with what to do about it.`

export function addWhyCommand(program: Command, bind: Bind): void {
  program
    .command('why')
    .summary('what is missing, at whom, and the reason')
    .description(DESCRIPTION)
    .argument('[store]', 'id, 4 or more digits of it, name or path; every store when left out')
    .argument('[peer]', 'name of a peer, or 4 or more digits of its key; every peer when left out')
    .action(
      bind((context, ...[first, second, , command]: [string | undefined, string | undefined, object, Command]) =>
        showReasons(context, whatFor([first, second], command)),
      ),
    )
}

interface AskedFor {
  readonly store: string | undefined
  readonly peer: string | undefined
}

/** With `--store`, the one word is a peer. */
function whatFor([first, second]: readonly [string | undefined, string | undefined], command: Command): AskedFor {
  const { store } = command.optsWithGlobals<{ readonly store?: string }>()
  if (store === undefined) return { store: first, peer: second }
  if (second === undefined) return { store, peer: first }
  throw new UsageError('the store is named twice', { hint: "write 'why STORE PEER', or '--store STORE why PEER'" })
}

async function showReasons(context: CommandContext, { store, peer = '' }: AskedFor): Promise<void> {
  const { out, signal } = context
  const storeId = store === undefined ? new Uint8Array(0) : (await context.store(store)).id
  const response = await (await context.backend()).node.why({ storeId, peer }, { signal })
  await out.message(daemon.WhyResponseSchema, response, () =>
    response.findings.length === 0
      ? out.style.good('nothing is missing, as far as this node knows')
      : findingsText(response.findings, out),
  )
}
