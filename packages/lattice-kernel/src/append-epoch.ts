/**
 * Makes an epoch: pins everything that is witnessed here, by citing the genesis, the epoch heads and the frontier.
 *
 * A frontier that is wider than one epoch can cite is folded by acks first. The policy is asked whether it would count by
 * exactly what will be in its past, and names who has to acknowledge it.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import {
  assert,
  equalBytes,
  type Hlc,
  type IntentionId,
  MAX_CAUSAL_DEPS,
  MAX_KERNEL_CAUSAL_DEPS,
  MAX_RUN_LENGTH,
  NO_HINTS,
  sortDeps,
  toHex,
} from '@lattice/model'
import { system, weaver } from '@lattice/proto'
import type { EpochPermission, EpochWish, Remains } from '@lattice/store-base'
import { ACK, appendOne, assertMayWrite } from './append-one.ts'
import type { Core } from './core.ts'
import { encodeOp } from './envelope.ts'
import { WriteRefused, type WriteRefusal } from './errors.ts'
import type { IntentionMeta, LogEntry } from './log-entry.ts'
import { standingDivergences } from './state-divergence.ts'
import { JOINED_TIPS_MAX, newestOf } from './resolve-causes.ts'

export interface AppendedEpoch {
  readonly id: IntentionId
  readonly entries: readonly LogEntry[]
  readonly bytes: number
}

/** What an epoch cites beside the frontier: the genesis and the epoch heads, which are few where they are joined. */
const FRONTIER_MAX: number = MAX_KERNEL_CAUSAL_DEPS - JOINED_TIPS_MAX - MAX_CAUSAL_DEPS

/**
 * Appends the epoch, in a run of its own; `undefined` when it takes more than `maxRecords`. Throws `WriteRefused`; then
 * there is no epoch, and at most acks that cite what is witnessed.
 */
export function appendEpoch(core: Core, wish: EpochWish, maxRecords: number): AppendedEpoch | undefined {
  const { options, log } = core
  const { membership, signer } = options
  assertMayWrite(core, 'epoch')
  if (membership === undefined) {
    throw new WriteRefused('NOT_SUPPORTED', 'this store is open without knowledge of its peers: open it with its type')
  }
  if (wish.kind === 'prune') assertStatesAgree(core)
  const folds = Math.ceil(Math.max(0, openEnds(core).length - FRONTIER_MAX) / (FRONTIER_MAX - 1))
  if (folds >= MAX_RUN_LENGTH) {
    throw new WriteRefused('LIMIT_EXCEEDED', 'too many ends of the history are open: wait until they are acknowledged')
  }
  if (folds + 1 > maxRecords) return undefined
  // Asked before anything is written, and again with the acks in the past: they decide nothing.
  if (folds > 0) refuse(membership.permit(log.book.history(), signer.publicKey, wish))
  const acks: LogEntry[] = []
  for (let ends = openEnds(core); ends.length > FRONTIER_MAX; ends = openEnds(core)) {
    acks.push(appendOne(core, { ...causesOf(core, ends.slice(0, FRONTIER_MAX)), encoded: ACK, close: true }).entry)
  }
  const cited = [log.meta().storeId, ...log.book.heads().slice(0, JOINED_TIPS_MAX), ...openEnds(core)]
  const causes = causesOf(core, cited)
  const places = placesOf(core, [causes.storePrev, ...causes.deps])
  const isInPast = withinPastOf(core, places)
  const permission = membership.permit(log.book.historyWithin(isInPast), signer.publicKey, wish)
  const requiredAcks = [...refuse(permission)]
  const before = log.book.valid().filter(({ meta }) => isInPast(meta))
  const seq = before.reduce((next, { record }) => {
    const { seq: other } = record.op.value
    return other >= next ? other + 1n : next
  }, 0n)
  const value = create(weaver.EpochOpSchema, { seq, requiredAcks, cause: { cause: causeOf(wish) } })
  const encoded = encodeOp({ kind: 'epoch', schema: 0, value })
  const generation = 1 + Math.max(...places.map((place) => place.generation))
  const next = { author: signer.publicKey, timestamp: causes.newest, generation, op: encoded.op }
  const fault = log.book.faultOfNext(next, isInPast)
  if (fault !== undefined) {
    throw new WriteRefused('WRONG_STATE', `such an epoch would not count (${fault}): look at the epochs there are`, {
      fault,
    })
  }
  const { entry } = appendOne(core, { ...causes, encoded, close: true })
  const entries = [...acks, entry]
  return { id: entry.parsed.id, entries, bytes: entries.reduce((sum, { parsed }) => sum + parsed.bytes.length, 0) }
}

/** While it is open who is wrong, all that would show it is kept. */
function assertStatesAgree(core: Core): void {
  const [divergence] = standingDivergences(core, () => undefined)
  if (divergence === undefined) return
  const message = 'peers have signed different states of the store: find out who is wrong before anything is pruned'
  throw new WriteRefused('WRONG_STATE', message, { reason: 'state_diverged', epoch: toHex(divergence.epoch) })
}

