/**
 * The rules of membership once more, written down as they are said, with no thought of what that costs: every question is
 * answered by looking at all records, and nothing is remembered.
 *
 * @module
 */
import { compareBytes, compareHlc, equalBytes, idKey, type PublicKey } from '@lattice/model'
import type { EpochFault, MembershipRecord } from '@lattice/store-base'
import type { DagRecord } from './membership-dag.ts'
import { type EpochClaim, levelOf, type PeerChange, readRecord, type RoleCondition } from '../src/membership/records.ts'

export interface ModelView {
  readonly fault: ReadonlyMap<DagRecord, EpochFault | undefined>
  readonly standing: readonly DagRecord[]
  readonly level: (peer: PublicKey) => number
  readonly active: (peer: PublicKey) => boolean
  /** Turn of a peer; infinite for one without. */
  readonly rank: (peer: PublicKey) => number
  readonly lives: (record: DagRecord) => boolean
}

const follows = (record: DagRecord, cause: DagRecord): boolean => record.past.has(idKey(cause.id))
const places = (records: readonly DagRecord[]): readonly DagRecord[] =>
  records.toSorted((a, b) => a.generation - b.generation || compareBytes(a.id, b.id))

const meanings = new WeakMap<MembershipRecord, ReturnType<typeof readRecord>>()
function meaning(record: DagRecord): ReturnType<typeof readRecord> {
  const known = meanings.get(record) ?? readRecord(record)
  meanings.set(record, known)
  return known
}
function change(record: DagRecord): PeerChange | undefined {
  const found = meaning(record)
  return found.kind === 'change' ? found : undefined
}
function claim(record: DagRecord): EpochClaim | undefined {
  const found = meaning(record)
  return found.kind === 'epoch' ? found : undefined
}
function given(record: DagRecord, peer: PublicKey): number | undefined {
  if (record.op.kind === 'genesis') return record.generation === 0 && equalBytes(record.author, peer) ? 3 : undefined
  const grant = change(record)?.grants.find((each) => equalBytes(each.peer, peer))
  return grant && levelOf(grant.role)
}
function taken(epoch: DagRecord, peer: PublicKey): number | undefined {
  const removal = claim(epoch)?.removals.find((each) => equalBytes(each.peer, peer))
  return removal && levelOf(removal.remains)
}

/** What a grant leaves to a record that follows it, after what was taken between the two. */
function leftAt(
  standing: readonly DagRecord[],
  { peer, level, grant, at }: { peer: PublicKey; level: number; grant: DagRecord; at: DagRecord },
): number {
  return standing
    .filter((epoch) => follows(at, epoch) && !follows(grant, epoch))
    .reduce((least, epoch) => Math.min(least, taken(epoch, peer) ?? least), level)
}

/** Under the epochs that stand. Asked again and again, so remembered while these are the same. */
const asked = new WeakMap<readonly DagRecord[], Map<string, boolean>>()
function lives(records: readonly DagRecord[], standing: readonly DagRecord[], record: DagRecord): boolean {
  const answers = asked.get(standing) ?? new Map<string, boolean>()
  asked.set(standing, answers)
  const name = `${standing.length}/${idKey(record.id)}`
  const answer = answers.get(name) ?? workOutLife(records, standing, record)
  answers.set(name, answer)
  return answer
}

function workOutLife(records: readonly DagRecord[], standing: readonly DagRecord[], record: DagRecord): boolean {
  if (record.op.kind === 'genesis') return record.generation === 0
  const what = change(record)
  if (what === undefined) return false
  const cuts = standing.filter((epoch) => taken(epoch, record.author) !== undefined)
  // At the same time as a cut of its author.
  if (cuts.some((epoch) => !follows(epoch, record) && !follows(record, epoch))) return false
  const holds = ({ peer, least }: RoleCondition): boolean =>
    records.some((grant) => {
      const level = given(grant, peer)
      if (level === undefined || !follows(record, grant) || !lives(records, standing, grant)) return false
      return leftAt(standing, { peer, level, grant, at: record }) >= levelOf(least)
    })
  return (
    holds({ peer: record.author, least: 'admin' }) && what.needs.every(holds) && !what.bars.some((bar) => holds(bar))
  )
}

