/**
 * `lattice node …`: the node itself.
 *
 * @module
 */
import { daemon } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { type PeerNames, peerNames } from '../peer-names.ts'
import { formatId } from '../render/bytes-text.ts'
import { nodeEventText } from '../render/node-event.ts'
import { type Cell, renderPairs } from '../render/table.ts'
import { formatDuration, formatPlural, formatTime } from '../render/units.ts'
import type { Bind } from '../run-action.ts'

export function addNodeCommands(program: Command, bind: Bind): void {
  const node = program.command('node').description('the node itself')
  node.command('status').description('identity, addresses and connected peers').action(bind(showStatus))
  node
    .command('set-name')
    .description('change what this node calls itself')
    .argument('<name>', 'what peers see it as')
    .action(bind((context, name: string) => setName(context, name)))
  node.command('events').description('follow what happens, until Ctrl-C').action(bind(followEvents))
}

async function showStatus({ out, backend, signal }: CommandContext): Promise<void> {
  const status = await (await backend()).node.getStatus({}, { signal })
  await out.message(daemon.NodeStatusSchema, status, () => statusText(status, out))
}

function statusText(status: daemon.NodeStatus, { style, full }: CommandContext['out']): string {
  const peers = status.peers.map(({ publicKey, connectedAt, path }): [string, Cell] => [
    'peer',
    `${formatId(publicKey, full)} since ${formatTime(connectedAt)}${path === '' ? '' : ` by ${path}`}`,
  ])
  const pairs: [string, Cell][] = [
    ['node', { text: formatId(status.publicKey, full), paint: style.strong }],
    ['name', status.name],
    ['data', status.dataDir],
    ['version', `${status.version}, ${status.crypto} crypto`],
    ['up', formatDuration(status.uptimeMs)],
    ['stores', String(status.stores)],
    ...status.addresses.map((address): [string, Cell] => ['address', address]),
    ['connected', formatPlural(status.peers.length, 'peer')],
    ...peers,
  ]
  const clock = clockText(status)
  if (clock !== undefined) pairs.push(['clock', { text: clock, paint: style.bad }])
  return renderPairs(pairs, style)
}

function clockText({ clockSkewed, clockBehind, clockAheadMs }: daemon.NodeStatus): string | undefined {
  if (clockBehind) return 'behind what this node has received: set it right; until then it goes by its peers'
  return clockSkewed
    ? `${formatDuration(clockAheadMs)} ahead of the peers: set it right; beyond a minute they cannot take what is written here`
    : undefined
}

async function setName({ out, backend, signal }: CommandContext, name: string): Promise<void> {
  const response = await (await backend()).node.setName({ name }, { signal })
  await out.message(daemon.SetNodeNameResponseSchema, response, () => `this node is now called ${response.name}`)
}

async function followEvents(context: CommandContext): Promise<void> {
  const { out, backend, signal, repl } = context
  const { node } = await backend()
  const run = async (ending: AbortSignal): Promise<void> => {
    for await (const event of node.subscribe({}, { signal: ending })) {
      const names = out.json ? undefined : await namesIn(context, event)
      await out.message(daemon.NodeEventSchema, event, () => nodeEventText(event, { ...out, ...(names && { names }) }))
    }
  }
  if (repl === undefined) return run(signal)
  await out.note(`[${repl.follow('node events', run)}] follows the events of the node`)
}

/** Asked for only where an event names peers of a store by their keys. */
async function namesIn(context: CommandContext, { event }: daemon.NodeEvent): Promise<PeerNames | undefined> {
  if (event.case !== 'epochWaiting') return undefined
  return peerNames(context, { id: event.value.storeId, parentId: new Uint8Array() })
}
