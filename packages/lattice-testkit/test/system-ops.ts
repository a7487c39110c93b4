/**
 * System operations as fast-check draws them: every kind, well-formed or not, over few enough peers, children and invites
 * that they meet.
 *
 * @module
 */
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { system, weaver } from '@lattice/proto'
import * as fc from 'fast-check'
import { DAG_AUTHORS } from '../src/op-dag.ts'

type SystemOp = system.SystemOp
type PeerInit = NonNullable<MessageInitShape<typeof system.PeerOpSchema>['op']>
type InviteInit = NonNullable<MessageInitShape<typeof system.InviteOpSchema>['op']>
type ChildInit = NonNullable<MessageInitShape<typeof system.ChildOpSchema>['op']>

const peerOp = (peer: Uint8Array, op: PeerInit): SystemOp =>
  create(system.SystemOpSchema, { op: { case: 'peer', value: { peer, op } } })
const inviteOp = (tokenHash: Uint8Array, op: InviteInit): SystemOp =>
  create(system.SystemOpSchema, { op: { case: 'invite', value: { tokenHash, op } } })
const childOp = (child: Uint8Array, op: ChildInit): SystemOp =>
  create(system.SystemOpSchema, { op: { case: 'child', value: { child, op } } })

/** Enumerations are open: any number arrives as one. */
function numbersOf<Enum extends number>(...numbers: readonly number[]): fc.Arbitrary<Enum> {
  // What the wire may hold, and the type does not say.
  return fc.constantFrom(...numbers) as fc.Arbitrary<Enum>
}

const ids = fc.constantFrom(1, 2).map((fill) => new Uint8Array(32).fill(fill))
const misshapen = fc.constantFrom(new Uint8Array(), new Uint8Array(31), new Uint8Array(33))
const names = fc.constantFrom('x', 'y', '', 'a/b', 'n'.repeat(129), '\u202e', '\u{1f33f}')
const ANY_NUMBER = [0, 1, 2, 3, 4, 77, -1]
const times = fc.constantFrom(0n, 5n, 2n ** 48n, 2n ** 64n - 1n)

/** Well-formed, and now and then not. */
const peersOf = (authors: number): fc.Arbitrary<Uint8Array> =>
  fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...DAG_AUTHORS.slice(0, authors)) }, misshapen)
const idsOrNot = fc.oneof({ weight: 12, arbitrary: ids }, misshapen)

function peerOps(authors: number): fc.Arbitrary<SystemOp> {
  const admission = fc.record({
    status: numbersOf<system.PeerStatus>(1, 2, 2, 2),
    role: numbersOf<system.Role>(1, 2, 3, 3),
    addedAt: fc.constant(5n),
  })
  const strange = fc.record({
    status: numbersOf<system.PeerStatus>(...ANY_NUMBER),
    role: numbersOf<system.Role>(...ANY_NUMBER),
    addedAt: times,
  })
  const op: fc.Arbitrary<PeerInit> = fc.oneof(
    { weight: 5, arbitrary: admission.map((value) => ({ case: 'admit' as const, value })) },
    strange.map((value) => ({ case: 'admit' as const, value })),
    numbersOf<system.Role>(...ANY_NUMBER).map((value) => ({ case: 'setRole' as const, value })),
    numbersOf<system.PeerStatus>(...ANY_NUMBER).map((value) => ({ case: 'setStatus' as const, value })),
    names.map((value) => ({ case: 'setName' as const, value })),
    names.map((value) => ({ case: 'setDevice' as const, value })),
    fc.constant({ case: undefined }),
  )
  return fc.tuple(peersOf(authors), op).map(([peer, value]) => peerOp(peer, value))
}

