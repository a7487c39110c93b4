/**
 * `lattice peer …`: who shares a store.
 *
 * @module
 */
import { daemon, system } from '@lattice/proto'
import { type Command, Option } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { parseCount, parseMilliseconds, parseRole } from '../parse-option.ts'
import { formatId } from '../render/bytes-text.ts'
import { enumText } from '../render/enum-text.ts'
import { lagCell } from '../render/lag-text.ts'
import { type Cell, renderTable } from '../render/table.ts'
import { formatAgo, formatPlural, formatTime } from '../render/units.ts'
import type { Bind } from '../run-action.ts'

/** Uses of one token: a community, not the public. */
const MAX_USES = 10_000
const DEFAULT_EXPIRY = '24h'

interface InviteOptions {
  readonly role: system.Role
  readonly expires: number
  readonly uses: number
}

export function addPeerCommands(program: Command, bind: Bind): void {
  const peer = program.command('peer').description('who shares the selected store')
  peer.command('list').description('peers with role, status, presence and lag').action(bind(listPeers))
  peer
    .command('invite')
    .description('make a token with which another node joins the selected store')
    .addOption(
      new Option('--role <role>', 'reader, writer or admin').argParser(parseRole).default(system.Role.WRITER, 'writer'),
    )
    .addOption(
      new Option('--expires <duration>', 'how long it is good, such as 24h')
        .argParser(parseMilliseconds)
        .default(parseMilliseconds(DEFAULT_EXPIRY), DEFAULT_EXPIRY),
    )
    .option('--uses <count>', 'how many nodes may join with it', parseCount({ min: 1, max: MAX_USES }), 1)
    .action(bind((context, options: InviteOptions) => invite(context, options)))
  peer.command('invites').description('the tokens that were made, without their secrets').action(bind(listInvites))
}

async function listPeers(context: CommandContext): Promise<void> {
  const { out, clock, signal } = context
  const { id } = await context.store()
  const response = await (await context.backend()).store.listPeers({ storeId: id }, { signal })
  await out.message(daemon.ListPeersResponseSchema, response, () =>
    renderTable({
      columns: [
        { header: '' },
        { header: 'PEER' },
        { header: 'NAME' },
        { header: 'ROLE' },
        { header: 'STATUS' },
        { header: 'SEEN' },
        { header: 'LAG' },
      ],
      rows: response.peers.map((peer) => [
        presence(peer, out.style),
        { text: formatId(peer.publicKey, out.full), paint: out.style.name },
        peer.name,
        enumText(system.RoleSchema, peer.role),
        statusCell(peer, out.style),
        seen(peer, clock.wallMs()),
        lagCell(peer, out.style, clock.wallMs()),
      ]),
      style: out.style,
      width: out.width,
    }),
  )
}

function presence(peer: daemon.PeerInfo, style: CommandContext['out']['style']): Cell {
  if (peer.self) return { text: '●', paint: style.name }
  return peer.online ? { text: '●', paint: style.good } : { text: '○', paint: style.dim }
}

function statusCell(peer: daemon.PeerInfo, style: CommandContext['out']['style']): Cell {
  const status = enumText(system.PeerStatusSchema, peer.status)
  if (!peer.forked) return status
  return { text: `${status}, forked${peer.forkJoined ? ' and joined' : ''}`, paint: style.warn }
}

function seen(peer: daemon.PeerInfo, nowMs: number): string {
  if (peer.self) return 'this node'
  return peer.online ? 'online' : formatAgo(peer.lastSeen, nowMs)
}

async function invite(context: CommandContext, { role, expires, uses }: InviteOptions): Promise<void> {
  const { out, signal } = context
  const { id } = await context.store()
  const request = { storeId: id, role, expiresInMs: BigInt(expires), uses }
  const response = await (await context.backend()).store.invite(request, { signal })
  await out.message(daemon.InviteResponseSchema, response, () => response.token)
  await out.note(
    out.style.dim(
      `good for ${formatPlural(uses, 'node')} until ${formatTime(response.expiresAt)}; there: lattice store join TOKEN`,
    ),
  )
}

async function listInvites(context: CommandContext): Promise<void> {
  const { out, signal } = context
  const { id } = await context.store()
  const response = await (await context.backend()).store.listInvites({ storeId: id }, { signal })
  await out.message(daemon.ListInvitesResponseSchema, response, () => {
    if (response.invites.length === 0) return "no invites: make one with 'peer invite'"
    return renderTable({
      columns: [
        { header: 'INVITE' },
        { header: 'STATUS' },
        { header: 'ROLE' },
        { header: 'USES LEFT', align: 'right' },
        { header: 'EXPIRES' },
        { header: 'CLAIMED BY' },
      ],
      rows: response.invites.map((each) => [
        formatId(each.tokenHash, out.full),
        enumText(system.InviteStatusSchema, each.status),
        enumText(system.RoleSchema, each.role),
        String(each.usesLeft),
        formatTime(each.expiresAt),
        each.claimedBy.map((peer) => formatId(peer, out.full)).join(' '),
      ]),
      style: out.style,
      width: out.width,
    })
  })
}
