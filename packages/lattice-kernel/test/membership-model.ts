/**
 * A policy for tests: the rules of membership as they are written, slowly, over small histories.
 *
 * Grants are admissions by an ADMIN, roles are admin, writer and reader, and every epoch is a removal.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import {
  compareBytes,
  equalBytes,
  type IdKey,
  idKey,
  type IntentionId,
  type KnownOp,
  type PublicKey,
  toPublicKey,
} from '@lattice/model'
import { system, weaver } from '@lattice/proto'
import type {
  Cutoff,
  EpochFault,
  MembershipHistory,
  MembershipRecord,
  MembershipView,
  Remains,
} from '@lattice/store-base'

const LEVELS = { none: 0, reader: 1, writer: 2, admin: 3 } as const
type Level = keyof typeof LEVELS

const ROLES = { reader: system.Role.READER, writer: system.Role.WRITER, admin: system.Role.ADMIN } as const

export function admitOp(peer: PublicKey, role: 'reader' | 'writer' | 'admin'): KnownOp {
  const admit = create(system.PeerAdmitSchema, { status: system.PeerStatus.ACTIVE, role: ROLES[role] })
  const op = create(system.PeerOpSchema, { peer, op: { case: 'admit', value: admit } })
  return { kind: 'system', schema: 0, value: create(system.SystemOpSchema, { op: { case: 'peer', value: op } }) }
}

export function removeOp(
  removals: readonly { readonly peer: PublicKey; readonly remains: Remains }[],
  { seq = 1n, requiredAcks = [] }: { readonly seq?: bigint; readonly requiredAcks?: readonly PublicKey[] } = {},
): KnownOp {
  const cause = create(weaver.MembershipCauseSchema, {
    removals: removals
      .toSorted((a, b) => compareBytes(a.peer, b.peer))
      .map(({ peer, remains }) => ({ peer, remains: remains === 'none' ? system.Role.UNSPECIFIED : ROLES[remains] })),
  })
  const value = create(weaver.EpochOpSchema, {
    seq,
    requiredAcks: requiredAcks.toSorted(compareBytes),
    cause: create(weaver.EpochCauseSchema, { cause: { case: 'membership', value: cause } }),
  })
  return { kind: 'epoch', schema: 0, value }
}

interface Grant {
  readonly record: MembershipRecord
  readonly peer: PublicKey
  readonly level: number
}

interface Removing {
  readonly record: MembershipRecord
  readonly removals: readonly { readonly peer: PublicKey; readonly remains: Remains }[]
}

function levelOfRole(role: system.Role): Level {
  if (role === system.Role.ADMIN) return 'admin'
  if (role === system.Role.WRITER) return 'writer'
  return role === system.Role.READER ? 'reader' : 'none'
}

function grantOf(record: MembershipRecord): readonly Grant[] {
  const { op } = record
  if (op.kind === 'genesis') return [{ record, peer: record.author, level: LEVELS.admin }]
  if (op.kind !== 'system' || op.value.op.case !== 'peer') return []
  const { peer, op: inner } = op.value.op.value
  if (inner.case !== 'admit') return []
  return [{ record, peer: toPublicKey(peer), level: LEVELS[levelOfRole(inner.value.role)] }]
}

function removingOf(record: MembershipRecord): readonly Removing[] {
  const { op } = record
  if (op.kind !== 'epoch' || op.value.cause?.cause.case !== 'membership') return []
  const removals = op.value.cause.cause.value.removals.map(({ peer, remains }) => {
    const level = levelOfRole(remains)
    return { peer: toPublicKey(peer), remains: level === 'admin' ? ('writer' as const) : level }
  })
  return [{ record, removals }]
}

export function isModelRecord({ kind }: MembershipRecord['op']): boolean {
  return kind === 'genesis' || kind === 'system' || kind === 'epoch'
}

type Follows = MembershipHistory['follows']

export function resolveModel({ records, follows }: MembershipHistory): MembershipView {
  const valid = new Map<IdKey, boolean>()
  /** Whether an epoch is one by its own past: its author is an ADMIN there. */
  function isValid({ record }: Removing): boolean {
    const key = idKey(record.id)
    const known = valid.get(key)
    if (known !== undefined) return known
    const past = records.filter(({ id }) => follows(record.id, id))
    const made = decide(past, follows, isValid)
    const answer = made.grants.some(
      (grant) =>
        equalBytes(grant.peer, record.author) &&
        grant.level === LEVELS.admin &&
        made.lives(grant) &&
        made.standing.every(
          (epoch) => !takes(epoch, record.author, LEVELS.admin) || follows(grant.record.id, epoch.record.id),
        ),
    )
    valid.set(key, answer)
    return answer
  }
  return viewOf(decide(records, follows, isValid), { records, follows, isValid })
}

