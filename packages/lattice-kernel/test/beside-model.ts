/**
 * What is beside an epoch and shared, by a slow reading of the history: every record is looked at.
 *
 * @module
 */
import {
  causesOf,
  equalBytes,
  type IntentionId,
  type ParsedIntention,
  type PublicKey,
  readPublicKey,
} from '@lattice/model'
import type { MembershipView } from '@lattice/store-base'
import type { Kernel } from '../src/index.ts'
import { isModelRecord } from './membership-model.ts'

/** `view`: what the records that are here come to. */
export function isSharedModel(
  kernel: Kernel,
  at: IntentionId,
  view: Pick<MembershipView, 'active' | 'leftBy'>,
): boolean {
  const active = view.active()
  const all = kernel.scanWitness(1, 4096).map(({ parsed }) => parsed)
  const excluded = kernel.excluded(4096).flatMap(({ id, isLink }) => (isLink ? [] : [id]))
  const records = all.filter(({ id }) => !excluded.some((each) => equalBytes(each, id)))
  const base = all.find(({ id }) => equalBytes(id, at))
  if (base?.op.kind !== 'epoch') throw new Error('that is no epoch')
  const has = (one: ParsedIntention, id: IntentionId): boolean =>
    equalBytes(one.id, id) || kernel.isAncestor(id, one.id)
  const isBelow = (one: ParsedIntention): boolean => kernel.isAncestor(one.id, base.id)
  const beside = records.filter((one) => !isBelow(one) && !has(one, base.id))
  const isActive = (key: PublicKey): boolean => active.some((each) => equalBytes(each, key))
  const required = base.op.value.requiredAcks.flatMap((bytes) => readPublicKey(bytes) ?? []).filter(isActive)
  const by = (key: PublicKey): readonly ParsedIntention[] =>
    records.filter(({ intention }) => equalBytes(intention.author, key))
  const goesOnFrom = (next: ParsedIntention, one: ParsedIntention): boolean =>
    equalBytes(next.intention.storePrev, one.id) && equalBytes(next.intention.author, one.intention.author)

  const canonical = new Set<ParsedIntention>()
  const take = (one: ParsedIntention): void => {
    for (const each of beside) if (has(one, each.id)) canonical.add(each)
  }
  const firstOf = (key: PublicKey, isAfter: (one: ParsedIntention) => boolean): readonly ParsedIntention[] => {
    const after = by(key).filter(isAfter)
    return after.filter((one) => !after.some((before) => goesOnFrom(one, before)))
  }
  const wordOf = (key: PublicKey): readonly ParsedIntention[] =>
    firstOf(key, (one) => kernel.isAncestor(base.id, one.id))
  /** One who has gone counts where it may have counted for somebody: all who saw it go tell. */
  const isHeard = (key: PublicKey): boolean => {
    const word = wordOf(key)
    const left = view.leftBy(key)
    const parting = active.map((each) => firstOf(each, (one) => left?.some((id) => has(one, id)) === true))
    if (word.length === 0) return false
    if (left === undefined || parting.some((places) => places.length === 0)) return true
    return parting.flat().some((place) => word.every(({ id }) => has(place, id)))
  }
  const named = base.op.value.requiredAcks.flatMap((bytes) => readPublicKey(bytes) ?? [])
  for (const key of named.filter((each) => isActive(each) || isHeard(each))) {
    const first = wordOf(key)
    for (const one of first.length === 0 ? by(key) : []) take(one)
    for (const one of first.length === 0 ? [] : beside) if (first.every((each) => has(each, one.id))) canonical.add(one)
  }
  for (let size = -1; size !== canonical.size;) {
    size = canonical.size
    // A run is told of as a whole.
    for (const one of canonical) {
      for (const next of beside) if (one.signature.length === 0 && goesOnFrom(next, one)) canonical.add(next)
      take(one)
    }
  }

  const everybody = [base.intention.author, ...required].filter(isActive)
  const isSeen = (one: ParsedIntention): boolean =>
    everybody.length > 0 && everybody.every((key) => by(key).some((own) => has(own, one.id)))
  const ends = all.filter(
    (one) => isBelow(one) && !all.some((next) => (isBelow(next) || next === base) && goesOnFrom(next, one)),
  )
  const anchors = [...ends.map(({ id }) => id), ...[...canonical].flatMap(({ intention }) => intention.causalDeps)]
  const shared = new Set(canonical)
  const isPlaced = (one: ParsedIntention): boolean => {
    const causes = causesOf(one.intention).flatMap((id) => all.find((each) => equalBytes(each.id, id)) ?? [])
    const isKnown = causes.every((cause) =>
      isBelow(cause) ? isModelRecord(cause.op) || anchors.some((id) => equalBytes(id, cause.id)) : shared.has(cause),
    )
    const prev = causes.find(({ id }) => equalBytes(id, one.intention.storePrev))
    if (!isKnown || prev === undefined) return false
    if (!isBelow(prev)) return true
    const isOwn = equalBytes(prev.intention.author, one.intention.author)
    if (isOwn) return ends.includes(prev)
    return !all.some((each) => isBelow(each) && equalBytes(each.intention.author, one.intention.author))
  }
  // Causes first, as they were witnessed.
  for (const one of beside) {
    if (!canonical.has(one) && one.op.kind !== 'appData' && (isSeen(one) || isPlaced(one))) shared.add(one)
  }
  return beside.every((one) => shared.has(one))
}
