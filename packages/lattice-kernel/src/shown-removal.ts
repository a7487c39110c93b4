/**
 * Whether the records of a foundation show that this node was removed from the store.
 *
 * The foundation is of a peer that nobody trusts, so what it shows is put together with all the records that are here, and
 * what both come to counts: an epoch by somebody who was removed, or whom a senior removed at the same time, removes nobody.
 * What is here is closed under causes. So the order among its records is known for certain, and so is that nothing that is
 * not here lies in the past of anything that is; a foundation that says otherwise is made up. To leave out records of what
 * it shows gains a liar nothing that it could not have by an epoch that does not cite them.
 *
 * @module
 */
import { err, idKey, type IdKey, type IntentionId, ok, type PublicKey, type Result } from '@lattice/model'
import type { MembershipHistory, MembershipPolicy, MembershipView } from '@lattice/store-base'
import type { BookItem } from './book-items.ts'
import type { EpochBook } from './epoch-book.ts'
import { historyOf } from './membership-history.ts'
import type { ShownRemoval } from './removal-types.ts'
import type { ShownRecords } from './shown-records.ts'

export type ShownFault =
  /** It says of what is here what is not so: it is made up. */
  | 'contradicts'
  /** By all that it shows this node was not removed. */
  | 'not_removed'
  /** By what is here, and who showed it may not know, the removal has no effect. */
  | 'voided'

export interface ShownTo {
  readonly self: PublicKey
  readonly policy: MembershipPolicy
  /** The records that are here, and what they come to by themselves. */
  readonly own: Pick<EpochBook, 'all' | 'counting' | 'isBefore' | 'view'>
}

export function findShownRemoval(
  { self, policy, own }: ShownTo,
  shown: ShownRecords,
): Result<ShownRemoval, ShownFault> {
  const here = new Map<IdKey, BookItem>(own.all().map((item) => [idKey(item.record.id), item]))
  if (contradicts(here, shown)) return err('contradicts')
  if (removalsIn(shown.view(), self).length === 0) return err('not_removed')
  const unseen = shown.counting().filter(({ record }) => !here.has(idKey(record.id)))
  const follows: MembershipHistory['follows'] = (id, ancestor) => {
    const [item, before] = [here.get(idKey(id)), here.get(idKey(ancestor))]
    if (item !== undefined) return before !== undefined && own.isBefore(before.meta, item.meta)
    const [place, cause] = [shown.find(id), shown.find(ancestor)]
    return place !== undefined && cause !== undefined && shown.isBefore(cause.meta, place.meta)
  }
  const view = policy.resolve(historyOf([...own.counting(), ...unseen], { follows }))
  // One that is here may be undone by an admission that counts no more.
  const known = new Set(removalsIn(own.view(), self).map(idKey))
  const [removal] = removalsIn(view, self)
    .flatMap((epoch) => (known.has(idKey(epoch)) ? [] : (shown.find(epoch) ?? [])))
    .map((item) => ({ peer: self, epoch: item.record.id, author: item.record.author, last: shown.reachOf(item, self) }))
    .toSorted((a, b) => a.last - b.last)
  return removal === undefined ? err('voided') : ok(removal)
}

/** True where all that it shows is here: it tells nothing any more. */
export function isSpent({ own }: Pick<ShownTo, 'own'>, shown: ShownRecords): boolean {
  const here = new Set(own.all().map(({ record }) => idKey(record.id)))
  return shown.counting().every(({ record }) => here.has(idKey(record.id)))
}

/** Epochs that took all from a peer, which was not admitted since. */
function removalsIn(view: MembershipView, peer: PublicKey): readonly IntentionId[] {
  return view
    .cutoffsOf(peer)
    .flatMap(({ epoch, remains, readmissions }) => (remains === 'none' && readmissions.length === 0 ? [epoch] : []))
}

/** What both have has one place, and nothing that is not here in its past. */
function contradicts(here: ReadonlyMap<IdKey, BookItem>, shown: ShownRecords): boolean {
  /** By lane of the foundation, the highest position in the past of what both have. */
  const known = new Map<number, number>()
  const unseen: BookItem[] = []
  for (const item of shown.counting()) {
    const own = here.get(idKey(item.record.id))
    if (own === undefined) {
      unseen.push(item)
      continue
    }
    const { position, generation } = item.meta
    if (own.meta.position !== position || own.meta.generation !== generation) return true
    for (const [lane, reached] of shown.vectorOf(item)) known.set(lane, Math.max(reached, known.get(lane) ?? -1))
  }
  return unseen.some(({ meta: { lane, position } }) => position <= (known.get(lane) ?? -1))
}
