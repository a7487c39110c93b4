/**
 * What the hostile peer signs with its own key: epochs that are none, and acks of what it has not seen.
 *
 * It is witnessed by its own node as if it had been made there, so it is well-formed, follows what its author has written
 * and gets about as any write does: whoever receives it has to see for itself that it counts for nothing.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import type { Kernel } from '@lattice/kernel'
import {
  compareBytes,
  createSigner,
  encodeUniversalOp,
  equalBytes,
  type IntentionId,
  type KeyPair,
  type KnownOp,
  NO_HINTS,
  type PublicKey,
  signIntention,
  sortDeps,
  toHex,
} from '@lattice/model'
import { system, weaver } from '@lattice/proto'
import type { HostileHabit } from './kinds.ts'
import { countUp } from './run-record.ts'
import { track } from './track.ts'
import { storeIn, type World } from './world.ts'

/** One step in so many has one of them. */
const FORGED_ONE_IN = 4

const HABITS = ['forge_epoch', 'forge_ack', 'backdate_epoch'] as const satisfies readonly HostileHabit[]

/** What is wrong with an epoch that only an admin may make. */
export const BY_NO_ADMIN = 'by no admin'

/** What it does with a kernel of its own. */
interface Forger {
  readonly world: World
  readonly kernel: Kernel
  readonly keys: KeyPair
}

/** Signs something now and then, where the run has that. */
export function forge(world: World): void {
  const { plan, random, hostile, stores, record } = world
  const habits = HABITS.filter((habit) => plan.hostile.includes(habit))
  const habit = habits[random.below(Math.max(1, habits.length))]
  if (habit === undefined || hostile === undefined || random.below(FORGED_ONE_IN) > 0) return
  const storeId = random.below(4) === 0 ? stores.watched : stores.team
  const kernel = storeIn(world, hostile, storeId)?.kernel()
  const keys = world.hostileKeys()
  if (kernel === undefined || keys === undefined) return
  countUp(record.deeds, habit)
  const forger = { world, kernel, keys }
  if (habit === 'forge_epoch') forgeEpoch(forger)
  else if (habit === 'forge_ack') forgeAck(forger)
  else backdateEpoch(forger)
}

/** The facts that an epoch on top of all that is here would have to state. */
interface Facts {
  readonly seq: bigint
  readonly requiredAcks: readonly Uint8Array[]
  readonly cause: weaver.EpochCause['cause']
}

function forgeEpoch(forger: Forger): void {
  const { world, kernel, keys } = forger
  const { random } = world
  const isAdmin = kernel.membership().isAdmin(keys.publicKey)
  const target = victim(forger)
  const right = factsOf(forger, target)
  const causes: readonly (readonly [what: string | undefined, facts: Facts])[] = [
    [isAdmin ? undefined : BY_NO_ADMIN, right],
    ['of another number', { ...right, seq: right.seq + BigInt(1 + random.below(1000)) }],
    ['acknowledged by nobody', { ...right, requiredAcks: right.requiredAcks.slice(1) }],
    ['acknowledged by a stranger', { ...right, requiredAcks: [...right.requiredAcks, random.bytes(32)] }],
    ['of nothing', { ...right, cause: { case: undefined } }],
    ['of a removal that is none', { ...right, cause: removing([target, target], system.Role.UNSPECIFIED) }],
    ['of a removal that leaves all', { ...right, cause: removing([target], system.Role.ADMIN) }],
    [isAdmin ? undefined : BY_NO_ADMIN, { ...right, cause: { case: 'prune', value: create(weaver.PruneCauseSchema) } }],
    ['of a parent that is none', { ...right, cause: followingNobody(forger) }],
  ]
  const [what, facts] = causes[random.below(causes.length)] ?? [undefined, right]
  if (what === undefined) world.record.unsteady.add(world.indexOf(target) ?? -1)
  const isSame = what?.startsWith('acknowledged by nobody') === true && right.requiredAcks.length === 0
  ingest(forger, { op: epochOp(facts), ...tipsOf(forger), what: isSame ? undefined : what })
}

/** Goes on from something it wrote before, as if it had seen nothing since: what takes a right of its own away neither. */
function backdateEpoch(forger: Forger): void {
  const { world, kernel, keys } = forger
  const before: IntentionId[] = []
  for (let position = 0; ; position += 1) {
    const id = kernel.chainId(keys.publicKey, position)
    if (id === undefined && position > 0) break
    if (id !== undefined) before.push(id)
  }
  const prev = before[world.random.below(Math.max(1, before.length))]
  if (prev === undefined) return
  const target = victim(forger)
  world.record.unsteady.add(world.indexOf(target) ?? -1)
  const epochs = kernel.epochs().filter(({ id, fault }) => fault === undefined && kernel.isAncestor(id, prev))
  const seq = epochs.reduce((next, epoch) => (epoch.seq >= next ? epoch.seq + 1n : next), 0n)
  ingest(forger, { op: epochOp({ ...factsOf(forger, target), seq }), prev, deps: [], what: undefined })
}