function takes({ removals }: Removing, peer: PublicKey, needed: number): boolean {
  return removals.some((removal) => equalBytes(removal.peer, peer) && LEVELS[removal.remains] < needed)
}

interface Decided {
  readonly grants: readonly Grant[]
  readonly standing: readonly Removing[]
  readonly ranks: ReadonlyMap<IdKey, number>
  readonly turns: ReadonlyMap<IdKey, number>
  readonly lives: (grant: Grant) => boolean
}

function decide(
  records: readonly MembershipRecord[],
  follows: Follows,
  isValid: (epoch: Removing) => boolean,
): Decided {
  const grants = records.flatMap(grantOf)
  const epochs = records.flatMap(removingOf).filter(isValid)
  const standing: Removing[] = []
  const ranks = new Map<IdKey, number>()
  const turns = new Map<IdKey, number>()

  function lives({ record }: Grant): boolean {
    if (record.op.kind === 'genesis') return true
    return mayAt(record, LEVELS.admin)
  }
  /** Whether the author of a record is, by what is decided, at least this there. */
  function mayAt({ id, author }: MembershipRecord, needed: number): boolean {
    return grants.some(
      (grant) =>
        equalBytes(grant.peer, author) &&
        grant.level >= needed &&
        follows(id, grant.record.id) &&
        lives(grant) &&
        standing.every(
          (epoch) =>
            !takes(epoch, author, needed) ||
            follows(epoch.record.id, id) ||
            equalBytes(epoch.record.id, id) ||
            follows(grant.record.id, epoch.record.id),
        ),
    )
  }
  function consider(epoch: Removing): void {
    const { record } = epoch
    const isOutranked = standing.some(
      (other) =>
        takes(other, record.author, LEVELS.admin) &&
        !equalBytes(other.record.author, record.author) &&
        !follows(record.id, other.record.id) &&
        !follows(other.record.id, record.id),
    )
    const isAdmin = grants.some(
      (grant) =>
        equalBytes(grant.peer, record.author) &&
        grant.level === LEVELS.admin &&
        follows(record.id, grant.record.id) &&
        lives(grant),
    )
    if (!isOutranked && isAdmin) standing.push(epoch)
  }
  for (const least of [LEVELS.admin, LEVELS.writer, LEVELS.reader]) {
    for (const grant of grants) {
      const key = idKey(grant.peer)
      if (grant.level < least || ranks.has(key) || !lives(grant)) continue
      ranks.set(key, ranks.size)
      turns.set(key, (LEVELS.admin - least) * grants.length + grants.indexOf(grant))
      for (const epoch of epochs) if (equalBytes(epoch.record.author, grant.peer)) consider(epoch)
    }
  }
  return { grants, standing, ranks, turns, lives }
}

interface ViewSource extends MembershipHistory {
  readonly isValid: (epoch: Removing) => boolean
}

