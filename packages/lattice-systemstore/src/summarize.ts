/**
 * A system operation for people: `(peer-admit 0x… active writer)`.
 *
 * Total: shows what was asked, also where it is rejected.
 *
 * @module
 */
import { int, list, raw, type SExpr, str, sym } from '@lattice/model'
import type { system, weaver } from '@lattice/proto'
import { childStatusOf, peerStatusOf, roleOf } from './values.ts'

export function summarizeSystemOp({ op }: system.SystemOp): SExpr {
  switch (op.case) {
    case 'batch':
      // A nested batch is rejected, and shown as what it is: no deeper than it counts.
      return list(
        sym('batch'),
        ...op.value.ops.map((inner) => (inner.op.case === 'batch' ? list(sym('batch')) : summarizeSystemOp(inner))),
      )
    case 'peer':
      return summarizePeer(op.value)
    case 'invite':
      return summarizeInvite(op.value)
    case 'child':
      return summarizeChild(op.value)
    case 'store':
      return summarizeStore(op.value)
    case undefined:
      return list(sym('system'))
  }
}

/** An epoch for people: `(epoch 3 membership (0x… none))`. */
export function summarizeEpoch({ seq, cause }: weaver.EpochOp): SExpr {
  const why = cause?.cause
  const named = (kind: string): readonly SExpr[] => [sym('epoch'), int(seq), sym(kind)]
  switch (why?.case) {
    case 'membership':
      return list(
        ...named('membership'),
        ...why.value.removals.map(({ peer, remains }) => list(raw(peer), word(roleOf(remains), remains))),
      )
    case 'parent':
      return list(...named('parent'), raw(why.value.store), raw(why.value.epoch))
    case 'joinOfEpochs':
      return list(...named('join-of-epochs'))
    case 'setAside':
      return list(...named('set-aside'), ...why.value.epochs.map(raw))
    case 'prune':
      return list(...named('prune'), ...(why.value.below.length === 0 ? [] : [raw(why.value.below)]))
    case 'initial':
    case 'key':
      return list(...named(why.case))
    case undefined:
      return list(sym('epoch'), int(seq))
  }
}

function summarizePeer({ peer, op }: system.PeerOp): SExpr {
  switch (op.case) {
    case 'admit': {
      const { status, role, addedAt } = op.value
      return list(
        sym('peer-admit'),
        raw(peer),
        word(peerStatusOf(status), status),
        word(roleOf(role), role),
        int(addedAt),
      )
    }
    case 'setStatus':
      return list(sym('peer-set-status'), raw(peer), word(peerStatusOf(op.value), op.value))
    case 'setRole':
      return list(sym('peer-set-role'), raw(peer), word(roleOf(op.value), op.value))
    case 'setName':
      return list(sym('peer-set-name'), raw(peer), str(op.value))
    case 'setDevice':
      return list(sym('peer-set-device'), raw(peer), str(op.value))
    case undefined:
      return list(sym('peer'), raw(peer))
  }
}

function summarizeInvite({ tokenHash, op }: system.InviteOp): SExpr {
  switch (op.case) {
    case 'create': {
      const { expiresAt, uses, role } = op.value
      return list(sym('invite-create'), raw(tokenHash), word(roleOf(role), role), int(uses), int(expiresAt))
    }
    case 'claim':
      return list(sym('invite-claim'), raw(tokenHash), raw(op.value.claimedBy), int(op.value.usesLeft))
    case 'cancel':
      return list(sym('invite-cancel'), raw(tokenHash))
    case undefined:
      return list(sym('invite'), raw(tokenHash))
  }
}

function summarizeChild({ child, op }: system.ChildOp): SExpr {
  switch (op.case) {
    case 'add':
      return list(
        sym('child-add'),
        raw(child),
        str(op.value.alias),
        str(op.value.storeType),
        ...(op.value.independent ? [sym('independent')] : []),
      )
    case 'setStatus':
      return list(sym('child-set-status'), raw(child), word(childStatusOf(op.value), op.value))
    case 'setAlias':
      return list(sym('child-set-alias'), raw(child), str(op.value))
    case 'destroyAck':
      return list(sym('child-destroy-ack'), raw(child))
    case undefined:
      return list(sym('child'), raw(child))
  }
}

function summarizeStore({ op }: system.StoreOp): SExpr {
  switch (op.case) {
    case 'setName':
      return list(sym('store-set-name'), str(op.value))
    case 'setStrategy':
      return summarizeStrategy(op.value)
    case 'setAppId':
      return list(sym('store-set-app-id'), str(op.value))
    case 'activateSchema':
      return list(sym('store-activate-schema'), int(op.value.version))
    case 'setReplication':
      return list(sym('store-set-replication'), int(op.value.factor), raw(op.value.crush))
    case 'setPrunePolicy':
      return summarizePrunePolicy(op.value)
    case 'destroy':
      return list(sym('store-destroy'))
    case 'destroyAck':
      return list(sym('store-destroy-ack'))
    case undefined:
      return list(sym('store'))
  }
}

function summarizePrunePolicy({ policy }: system.PrunePolicy): SExpr {
  const name = sym('store-set-prune-policy')
  switch (policy.case) {
    case 'manual':
      return list(name, sym('manual'))
    case 'keepDays':
      return list(name, sym('keep-days'), int(policy.value))
    case 'keepCount':
      return list(name, sym('keep-count'), int(policy.value))
    case undefined:
      return list(name)
  }
}

function summarizeStrategy({ strategy }: system.PeerStrategy): SExpr {
  const name = sym('store-set-strategy')
  if (strategy.case === undefined) return list(name)
  return strategy.case === 'independent' && strategy.value.parent.length === 0
    ? list(name, sym(strategy.case))
    : list(name, sym(strategy.case), raw(strategy.value.parent))
}

/** A number without a word is shown as the number. */
function word(name: string | undefined, number: number): SExpr {
  return name === undefined ? int(number) : sym(name)
}