function needed(epoch: DagRecord): number {
  const what = claim(epoch)
  if (what?.cause === 'joinOfEpochs') return 2
  const isOfItself = what?.cause === 'membership' && what.removals.every(({ peer }) => equalBytes(peer, epoch.author))
  return isOfItself ? 2 : 3
}

const faults = new WeakMap<DagRecord, EpochFault | 'none'>()
/** Of an epoch without a fault, the records that gave its author the right to it, by what it had seen. */
const upheldBy = new WeakMap<DagRecord, readonly DagRecord[]>()

/** `records` with each all in its past. */
export function modelOf(records: readonly DagRecord[]): ModelView {
  const inOrder = places(records)
  const fault = new Map<DagRecord, EpochFault | undefined>()
  for (const record of inOrder) if (record.op.kind === 'epoch') fault.set(record, staticFault(inOrder, record))
  const valid = [...fault].flatMap(([epoch, wrong]) => (wrong === undefined ? [epoch] : []))
  const standing: DagRecord[] = []
  const ranked: PublicKey[] = []
  for (const least of [3, 2, 1]) {
    for (const [place, grant] of inOrder.entries()) {
      for (const peer of receivers(grant)) {
        if ((given(grant, peer) ?? 0) < least || !lives(inOrder, standing, grant)) continue
        if (!ranked.some((each) => equalBytes(each, peer))) ranked.push(peer)
      }
      for (const epoch of valid) {
        const turns = turnsOf(inOrder, valid, epoch).filter(({ turn }) => turn === turnAt(least, place))
        if (turns.some((each) => !standing.includes(epoch) && standsBy(each.grant, epoch))) standing.push(epoch)
      }
    }
  }
  function standsBy(grant: DagRecord, epoch: DagRecord): boolean {
    const isCut = standing.some(
      (other) =>
        !equalBytes(other.author, epoch.author) &&
        (taken(other, epoch.author) ?? 3) < needed(epoch) &&
        !follows(other, epoch) &&
        !follows(epoch, other),
    )
    return !isCut && upheldBy.get(epoch)?.includes(grant) === true && isEnough(inOrder, standing, { grant, epoch })
  }
  for (const epoch of valid) if (!standing.includes(epoch)) fault.set(epoch, 'outranked')

  const alive = inOrder.filter((record) => lives(inOrder, standing, record))
  function level(peer: PublicKey): number {
    const levels = alive.flatMap((grant) => {
      const role = given(grant, peer)
      if (role === undefined) return []
      const cuts = standing.filter((epoch) => !follows(grant, epoch)).map((epoch) => taken(epoch, peer) ?? 3)
      return [Math.min(role, ...cuts)]
    })
    return Math.max(-1, ...levels)
  }
  function active(peer: PublicKey): boolean {
    if (level(peer) < 2) return false
    const writes = alive.filter((record) => statusIn(record, peer) !== undefined)
    const heads = writes.filter((write) => !writes.some((other) => follows(other, write)))
    const meant = heads.filter((head) => statusIn(head, peer) !== 'invited')
    const [latest] = meant.toSorted((a, b) => compareHlc(b.timestamp, a.timestamp) || compareBytes(b.id, a.id))
    return latest !== undefined && statusIn(latest, peer) === 'active'
  }
  const rank = (peer: PublicKey): number => {
    const at = ranked.findIndex((each) => equalBytes(each, peer))
    return at === -1 ? Infinity : at
  }
  return { fault, standing, level, active, rank, lives: (record) => alive.includes(record) }
}

function turnAt(level: number, place: number): number {
  return (3 - level) * 1000 + place
}

interface Turn {
  readonly grant: DagRecord
  readonly turn: number
}

