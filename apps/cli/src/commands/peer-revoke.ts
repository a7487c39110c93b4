/**
 * `lattice peer revoke`: throws a peer out of a store, or has this node remove itself.
 *
 * @module
 */
import { daemon } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { confirmYes } from '../confirm.ts'
import { UsageError } from '../errors.ts'
import { peerNames, type PeerNames } from '../peer-names.ts'
import { formatId } from '../render/bytes-text.ts'
import { printable } from '../render/display-text.ts'
import { acksText } from '../render/epoch-text.ts'
import type { Bind } from '../run-action.ts'
import { withoutEffect } from './without-effect.ts'

interface RevokeOptions {
  readonly self?: boolean
  readonly yes?: boolean
  readonly force?: boolean
  readonly wait?: boolean
}

export function addRevokeCommand(peer: Command, bind: Bind): void {
  peer
    .command('revoke')
    .description('take all rights of a peer in the selected store; what it writes from then on counts nowhere')
    .argument('[peer]', 'name of a peer, or 4 or more digits of its key')
    .option('--self', 'remove this node itself, and leave the store')
    .option('--yes', 'without asking')
    .option('--force', 'with --self: although no peer is connected to learn of it')
    .option('--wait', 'until every other peer that writes has acknowledged it')
    .action(
      bind((context, reference: string | undefined, options: RevokeOptions) => revoke(context, reference, options)),
    )
}

async function revoke(
  context: CommandContext,
  reference: string | undefined,
  { self = false, yes = false, force = false, wait = false }: RevokeOptions,
): Promise<void> {
  const { out, signal } = context
  if (self === (reference !== undefined)) throw new UsageError('name a peer, or give --self for this node')
  if (force && !self) throw new UsageError('--force goes with --self')
  if (wait && self) throw new UsageError('--wait is for another peer: this node leaves the store and cannot see it')
  const store = await context.store()
  const name = reference ?? 'this node'
  await confirmYes(context, {
    warning: self
      ? 'this node can write to the store no more, and is left out of it everywhere; it takes a new invite to come back'
      : `what ${printable(name)} wrote and this node has not seen is cut, and it takes a new invite to come back`,
    verb: 'revoke',
    name,
    isGiven: yes,
  })
  const backend = await context.backend()
  const names = out.json ? formatId : await peerNames(context, store)
  const request = { storeId: store.id, peer: reference ?? '', self, force }
  const response = await backend.store.revokePeer(request, { signal })
  const { epoch } = response
  const last = wait && epoch !== undefined ? await awaitSettled(context, { store, epoch, names }) : epoch
  const answer = { ...response, ...(last && { epoch: last }) }
  const isVoid = wait && last !== undefined && last.fault !== ''
  await out.message(daemon.RevokePeerResponseSchema, answer, () =>
    isVoid ? '' : outcomeText(answer, { names, full: out.full }),
  )
  if (isVoid) throw withoutEffect(last, `the revocation of ${printable(name)}`)
}

interface Awaited {
  readonly store: Pick<daemon.StoreInfo, 'id'>
  readonly epoch: daemon.Epoch
  readonly names: PeerNames
}

/** The epoch as it is once it is settled, or stays without effect; what is waited for is told on the way. */
async function awaitSettled(context: CommandContext, { store, epoch, names }: Awaited): Promise<daemon.Epoch> {
  const { out, signal } = context
  const request = { storeId: store.id, epoch: epoch.id }
  let last = epoch
  for await (const next of (await context.backend()).store.followEpoch(request, { signal })) {
    last = next
    if (!next.settled && (next.fault === '' || next.mayCount)) await out.note(out.style.dim(acksText(next, names)))
  }
  return last
}

function outcomeText(
  { peer, epoch }: Pick<daemon.RevokePeerResponse, 'peer' | 'epoch'>,
  { names, full }: { readonly names: PeerNames; readonly full: boolean },
): string {
  const who = peer?.self === true ? 'this node' : `peer ${peer === undefined ? '' : names(peer.publicKey)}`
  if (epoch === undefined) return `${who} is revoked`
  return `${who} is revoked by epoch ${epoch.seq} (${formatId(epoch.id, full)}): ${acksText(epoch, names)}`
}
