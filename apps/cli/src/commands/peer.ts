/**
 * `lattice peer …`: who shares a store.
 *
 * @module
 */
import { daemon, system } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { formatId } from '../render/bytes-text.ts'
import { conductText } from '../render/conduct-text.ts'
import { enumText } from '../render/enum-text.ts'
import { lagCell } from '../render/lag-text.ts'
import { type Cell, renderTable } from '../render/table.ts'
import { formatAgo } from '../render/units.ts'
import type { Bind } from '../run-action.ts'
import { addPeerChangeCommands } from './peer-change.ts'
import { addInviteCommands } from './peer-invite.ts'
import { addRevokeCommand } from './peer-revoke.ts'

export function addPeerCommands(program: Command, bind: Bind): void {
  const peer = program.command('peer').description('who shares the selected store')
  peer.command('list').description('peers with role, status, presence and lag').action(bind(listPeers))
  addInviteCommands(peer, bind)
  addPeerChangeCommands(peer, bind)
  addRevokeCommand(peer, bind)
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
        roleText(peer),
        statusCell(peer, out.style),
        seen(peer, clock.wallMs()),
        lagCell(peer, out.style, clock.wallMs()),
      ]),
      style: out.style,
      width: out.width,
    }),
  )
}

/** Who was revoked has none. */
function roleText({ role }: daemon.PeerInfo): string {
  return role === system.Role.UNSPECIFIED ? 'none' : enumText(system.RoleSchema, role)
}

function presence(peer: daemon.PeerInfo, style: CommandContext['out']['style']): Cell {
  if (peer.self) return { text: '●', paint: style.name }
  return peer.online ? { text: '●', paint: style.good } : { text: '○', paint: style.dim }
}

function statusCell(peer: daemon.PeerInfo, style: CommandContext['out']['style']): Cell {
  const status = enumText(system.PeerStatusSchema, peer.status)
  const forked = peer.forked ? `forked${peer.forkJoined ? ' and joined' : ''}` : undefined
  const remarks = [forked, conductText(peer)].filter((remark) => remark !== undefined)
  return remarks.length === 0 ? status : { text: [status, ...remarks].join(', '), paint: style.warn }
}

function seen(peer: daemon.PeerInfo, nowMs: number): string {
  if (peer.self) return 'this node'
  return peer.online ? 'online' : formatAgo(peer.lastSeen, nowMs)
}