/** Of an epoch that is not in its past, of none at all, or with a root, or ends of chains, that nobody else has. */
function forgeAck(forger: Forger): void {
  const { world, kernel } = forger
  const { random, record } = world
  const [newest] = kernel.epochs()
  const [forged, chainEnds] = [random.bytes(32), random.bytes(32)]
  const kind = random.below(4)
  const stateRoot = (kind === 3 ? newest?.roots[0]?.root : undefined) ?? forged
  const epoch = kind === 0 || newest === undefined ? random.bytes(32) : newest.id
  const value = create(weaver.EpochAckOpSchema, { epoch, stateRoot, chainEnds })
  const causes = kind === 1 ? { prev: kernel.storeId, deps: [] } : tipsOf(forger)
  // It follows that epoch, so the state counts as a peer's, and everybody sees that it is another.
  if (kind >= 2 && newest !== undefined) record.lyingEpochs.add(toHex(newest.id))
  if (kind < 2) record.forgedRoots.add(toHex(stateRoot))
  ingest(forger, { op: { kind: 'epochAck', schema: 0, value }, ...causes, what: undefined })
}

/** Any of the honest: of a junior peer the creator is the most senior there is. */
function victim({ world }: Forger): PublicKey {
  const { random, honest, keyOf } = world
  const key = keyOf(random.below(3) === 0 ? 0 : (honest[random.below(honest.length)] ?? 0)) ?? keyOf(0)
  if (key === undefined) throw new Error('the creator was up')
  return key
}

function factsOf({ kernel, keys }: Forger, target: PublicKey): Facts {
  const seq = kernel
    .epochs()
    .filter(({ fault }) => fault === undefined || fault === 'outranked')
    .reduce((next, epoch) => (epoch.seq >= next ? epoch.seq + 1n : next), 0n)
  const requiredAcks = kernel
    .membership()
    .active()
    .filter((key) => !equalBytes(key, keys.publicKey) && !equalBytes(key, target))
  return { seq, requiredAcks, cause: removing([target], system.Role.UNSPECIFIED) }
}

function removing(peers: readonly PublicKey[], remains: system.Role): weaver.EpochCause['cause'] {
  const removals = peers.toSorted(compareBytes).map((peer) => create(weaver.RemovalSchema, { peer, remains }))
  return { case: 'membership', value: create(weaver.MembershipCauseSchema, { removals }) }
}

/** Of a store that is no parent, or of the true one and an epoch that there is not. */
function followingNobody({ world, kernel }: Forger): weaver.EpochCause['cause'] {
  const { random, stores } = world
  const store = random.below(4) === 0 ? kernel.storeId : stores.team
  return { case: 'parent', value: create(weaver.ParentCauseSchema, { store, epoch: random.bytes(32) }) }
}

function epochOp({ seq, requiredAcks, cause }: Facts): KnownOp {
  const value = create(weaver.EpochOpSchema, { seq, requiredAcks: [...requiredAcks], cause: { cause } })
  return { kind: 'epoch', schema: 0, value }
}

interface Causes {
  readonly prev: IntentionId
  readonly deps: readonly IntentionId[]
}

/** All that its node has witnessed. */
function tipsOf({ kernel, keys }: Forger): Causes {
  const prev = kernel.tipOf(keys.publicKey) ?? kernel.storeId
  const cited = [...kernel.digest().epochHeads, ...kernel.frontier()]
  return { prev, deps: cited.filter((id) => !equalBytes(id, prev)) }
}

function ingest(
  { world, kernel, keys }: Forger,
  { op, prev, deps, what }: Causes & { readonly op: KnownOp; readonly what: string | undefined },
): void {
  const { crypto, hostile, record } = world
  const { hlc } = kernel.stats()
  const signed = signIntention(crypto, createSigner(crypto, keys), {
    intention: {
      author: keys.publicKey,
      timestamp: { wall: Math.max(hlc.wall, kernel.time().nowMs), counter: hlc.counter + 1 },
      storePrev: prev,
      causalDeps: sortDeps([kernel.storeId, ...deps]),
      hints: NO_HINTS,
      ops: encodeUniversalOp(op),
    },
    close: true,
  })
  if (what !== undefined) record.forged.push({ id: signed.id, what })
  track(world, { what: 'forge', index: hostile ?? 0, work: () => kernel.ingest([signed], undefined) }, ([outcome]) =>
    record.journal.note(
      `the hostile peer forged ${toHex(signed.id).slice(0, 12)}: ${outcome?.kind ?? ''} ${what ?? ''}`,
    ),
  )
}
