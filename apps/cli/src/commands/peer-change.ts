/**
 * `lattice peer role`, `peer dormant` and `peer set-name`: what a store holds of a peer.
 *
 * @module
 */
import { daemon, system } from '@lattice/proto'
import { Argument, type Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { parseRole, ROLE_NAMES } from '../parse-option.ts'
import { formatId } from '../render/bytes-text.ts'
import { printable } from '../render/display-text.ts'
import { enumText } from '../render/enum-text.ts'
import type { Bind } from '../run-action.ts'

const PEER = 'name of a peer, or 4 or more digits of its key'

interface DormantOptions {
  readonly back?: boolean
}

export function addPeerChangeCommands(peer: Command, bind: Bind): void {
  const role = new Argument('<role>', 'what it may do').argParser(parseRole)
  role.argChoices = [...ROLE_NAMES]
  peer
    .command('role')
    .description('give a peer of the selected store another role')
    .argument('<peer>', PEER)
    .addArgument(role)
    .action(bind((context, reference: string, chosen: system.Role) => setRole(context, reference, chosen)))
  peer
    .command('dormant')
    .description('mark a peer as away for long, so that nobody waits for it')
    .argument('<peer>', PEER)
    .option('--back', 'it is back: wait for it again')
    .action(bind((context, reference: string, options: DormantOptions) => setDormant(context, reference, options)))
  peer
    .command('set-name')
    .description('name a peer in the selected store; without a peer, this node')
    .usage('[options] [peer] <name>')
    .argument('<peer>', `${PEER}; left out: this node`)
    .argument('[name]', 'what to call it')
    .action(bind((context, first: string, second?: string) => setName(context, first, second)))
}

async function setRole(context: CommandContext, peer: string, role: system.Role): Promise<void> {
  const { signal } = context
  const { id } = await context.store()
  const info = await (await context.backend()).store.setPeerRole({ storeId: id, peer, role }, { signal })
  const name = enumText(system.RoleSchema, info.role)
  await tell(context, info, `is now ${name === 'admin' ? 'an' : 'a'} ${name}`)
}

async function setDormant(context: CommandContext, peer: string, { back = false }: DormantOptions): Promise<void> {
  const { signal } = context
  const { id } = await context.store()
  const status = back ? system.PeerStatus.ACTIVE : system.PeerStatus.DORMANT
  const info = await (await context.backend()).store.setPeerStatus({ storeId: id, peer, status }, { signal })
  await tell(context, info, back ? 'is active again' : 'is dormant: nobody waits for it until it is back')
}

async function setName(context: CommandContext, first: string, second: string | undefined): Promise<void> {
  const { out, signal } = context
  const { id } = await context.store()
  const request = { storeId: id, ...(second === undefined ? { peer: '', name: first } : { peer: first, name: second }) }
  const info = await (await context.backend()).store.setPeerName(request, { signal })
  await out.message(
    daemon.PeerInfoSchema,
    info,
    () =>
      `${info.self ? 'this node' : `peer ${formatId(info.publicKey, out.full)}`} is now called ${printable(info.name)} here`,
  )
}

async function tell({ out }: CommandContext, info: daemon.PeerInfo, what: string): Promise<void> {
  const id = formatId(info.publicKey, out.full)
  const who = info.name === '' ? id : `${printable(info.name)} (${id})`
  await out.message(daemon.PeerInfoSchema, info, () => `peer ${who} ${what}`)
}
