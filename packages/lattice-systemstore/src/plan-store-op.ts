/**
 * Plans of operations on the store itself. All of them are an ADMIN's but the acknowledgement that it is destroyed.
 *
 * @module
 */
import { err, ok, type Result } from '@lattice/model'
import type { system } from '@lattice/proto'
import { checkText } from './check-text.ts'
import type { StoreField } from './keys.ts'
import { MAX_APP_ID_BYTES, MAX_CRUSH_BYTES, MAX_NAME_BYTES, MAX_REPLICATION_FACTOR } from './limits.ts'
import type { Condition, MalformedReason, OpOrigin, OpPlan, SystemRow } from './op-plan.ts'
import { encodePrunePolicy, prunePolicyIn } from './prune-policy.ts'
import { encodeCount, encodeStrategy, encodeText, MARK, strategyOf } from './values.ts'

const DESTROYED = { kind: 'store_destroyed' } as const

export function planStoreOp({ op }: system.StoreOp, { id, author }: OpOrigin): Result<OpPlan, MalformedReason> {
  switch (op.case) {
    case 'setName':
      return planText('name', op.value, MAX_NAME_BYTES)
    case 'setAppId':
      return planText('app-id', op.value, MAX_APP_ID_BYTES)
    case 'setStrategy':
      if (strategyOf(op.value) === undefined) return err('strategy_malformed')
      return admins(
        [row('strategy', encodeStrategy(op.value))],
        [{ fact: { kind: 'strategy_set' }, reason: 'strategy_set' }],
      )
    case 'activateSchema': {
      const { version } = op.value
      if (version < 1) return err('schema_out_of_range')
      const value = encodeCount(version)
      return admins([row('schema', value), { key: { kind: 'schema_activation', activation: id }, value }])
    }
    case 'setReplication': {
      const { factor, crush } = op.value
      if (factor < 1 || factor > MAX_REPLICATION_FACTOR || crush.length > MAX_CRUSH_BYTES)
        return err('replication_out_of_range')
      return admins([
        { key: { kind: 'replication', field: 'factor' }, value: encodeCount(factor) },
        { key: { kind: 'replication', field: 'crush' }, value: crush },
      ])
    }
    case 'setPrunePolicy': {
      const policy = prunePolicyIn(op.value)
      return policy === undefined
        ? err('prune_policy_invalid')
        : admins([row('prune-policy', encodePrunePolicy(policy))])
    }
    case 'destroy':
      return ok({
        rows: [row('destroyed', MARK)],
        privileged: true,
        bars: [{ fact: DESTROYED, reason: 'store_destroyed' }],
        makes: [DESTROYED],
      })
    case 'destroyAck':
      // Each peer speaks for itself, and only of what has happened.
      return ok({
        rows: [{ key: { kind: 'store_destroy_ack', peer: author }, value: MARK }],
        privileged: false,
        needs: [{ fact: DESTROYED, reason: 'store_not_destroyed' }],
      })
    case undefined:
      return err('op_unset')
  }
}

function planText(field: StoreField, text: string, maxBytes: number): Result<OpPlan, MalformedReason> {
  const problem = checkText(text, { maxBytes, segment: true })
  return problem === undefined ? admins([row(field, encodeText(text))]) : err(problem)
}

function admins(rows: readonly SystemRow[], bars: readonly Condition[] = []): Result<OpPlan, MalformedReason> {
  return ok({ rows, privileged: true, bars })
}

function row(field: StoreField, value: Uint8Array): SystemRow {
  return { key: { kind: 'store', field }, value }
}
