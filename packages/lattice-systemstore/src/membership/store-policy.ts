/**
 * The rules of membership of any store: those of its own peers, or of its parent's where it says that it has these.
 *
 * Which of the two it is follows from the records alone, for an epoch is judged once and by its own past: not from the
 * tables, which may be behind.
 *
 * @module
 */
import { equalBytes, type StoreId, type UniversalOp } from '@lattice/model'
import { type MembershipHistory, type MembershipPolicy, type MembershipRecord, resolvePast } from '@lattice/store-base'
import { planSystemOp } from '../plan-op.ts'
import { decodeStrategy, type Strategy } from '../values.ts'
import { createInheritedMembershipPolicy, type ParentPeers } from './inherited-policy.ts'
import { createMembershipPolicy } from './policy.ts'
import { isMembershipRecord } from './records.ts'

/** `parentOf` answers for a store as it is now, also while it is not open. */
export function createStoreMembershipPolicy(parentOf: (parent: StoreId) => ParentPeers): MembershipPolicy {
  const own = createMembershipPolicy()
  const strategies = new WeakMap<MembershipRecord, Strategy | 'none'>()

  function strategyIn(record: MembershipRecord): Strategy | undefined {
    const known = strategies.get(record) ?? readStrategyOf(record) ?? 'none'
    strategies.set(record, known)
    return known === 'none' ? undefined : known
  }

  /** The creator says it once, right after the genesis; what anybody says later counts for nothing. */
  function policyOf({ records }: MembershipHistory): MembershipPolicy {
    const genesis = records.find(({ op }) => op.kind === 'genesis')
    if (genesis === undefined) return own
    for (const record of records) {
      const strategy = equalBytes(record.author, genesis.author) ? strategyIn(record) : undefined
      if (strategy === undefined) continue
      return strategy.kind === 'inherited' ? createInheritedMembershipPolicy(parentOf(strategy.parent)) : own
    }
    return own
  }

  return {
    isRecord: (op) => isMembershipRecord(op) || setsStrategy(op),
    ...(own.rolesIn && { rolesIn: own.rolesIn }),
    resolve: (history) => policyOf(history).resolve(history),
    resolvePast: (history) => resolvePast(policyOf(history), history),
    permit: (history, author, wish) => policyOf(history).permit(history, author, wish),
  }
}

function setsStrategy(op: UniversalOp): boolean {
  if (op.kind !== 'system') return false
  const ops = op.value.op.case === 'batch' ? op.value.op.value.ops : [op.value]
  return ops.some((each) => each.op.case === 'store' && each.op.value.op.case === 'setStrategy')
}

/** Undefined for what sets none. */
function readStrategyOf({ id, author, op }: MembershipRecord): Strategy | undefined {
  if (op.kind !== 'system' || !setsStrategy(op)) return undefined
  const plan = planSystemOp(op.value, { id, author })
  if (!plan.ok) return undefined
  for (const { key, value } of plan.value.writes) {
    if (key.kind === 'store' && key.field === 'strategy') return decodeStrategy(value)
  }
  return undefined
}
