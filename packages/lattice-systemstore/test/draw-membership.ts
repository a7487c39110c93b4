/**
 * Histories of membership drawn at random: five peers that admit, promote, revoke and demote each other, at the same time
 * and after one another, mostly as honest ones would.
 *
 * @module
 */
import { equalBytes, idKey, type PublicKey } from '@lattice/model'
import type { MembershipPolicy, Remains } from '@lattice/store-base'
import * as fc from 'fast-check'
import { createMembershipPolicy } from '../src/index.ts'
import {
  admitInit,
  admitOp,
  batchOp,
  createDag,
  type Dag,
  type DagRecord,
  epochOp,
  historyOf,
  inviteOp,
  roleOp,
  statusOp,
  type Word,
} from './membership-dag.ts'
import { keyOf } from './open-test-store.ts'

export const PEERS: readonly PublicKey[] = [1, 2, 3, 4, 5].map(keyOf)
const peerAt = (number: number): PublicKey => PEERS[number % PEERS.length] ?? keyOf(1)

export interface Step {
  readonly author: number
  readonly kind: 'admit' | 'invite' | 'role' | 'status' | 'batch' | 'membership' | 'prune' | 'join'
  readonly target: number
  readonly word: Word
  /** What its author has seen: all, its own line and some, or some alone. */
  readonly sees: 'all' | 'line' | 'some'
  readonly mask: number
  /** For an epoch: by how much its seq is wrong. */
  readonly wrong: number
}

const step: fc.Arbitrary<Step> = fc.record({
  author: fc.nat({ max: 4 }),
  kind: fc.constantFrom(
    'admit',
    'admit',
    'admit',
    'role',
    'invite',
    'status',
    'batch',
    'membership',
    'membership',
    'membership',
    'membership',
    'prune',
    'join',
  ),
  target: fc.nat({ max: 4 }),
  word: fc.constantFrom('admin', 'admin', 'writer', 'reader'),
  sees: fc.constantFrom('all', 'line', 'line', 'line', 'some'),
  mask: fc.nat({ max: 2 ** 16 - 1 }),
  wrong: fc.constantFrom(0, 0, 0, 0, 0, 0, 1),
})
const anything: fc.Arbitrary<readonly Step[]> = fc.array(step, { minLength: 4, maxLength: 22 })

/** Four admins that remove each other and let each other in again, most of them not knowing of all the others did. */
const fights: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    author: fc.nat({ max: 3 }),
    kind: fc.constantFrom('membership', 'membership', 'membership', 'admit'),
    target: fc.nat({ max: 3 }),
    word: fc.constantFrom('admin', 'admin', 'writer'),
    sees: fc.constantFrom('line', 'line', 'some'),
    mask: fc.nat({ max: 2 ** 16 - 1 }),
    wrong: fc.constant(0),
  }),
  { minLength: 4, maxLength: 10 },
)
export const plans: fc.Arbitrary<readonly Step[]> = fc.oneof(anything, fights)

/** Most epochs are as their author would make them, by what it has seen. */
export function draw(steps: readonly Step[]): Dag {
  const dag = createDag(peerAt(0))
  const policy = createMembershipPolicy()
  // Without some admins to begin with most of a history is junk.
  for (const at of [1, 2, 3]) dag.add(peerAt(0), admitOp(peerAt(at), 'admin'))
  for (const each of steps) {
    const author = peerAt(each.author)
    const deps = depsOf(dag, each)
    dag.add(author, opOf(dag, policy, { each, author, deps }), deps)
  }
  return dag
}

function depsOf({ records, genesis }: Dag, { author, sees, mask }: Step): readonly DagRecord[] {
  if (sees === 'all') return records
  const some = records.filter((_, at) => (mask >> (at % 16)) % 2 === 1)
  const own = records.findLast((record) => equalBytes(record.author, peerAt(author)))
  return [genesis, ...some.slice(0, 4), ...(sees === 'line' && own ? [own] : [])]
}

function opOf(
  dag: Dag,
  policy: MembershipPolicy,
  { each, author, deps }: { readonly each: Step; readonly author: PublicKey; readonly deps: readonly DagRecord[] },
): DagRecord['op'] {
  const target = peerAt(each.target)
  switch (each.kind) {
    case 'admit':
      return admitOp(target, each.word)
    case 'invite':
      return inviteOp(target, each.word)
    case 'role':
      return roleOp(target, each.word)
    case 'status':
      return statusOp(target, each.word === 'admin' ? 'active' : 'dormant')
    case 'batch':
      return batchOp(admitInit(target, each.word), admitInit(peerAt(each.mask), 'writer'))
    default: {
      const past = new Set(deps.flatMap((dep) => [idKey(dep.id), ...dep.past]))
      const seen = dag.records.filter((record) => past.has(idKey(record.id)))
      const history = historyOf(seen)
      const remains: Remains = each.word === 'admin' ? 'none' : each.word
      const second = each.mask % 5 === 0 && !equalBytes(peerAt(each.mask), target) ? [peerAt(each.mask)] : []
      const removals = [target, ...second].map((peer) => ({ peer, remains }))
      const wish =
        each.kind === 'membership'
          ? ({ kind: 'membership', removals } as const)
          : ({ kind: each.kind === 'prune' ? 'prune' : 'join_of_epochs' } as const)
      const permission = policy.permit(history, author, wish)
      const view = policy.resolve(history)
      const seqs = seen.flatMap(({ id, op }) =>
        op.kind === 'epoch' && [undefined, 'outranked'].includes(view.faultOf(id)) ? [Number(op.value.seq)] : [],
      )
      return epochOp({
        seq: Math.max(-1, ...seqs) + 1 + each.wrong,
        acks: permission.kind === 'allowed' ? permission.requiredAcks : [],
        ...(each.kind === 'membership'
          ? { removals: removals.map(({ peer }) => [peer, remains] as const) }
          : { cause: each.kind === 'prune' ? 'prune' : 'joinOfEpochs', ...belowOf(dag, each) }),
      })
    }
  }
}

/** Some prunes are of what lies below another epoch: of their past, of none, or below what is no epoch. */
function belowOf({ records }: Dag, { kind, mask }: Step): { readonly below?: Uint8Array } {
  const epochs = records.filter(({ op }) => op.kind === 'epoch')
  const target = mask % 7 === 0 ? records[mask % records.length] : epochs[mask % Math.max(1, epochs.length)]
  return kind === 'prune' && mask % 3 > 0 && target !== undefined ? { below: target.id } : {}
}

/** In some causal order: `order` says which of those that may come next does. */
export function inSomeOrder(records: readonly DagRecord[], order: Iterator<number>): readonly DagRecord[] {
  const here: DagRecord[] = []
  const known = new Set<string>()
  while (here.length < records.length) {
    const ready = records.filter(
      ({ id, past }) => !known.has(idKey(id)) && [...past].every((cause) => known.has(cause)),
    )
    const next = ready[Number(order.next().value ?? 0) % ready.length]
    if (next === undefined) break
    known.add(idKey(next.id))
    here.push(next)
  }
  return here
}