function viewOf(
  { grants, standing, ranks, turns, lives }: Decided,
  { records, follows, isValid }: ViewSource,
): MembershipView {
  const living = new Map(grants.map((grant) => [idKey(grant.record.id), lives(grant)] as const))
  const isLiving = ({ record }: Grant): boolean => living.get(idKey(record.id)) === true
  const faults = new Map<IdKey, EpochFault>()
  for (const epoch of records.flatMap(removingOf)) {
    const key = idKey(epoch.record.id)
    if (!isValid(epoch)) faults.set(key, 'not_entitled')
    else if (!standing.some(({ record }) => equalBytes(record.id, epoch.record.id))) faults.set(key, 'outranked')
  }
  function cutoffsOf(author: PublicKey): readonly Cutoff[] {
    return standing.flatMap(({ record, removals }) =>
      removals
        .filter(({ peer }) => equalBytes(peer, author))
        .map(({ remains }): Cutoff => {
          const least = remains === 'writer' ? LEVELS.admin : LEVELS.writer
          const readmissions: IntentionId[] = grants
            .filter((grant) => equalBytes(grant.peer, author) && grant.level >= least && isLiving(grant))
            .filter((grant) => follows(grant.record.id, record.id))
            .map((grant) => grant.record.id)
          return { epoch: record.id, remains, readmissions }
        }),
    )
  }
  function isHeard(author: PublicKey): boolean {
    const own = grants.filter(({ peer, level }) => equalBytes(peer, author) && level >= LEVELS.writer)
    return own.length === 0 || own.some(isLiving)
  }
  /** Granted what no removal that stands has taken since. */
  function isActive(peer: PublicKey): boolean {
    return grants.some(
      (grant) =>
        equalBytes(grant.peer, peer) &&
        grant.level >= LEVELS.writer &&
        isLiving(grant) &&
        standing.every((epoch) => !takes(epoch, peer, LEVELS.writer) || follows(grant.record.id, epoch.record.id)),
    )
  }
  const turnAt = (grant: Grant): number => (LEVELS.admin - grant.level) * grants.length + grants.indexOf(grant)
  const removes = (removals: Removing['removals'], author: PublicKey): boolean =>
    removals.some(({ peer }) => equalBytes(peer, author))
  const peers = [...new Map(grants.map(({ peer }) => [idKey(peer), peer] as const)).values()]
  const isSenior = (a: PublicKey, b: PublicKey): boolean =>
    (ranks.get(idKey(a)) ?? Infinity) < (ranks.get(idKey(b)) ?? Infinity)
  return {
    faultOf: (epoch) => faults.get(idKey(epoch)),
    removalsOf: (epoch) => standing.find(({ record }) => equalBytes(record.id, epoch))?.removals ?? [],
    cutoffsOf,
    isHeard,
    limited: () => peers.filter((peer) => cutoffsOf(peer).length > 0 || !isHeard(peer)),
    active: () => peers.filter(isActive),
    leftBy: (peer) => {
      const taking = cutoffsOf(peer).filter(
        ({ remains, readmissions }) => remains !== 'writer' && readmissions.length === 0,
      )
      return taking.length === 0 ? undefined : taking.map(({ epoch }) => epoch)
    },
    isAdmin: () => false,
    mayReturn: () => false,
    hasSay: (author, op) => {
      const own = grants.filter(({ peer }) => equalBytes(peer, author))
      const earliest = own.map(turnAt).sort((a, b) => a - b)[0]
      if (earliest === undefined || !isModelRecord(op)) return false
      return standing.some(({ record, removals }) => {
        const isOwn = equalBytes(record.author, author)
        if (isOwn && op.kind === 'epoch' && removes(removals, author)) return true
        const turn = turns.get(idKey(record.author)) ?? Infinity
        return (
          removals.some(({ peer }) => !equalBytes(peer, record.author)) && (isOwn ? earliest < turn : earliest <= turn)
        )
      })
    },
    isSenior,
    mayOutrank: (peer, epoch) => {
      const by = standing.find(({ record }) => equalBytes(record.id, epoch))
      return by !== undefined && isSenior(peer, by.record.author)
    },
  }
}
