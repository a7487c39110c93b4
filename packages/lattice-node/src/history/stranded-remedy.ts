/**
 * What a person has to do about a write that was put aside and is not written anew as it was: changes of members and settings
 * were decided on what was known then.
 *
 * @module
 */
import { type EpochPurpose, purposeOf, type StrandedWrite } from '@lattice/kernel'
import { equalBytes, type PublicKey } from '@lattice/model'
import type { system } from '@lattice/proto'

/** One sentence, as said to a person; undefined for what this node writes anew itself. */
export function strandedRemedy({ op }: Pick<StrandedWrite, 'op'>, self: PublicKey): string | undefined {
  switch (op.kind) {
    case 'appData':
      return undefined
    case 'system':
      return [...new Set(systemRemedies(op.value))].join('; ')
    case 'epoch':
      return epochRemedy(purposeOf(op.value.cause?.cause), self)
    case 'sealed':
      return 'write it again: what is sealed is not repeated'
    case 'unknown':
      return NEWER
    case 'genesis':
    case 'epochAck':
    case 'ack':
      return DROP
  }
}

const DROP = 'nothing is left to do about this: drop it'
const NEWER = 'a newer version wrote this: install that again, and resubmit with it'

/** Rights that were taken from others are taken again. */
function epochRemedy(purpose: EpochPurpose, self: PublicKey): string | undefined {
  switch (purpose.kind) {
    case 'membership':
      if (purpose.removals.some(({ peer }) => !equalBytes(peer, self))) return undefined
      return 'give up the right of this node again, if it still has it'
    case 'prune':
      return 'prune the store again, if there is still history to delete'
    case 'initial':
    case 'join_of_epochs':
    case 'parent':
    case 'set_aside':
      return DROP
    case 'key':
    case 'unknown':
      return NEWER
  }
}

function systemRemedies({ op }: system.SystemOp): readonly string[] {
  switch (op.case) {
    case 'batch':
      return op.value.ops.flatMap(systemRemedies)
    case 'peer':
      return [remedyIn(PEER, op.value.op.case)]
    case 'invite':
      return [remedyIn(INVITE, op.value.op.case)]
    case 'child':
      return [remedyIn(CHILD, op.value.op.case)]
    case 'store':
      return [remedyIn(STORE, op.value.op.case)]
    case undefined:
      return [NEWER]
  }
}

function remedyIn<Case extends string>(remedies: Readonly<Record<Case, string>>, name: Case | undefined): string {
  return name === undefined ? NEWER : remedies[name]
}

type CaseOf<Op extends { readonly case?: string | undefined }> = NonNullable<Op['case']>

const PEER: Readonly<Record<CaseOf<system.PeerOp['op']>, string>> = {
  admit: 'invite the peer again, if it is not in',
  setStatus: 'say again whether the peer is away',
  setRole: 'give the peer its role again',
  setName: 'name the peer again',
  setDevice: 'nothing is left to do about what the device is called: drop it',
}

const INVITE: Readonly<Record<CaseOf<system.InviteOp['op']>, string>> = {
  create: 'make the invite again: its token admits nobody',
  claim: 'look at the open invites: one that was used is still among them',
  cancel: 'cancel the invite again, if it is still open',
}

const CHILD: Readonly<Record<CaseOf<system.ChildOp['op']>, string>> = {
  add: 'create the store below again',
  setStatus: 'archive, bring back or destroy the store below again',
  setAlias: 'name the store below again',
  destroyAck: DROP,
}

const STORE: Readonly<Record<CaseOf<system.StoreOp['op']>, string>> = {
  setName: 'name the store again',
  setStrategy: DROP,
  setAppId: 'set the app of the store again',
  activateSchema: 'activate the schema again',
  setReplication: 'set the replication again',
  destroy: 'destroy the store again',
  destroyAck: DROP,
  setPrunePolicy: 'set again how much history is kept',
}