/** Of an epoch: at each grant that upholds it, after all that took from its author what that gave. */
function turnsOf(inOrder: readonly DagRecord[], valid: readonly DagRecord[], epoch: DagRecord): readonly Turn[] {
  return (upheldBy.get(epoch) ?? []).map((grant) => {
    const waitsFor = valid.filter(
      (other) => follows(epoch, other) && !follows(grant, other) && (taken(other, epoch.author) ?? 3) < needed(epoch),
    )
    const turns = waitsFor.flatMap((other) => turnsOf(inOrder, valid, other).map(({ turn }) => turn))
    const own = turnAt(given(grant, epoch.author) ?? 0, inOrder.indexOf(grant))
    return { grant, turn: Math.max(own, ...turns) }
  })
}

/** True for a grant that counts, and leaves its peer what an epoch of it needs. */
function isEnough(
  records: readonly DagRecord[],
  standing: readonly DagRecord[],
  { grant, epoch }: { readonly grant: DagRecord; readonly epoch: DagRecord },
): boolean {
  const level = given(grant, epoch.author)
  if (level === undefined || !follows(epoch, grant) || !lives(records, standing, grant)) return false
  return leftAt(standing, { peer: epoch.author, level, grant, at: epoch }) >= needed(epoch)
}

function receivers(record: DagRecord): readonly PublicKey[] {
  if (record.op.kind === 'genesis') return [record.author]
  return change(record)?.grants.map(({ peer }) => peer) ?? []
}

function statusIn(record: DagRecord, peer: PublicKey): string | undefined {
  if (record.op.kind === 'genesis') return equalBytes(record.author, peer) ? 'active' : undefined
  return change(record)?.statuses.find((each) => equalBytes(each.peer, peer))?.status
}

/** By its past, and remembered: it is the same in every set that has it. */
function staticFault(records: readonly DagRecord[], epoch: DagRecord): EpochFault | undefined {
  const known = faults.get(epoch)
  if (known !== undefined) return known === 'none' ? undefined : known
  const fault = workOutFault(
    records.filter((record) => follows(epoch, record)),
    epoch,
  )
  faults.set(epoch, fault ?? 'none')
  return fault
}

function workOutFault(past: readonly DagRecord[], epoch: DagRecord): EpochFault | undefined {
  const what = claim(epoch)
  if (what === undefined) return 'removals_malformed'
  const view = modelOf(past)
  const isActive = view.active(epoch.author)
  const heads = view.standing.filter((one) => !view.standing.some((other) => follows(other, one)))
  const isEntitled =
    what.cause === 'joinOfEpochs'
      ? isActive && heads.length >= 2
      : what.cause !== 'parent' &&
        (needed(epoch) === 2 ? view.level(epoch.author) >= 2 : isActive && view.level(epoch.author) >= 3)
  if (!isEntitled) return 'not_entitled'
  upheldBy.set(
    epoch,
    past.filter((grant) => isEnough(past, view.standing, { grant, epoch })),
  )
  const seqs = past.flatMap((record) =>
    record.op.kind === 'epoch' && staticFault(past, record) === undefined ? [record.op.value.seq] : [],
  )
  if (what.seq !== seqs.reduce((next, seq) => (seq >= next ? seq + 1n : next), 0n)) return 'seq_wrong'
  const { below } = what
  const isBelow = (record: DagRecord): boolean =>
    below !== undefined && record.op.kind === 'epoch' && equalBytes(record.id, below)
  if (below !== undefined && !past.some((record) => isBelow(record) && staticFault(past, record) === undefined)) {
    return 'below_wrong'
  }
  const peers = new Map(past.flatMap(receivers).map((peer) => [idKey(peer), peer]))
  const required = [...peers.values()]
    .filter((peer) => view.active(peer) && !equalBytes(peer, epoch.author) && (taken(epoch, peer) ?? 3) >= 2)
    .toSorted(compareBytes)
  const isSame =
    required.length === what.requiredAcks.length &&
    required.every((peer, at) => equalBytes(peer, what.requiredAcks[at] ?? new Uint8Array()))
  return isSame ? undefined : 'required_acks_wrong'
}
