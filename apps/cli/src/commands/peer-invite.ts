/**
 * `lattice peer invite`, `peer invites` and `peer cancel-invite`: tokens with which others join a store.
 *
 * @module
 */
import { unreachable } from '@lattice/model'
import { daemon, system } from '@lattice/proto'
import { type Command, Option } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { choiceOption, parseCount, parseMilliseconds, parseRole, ROLE_NAMES } from '../parse-option.ts'
import { peerNames, type PeerNames } from '../peer-names.ts'
import { formatId } from '../render/bytes-text.ts'
import { enumText } from '../render/enum-text.ts'
import { type QrCodeRefusal, qrCodeText } from '../render/qr-code.ts'
import { type Cell, renderTable } from '../render/table.ts'
import { formatPlural, formatTime } from '../render/units.ts'
import type { Bind } from '../run-action.ts'

/** Uses of one token: a community, not the public. */
const MAX_USES = 10_000
const DEFAULT_EXPIRY = '24h'

interface InviteOptions {
  readonly role: system.Role
  readonly expires: number
  readonly uses: number
  readonly qr?: boolean
}

export function addInviteCommands(peer: Command, bind: Bind): void {
  peer
    .command('invite')
    .description('make a token with which other nodes join the selected store')
    .addOption(
      choiceOption('--role <role>', 'what the newcomers may do', ROLE_NAMES)
        .argParser(parseRole)
        .default(system.Role.WRITER, 'writer'),
    )
    .addOption(
      new Option('--expires <duration>', 'how long it is good, such as 90s, 30m, 24h or 7d')
        .argParser(parseMilliseconds)
        .default(parseMilliseconds(DEFAULT_EXPIRY), DEFAULT_EXPIRY),
    )
    .option('--uses <count>', 'how many nodes may join with it', parseCount({ min: 1, max: MAX_USES }), 1)
    .option('--qr', 'also show it as a QR code (on stderr)')
    .action(bind((context, options: InviteOptions) => invite(context, options)))
  peer.command('invites').description('the tokens that were made, without their secrets').action(bind(listInvites))
  peer
    .command('cancel-invite')
    .description('end an invite before its time; who joined with it stays')
    .argument('<invite>', "4 or more digits of it, as 'peer invites' shows them")
    .action(bind((context, prefix: string) => cancelInvite(context, prefix)))
}

async function invite(context: CommandContext, { role, expires, uses, qr = false }: InviteOptions): Promise<void> {
  const { out, signal } = context
  const { id } = await context.store()
  const request = { storeId: id, role, expiresInMs: BigInt(expires), uses }
  const response = await (await context.backend()).store.invite(request, { signal })
  if (qr) await showQrCode(context, response.token)
  await out.message(daemon.InviteResponseSchema, response, () => response.token)
  await out.note(
    out.style.dim(
      `good for ${formatPlural(uses, 'node')} until ${formatTime(response.expiresAt)}, while this node can be reached; there: lattice store join TOKEN`,
    ),
  )
}

/** The token is made and good: that it cannot be drawn is told, and no failure. */
async function showQrCode({ out }: CommandContext, token: string): Promise<void> {
  const code = qrCodeText(token, out.canvas)
  await out.aside(code.ok ? code.value : `no QR code: ${refusalText(code.error)}`)
}

function refusalText(refusal: QrCodeRefusal): string {
  switch (refusal.code) {
    case 'too_narrow':
      return `it takes ${refusal.needs} columns and the terminal has ${refusal.has}: widen it, then ask for another invite`
    case 'too_long':
      return 'the token is too long for one'
    default:
      return unreachable(refusal)
  }
}

async function listInvites(context: CommandContext): Promise<void> {
  const { out, clock, signal } = context
  const store = await context.store()
  const response = await (await context.backend()).store.listInvites({ storeId: store.id }, { signal })
  const isClaimed = response.invites.some((each) => each.claimedBy.length > 0)
  const names = isClaimed && !out.json ? await peerNames(context, store) : formatId
  await out.message(daemon.ListInvitesResponseSchema, response, () =>
    response.invites.length === 0
      ? "no invites: make one with 'peer invite'"
      : invitesText(response.invites, { out, names, nowMs: clock.wallMs() }),
  )
}

interface InvitesTextOptions {
  readonly out: Pick<CommandContext['out'], 'style' | 'width' | 'full'>
  readonly names: PeerNames
  readonly nowMs: number
}

function invitesText(invites: readonly daemon.InviteInfo[], { out, names, nowMs }: InvitesTextOptions): string {
  return renderTable({
    columns: [
      { header: 'INVITE' },
      { header: 'STATUS' },
      { header: 'ROLE' },
      { header: 'USES LEFT', align: 'right' },
      { header: 'EXPIRES' },
      { header: 'CLAIMED BY' },
    ],
    rows: invites.map((each) => [
      { text: formatId(each.tokenHash, out.full), paint: out.style.name },
      statusCell(each, out.style, nowMs),
      enumText(system.RoleSchema, each.role),
      isOpen(each, nowMs) ? String(each.usesLeft) : '–',
      formatTime(each.expiresAt),
      each.claimedBy.map((peer) => names(peer)).join(', '),
    ]),
    style: out.style,
    width: out.width,
  })
}

/** Whether it still admits anyone. Expiry is nobody's act, so it is read off the clock. */
function isOpen({ status, expiresAt }: daemon.InviteInfo, nowMs: number): boolean {
  return status === system.InviteStatus.OPEN && Number(expiresAt) > nowMs
}

function statusCell(invite: daemon.InviteInfo, style: CommandContext['out']['style'], nowMs: number): Cell {
  if (isOpen(invite, nowMs)) return { text: 'open', paint: style.good }
  switch (invite.status) {
    case system.InviteStatus.OPEN:
      return { text: 'expired', paint: style.dim }
    case system.InviteStatus.CLAIMED:
      return { text: 'used up', paint: style.dim }
    default:
      return { text: enumText(system.InviteStatusSchema, invite.status), paint: style.dim }
  }
}

async function cancelInvite(context: CommandContext, prefix: string): Promise<void> {
  const { out, signal } = context
  const { id } = await context.store()
  const response = await (await context.backend()).store.cancelInvite({ storeId: id, prefix }, { signal })
  await out.message(daemon.InviteInfoSchema, response, () => {
    const joined = response.claimedBy.length
    const stays =
      joined === 0
        ? 'nobody joined with it'
        : `${formatPlural(joined, 'peer')} that joined with it stay${joined === 1 ? 's' : ''}`
    return `cancelled invite ${formatId(response.tokenHash, out.full)}: ${stays}`
  })
}