function inviteOps(authors: number): fc.Arbitrary<SystemOp> {
  const uses = fc.constantFrom(0, 1, 2, 2 ** 32 - 1)
  const op: fc.Arbitrary<InviteInit> = fc.oneof(
    fc
      .record({ expiresAt: times, uses, role: numbersOf<system.Role>(...ANY_NUMBER) })
      .map((value) => ({ case: 'create' as const, value })),
    { weight: 2, arbitrary: fc.constant({ case: 'create' as const, value: { expiresAt: 9n, uses: 2, role: 2 } }) },
    fc.record({ claimedBy: peersOf(authors), usesLeft: uses }).map((value) => ({ case: 'claim' as const, value })),
    fc.constant({ case: 'cancel' as const, value: {} }),
    fc.constant({ case: undefined }),
  )
  return fc.tuple(idsOrNot, op).map(([tokenHash, value]) => inviteOp(tokenHash, value))
}

function childOps(): fc.Arbitrary<SystemOp> {
  const storeType = fc.constantFrom('core:kvstore', 'core:logstore', 'KV')
  const op: fc.Arbitrary<ChildInit> = fc.oneof(
    fc.record({ alias: names, storeType, independent: fc.boolean() }).map((value) => ({ case: 'add' as const, value })),
    fc.constant({ case: 'add' as const, value: { alias: 'x', storeType: 'core:kvstore' } }),
    numbersOf<system.ChildStatus>(1, 2, 3, 3, 9).map((value) => ({ case: 'setStatus' as const, value })),
    names.map((value) => ({ case: 'setAlias' as const, value })),
    fc.constant({ case: 'destroyAck' as const, value: {} }),
    fc.constant({ case: undefined }),
  )
  return fc.tuple(idsOrNot, op).map(([child, value]) => childOp(child, value))
}

type PolicyInit = NonNullable<MessageInitShape<typeof system.PrunePolicySchema>['policy']>

const strategies = fc
  .record({
    case: fc.constantFrom('independent' as const, 'inherited' as const, 'snapshot' as const),
    parent: idsOrNot,
  })
  .map(({ case: kind, parent }) => ({ case: kind, value: { parent } }))
const storeOps: fc.Arbitrary<SystemOp> = fc
  .oneof(
    names.map((value) => ({ case: 'setName' as const, value })),
    names.map((value) => ({ case: 'setAppId' as const, value })),
    strategies.map((strategy) => ({ case: 'setStrategy' as const, value: { strategy } })),
    fc.constantFrom(0, 1, 2).map((version) => ({ case: 'activateSchema' as const, value: { version } })),
    fc
      .record({ factor: fc.constantFrom(0, 1, 3, 300), crush: fc.uint8Array({ maxLength: 3 }) })
      .map((value) => ({ case: 'setReplication' as const, value })),
    fc
      .constantFrom<PolicyInit>(
        { case: 'manual', value: {} },
        { case: 'keepDays', value: 30 },
        { case: 'keepDays', value: 0 },
        { case: 'keepCount', value: 1000 },
        { case: 'keepCount', value: 0 },
      )
      .map((policy) => ({ case: 'setPrunePolicy' as const, value: { policy } })),
    fc.constantFrom('destroy' as const, 'destroyAck' as const).map((kind) => ({ case: kind, value: {} })),
    fc.constant({ case: undefined }),
  )
  .map((op) => create(system.SystemOpSchema, { op: { case: 'store', value: { op } } }))

/** One operation or a batch, by and about the first `authors` of all. */
export function systemOps(authors: number = DAG_AUTHORS.length): fc.Arbitrary<SystemOp> {
  const single = fc.oneof(
    { weight: 4, arbitrary: peerOps(authors) },
    { weight: 2, arbitrary: inviteOps(authors) },
    { weight: 3, arbitrary: childOps() },
    storeOps,
  )
  const batch = fc
    .array(fc.oneof({ weight: 20, arbitrary: single }, fc.constant(create(system.SystemOpSchema))), { maxLength: 4 })
    .map((ops) => create(system.SystemOpSchema, { op: { case: 'batch', value: { ops } } }))
  return fc.oneof(
    { weight: 4, arbitrary: single },
    { weight: 2, arbitrary: batch },
    fc.constant(create(system.SystemOpSchema)),
  )
}

/** What begins and ends: about one of these, a history reaches every turn of it. */
export const SUBJECTS = ['a child', 'an invite', 'the store', 'a peer'] as const
export type Subject = (typeof SUBJECTS)[number]