/** The maximal intentions but the own one that is followed anyway, the oldest first. */
function openEnds({ log, ownTips }: Core): readonly IntentionId[] {
  const prev = ownTips.open()[0]?.parsed.id
  return log.frontier
    .ids()
    .filter((id) => prev === undefined || !equalBytes(id, prev))
    .map((id) => ({ id, seq: log.find(id)?.seq ?? 0 }))
    .sort((a, b) => a.seq - b.seq)
    .map(({ id }) => id)
}

interface Causes {
  readonly storePrev: IntentionId
  readonly deps: readonly IntentionId[]
  readonly newest: Hlc
  readonly hints: typeof NO_HINTS
}

function causesOf(core: Core, cited: readonly IntentionId[]): Causes {
  const tip = core.ownTips.open()[0]
  const deps = sortDeps(cited)
  const newest = newestOf(core, { ack: [], direct: deps }, tip?.meta.timestamp)
  return { storePrev: tip?.parsed.id ?? core.log.meta().storeId, deps, newest, hints: NO_HINTS }
}

function placesOf({ log }: Core, ids: readonly IntentionId[]): readonly IntentionMeta[] {
  return ids.map((id) => {
    const place = log.find(id)
    assert(place !== undefined, 'what is cited is witnessed')
    return place
  })
}

/** Whether something will be in the past of what has these causes. */
function withinPastOf({ log }: Core, causes: readonly IntentionMeta[]): (place: IntentionMeta) => boolean {
  const reached = new Map<number, number>()
  // The latest first: it may have the others in its past, which then have nothing to add.
  for (const cause of causes.toSorted((a, b) => b.seq - a.seq)) {
    if ((reached.get(cause.lane) ?? -1) >= cause.position) continue
    for (const [lane, position] of log.reach.vectorOf(cause)) {
      if (position > (reached.get(lane) ?? -1)) reached.set(lane, position)
    }
  }
  return ({ lane, position }) => (reached.get(lane) ?? -1) >= position
}

const REFUSALS: Readonly<
  Record<
    Extract<EpochPermission, { kind: 'refused' }>['code'],
    { readonly code: WriteRefusal; readonly message: string }
  >
> = {
  not_admin: { code: 'NOT_ADMIN', message: 'only an admin of the store makes this epoch: ask one' },
  not_a_peer: { code: 'NOT_ADMITTED', message: 'this node is no active peer of the store: ask an admin to admit it' },
  peer_unknown: { code: 'PEER_NOT_FOUND', message: 'the store has no such peer: look at the list of its peers' },
  nothing_to_remove: { code: 'WRONG_STATE', message: 'the peer has no more rights than it is to keep' },
  below_unknown: { code: 'WRONG_STATE', message: 'what is to be pruned below is no epoch that counts: look at them' },
  aside_unknown: { code: 'WRONG_STATE', message: 'what is to be set aside is no epoch that follows the parent' },
  nothing_to_join: { code: 'WRONG_STATE', message: 'the store has no concurrent epochs to join' },
}

/** The keys that have to acknowledge it. Throws what the policy refuses. */
function refuse(permission: EpochPermission): readonly Uint8Array[] {
  if (permission.kind === 'allowed') return permission.requiredAcks
  const { code, message } = REFUSALS[permission.code]
  throw new WriteRefused(code, message, { reason: permission.code })
}

const REMAINING_ROLE: Readonly<Record<Remains, system.Role>> = {
  none: system.Role.UNSPECIFIED,
  reader: system.Role.READER,
  writer: system.Role.WRITER,
}

function causeOf(wish: EpochWish): weaver.EpochCause['cause'] {
  switch (wish.kind) {
    case 'initial':
      return { case: 'initial', value: create(weaver.InitialCauseSchema) }
    case 'membership': {
      const byPeer = new Map(wish.removals.map((removal) => [toHex(removal.peer), removal]))
      const removals = [...byPeer.keys()].sort().flatMap((key) => {
        const removal = byPeer.get(key)
        if (removal === undefined) return []
        return [create(weaver.RemovalSchema, { peer: removal.peer, remains: REMAINING_ROLE[removal.remains] })]
      })
      return { case: 'membership', value: create(weaver.MembershipCauseSchema, { removals }) }
    }
    case 'prune':
      return { case: 'prune', value: create(weaver.PruneCauseSchema, wish.below ? { below: wish.below } : {}) }
    case 'join_of_epochs':
      return { case: 'joinOfEpochs', value: create(weaver.JoinOfEpochsCauseSchema) }
    case 'parent':
      return { case: 'parent', value: create(weaver.ParentCauseSchema, { store: wish.store, epoch: wish.epoch }) }
    case 'set_aside':
      return { case: 'setAside', value: create(weaver.SetAsideCauseSchema, { epochs: sortDeps(wish.epochs) }) }
  }
}
