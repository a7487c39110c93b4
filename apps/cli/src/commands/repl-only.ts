/**
 * Commands that only make sense while something stays open.
 *
 * @module
 */
import { type Command, InvalidArgumentError } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { UsageError } from '../errors.ts'
import { STORE_ARGUMENT } from '../parse-option.ts'
import { renderTable } from '../render/table.ts'
import { formatPlural } from '../render/units.ts'
import type { Bind } from '../run-action.ts'
import { useStore } from './store-lifecycle.ts'

export function addReplOnlyCommands(program: Command, bind: Bind): void {
  program
    .command('use')
    .description('choose the store of the commands to come')
    .argument('<store>', STORE_ARGUMENT)
    .action(bind((context, reference: string) => useStore(context, reference)))
  program.command('subs').description('what runs beside the prompt').action(bind(listSubscriptions))
  program
    .command('unsub')
    .description('end what runs beside the prompt')
    .argument('<number>', 'its number, or all', readWhich)
    .action(bind((context, which: number | 'all') => unsubscribe(context, which)))
  program
    .command('quit')
    .alias('exit')
    .description('leave')
    .action(bind((context) => Promise.resolve(context.repl?.quit())))
}

async function listSubscriptions({ out, repl }: CommandContext): Promise<void> {
  const running = [...(repl?.subscriptions() ?? [])]
  await out.document(
    running.map(({ number, label }) => ({ number, label })),
    () => {
      if (running.length === 0) return 'nothing runs beside the prompt'
      return renderTable({
        columns: [{ header: '#', align: 'right' }, { header: 'STREAM' }],
        rows: running.map(({ number, label }) => [String(number), label]),
        style: out.style,
        width: out.width,
      })
    },
  )
}

async function unsubscribe({ out, repl }: CommandContext, which: number | 'all'): Promise<void> {
  const ended = (await repl?.unfollow(which)) ?? 0
  if (ended === 0 && which !== 'all')
    throw new UsageError(`nothing runs as ${which}`, { hint: "'subs' lists what runs" })
  await out.document({ ended }, () => `ended ${formatPlural(ended, 'stream')}`)
}

function readWhich(text: string): number | 'all' {
  if (text === 'all') return text
  if (!/^\d{1,9}$/u.test(text)) throw new InvalidArgumentError('It takes a number or all.')
  return Number(text)
}