/**
 * Admissions, and beginnings and ends of one thing, always well-formed. The fewer the authors, the more often what one
 * does is about what another did.
 */
export function endings(subject: Subject, authors: number): fc.Arbitrary<SystemOp> {
  const admissions = fc
    .tuple(fc.constantFrom(...DAG_AUTHORS.slice(0, authors)), numbersOf<system.PeerStatus>(1, 2, 2, 2))
    .map(([peer, status]) => peerOp(peer, { case: 'admit', value: { status, role: 3, addedAt: 5n } }))
  const single = fc.oneof(
    { weight: authors === 1 && subject !== 'a peer' ? 0 : 2, arbitrary: admissions },
    { weight: 5, arbitrary: ENDINGS[subject] },
  )
  return fc.oneof(
    { weight: 6, arbitrary: single },
    fc
      .array(single, { minLength: 2, maxLength: 3 })
      .map((ops) => create(system.SystemOpSchema, { op: { case: 'batch', value: { ops } } })),
  )
}

const [SOME_ID, OTHER_ID] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
const SOME_PEERS = fc.constantFrom(...DAG_AUTHORS.slice(0, 3))

const ENDINGS: Readonly<Record<Subject, fc.Arbitrary<SystemOp>>> = {
  'a child': fc.oneof(
    fc
      .constantFrom('x', 'y')
      .map((alias) => childOp(SOME_ID, { case: 'add', value: { alias, storeType: 'core:kvstore' } })),
    {
      weight: 3,
      arbitrary: numbersOf<system.ChildStatus>(1, 2, 3, 3).map((value) =>
        childOp(SOME_ID, { case: 'setStatus', value }),
      ),
    },
    fc.constant(childOp(SOME_ID, { case: 'destroyAck', value: {} })),
  ),
  'an invite': fc.oneof(
    fc.constantFrom(1, 3).map((uses) => inviteOp(SOME_ID, { case: 'create', value: { expiresAt: 9n, uses, role: 2 } })),
    {
      weight: 2,
      arbitrary: fc
        .record({ claimedBy: SOME_PEERS, usesLeft: fc.constantFrom(0, 2) })
        .map((value) => inviteOp(SOME_ID, { case: 'claim', value })),
    },
    fc.constant(inviteOp(SOME_ID, { case: 'cancel', value: {} })),
  ),
  'the store': fc.oneof(
    fc.constantFrom(SOME_ID, OTHER_ID).map((parent) =>
      create(system.SystemOpSchema, {
        op: {
          case: 'store',
          value: { op: { case: 'setStrategy', value: { strategy: { case: 'inherited', value: { parent } } } } },
        },
      }),
    ),
    {
      weight: 2,
      arbitrary: fc
        .constantFrom('destroy' as const, 'destroyAck' as const)
        .map((kind) =>
          create(system.SystemOpSchema, { op: { case: 'store', value: { op: { case: kind, value: {} } } } }),
        ),
    },
  ),
  'a peer': fc
    .tuple(
      SOME_PEERS,
      fc.oneof(
        numbersOf<system.PeerStatus>(2, 3).map((value): PeerInit => ({ case: 'setStatus', value })),
        numbersOf<system.Role>(1, 2, 3).map((value): PeerInit => ({ case: 'setRole', value })),
        fc
          .tuple(numbersOf<system.PeerStatus>(1, 2), numbersOf<system.Role>(1, 2, 3))
          .map(([status, role]): PeerInit => ({ case: 'admit', value: { status, role, addedAt: 5n } })),
        fc.constantFrom('x', 'y').map((value): PeerInit => ({ case: 'setName', value })),
      ),
    )
    .map(([peer, op]) => peerOp(peer, op)),
}

/** As they come, and now and then what is no envelope. */
export function envelopes(ops: fc.Arbitrary<SystemOp>): fc.Arbitrary<weaver.UniversalOp | undefined> {
  return fc.oneof(
    {
      weight: 20,
      arbitrary: ops.map((value) => create(weaver.UniversalOpSchema, { op: { case: 'system', value } })),
    },
    fc.constant(undefined),
  )
}
