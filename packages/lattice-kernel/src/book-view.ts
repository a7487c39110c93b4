/**
 * What the records of the epoch book come to: asked of the policy when it is wanted, remembered until a record comes.
 *
 * @module
 */
import { compareBytes, equalBytes, type IntentionId, toIntentionId, ZERO_HASH } from '@lattice/model'
import type {
  EpochFault,
  MembershipHistory,
  MembershipPolicy,
  MembershipRecord,
  MembershipView,
} from '@lattice/store-base'
import type { BookEpoch, BookItems } from './book-items.ts'
import type { IntentionMeta } from './log-entry.ts'
import { historyOf, NOBODY_KNOWN, type RecordOrder } from './membership-history.ts'

export interface BookView {
  /** All records but epochs that are none. */
  readonly history: () => MembershipHistory
  /** Those of the history that `isInPast` has. */
  readonly historyWithin: (isInPast: (place: IntentionMeta) => boolean) => MembershipHistory
  /** Why an epoch with exactly this past would have no effect; undefined for one that would count. */
  readonly faultOfNext: (next: NextEpoch, isInPast: (place: IntentionMeta) => boolean) => EpochFault | undefined
  /** What all records come to; nothing counts where there is no policy. The same object until that may be another. */
  readonly view: () => MembershipView
  /** Epochs that count and are not in the past of another that does. Sorted. */
  readonly heads: () => readonly IntentionId[]
  /** Changes when the view may. */
  readonly version: () => number
  /** A record came or went, or what the policy draws on beside them is another: the view is made anew when it is wanted. */
  readonly forgetView: () => void
}

/** An epoch that is to be made. */
export type NextEpoch = Pick<MembershipRecord, 'author' | 'timestamp' | 'generation' | 'op'>

interface Derived {
  readonly history: MembershipHistory
  readonly view: MembershipView
  readonly heads: readonly IntentionId[]
}

export function createBookView(items: BookItems, order: RecordOrder, policy: MembershipPolicy | undefined): BookView {
  let version = 0
  let derived: Derived | undefined

  function derive(): Derived {
    if (derived !== undefined) return derived
    const history = historyOf(items.counting(), order)
    const view = policy === undefined ? NOBODY_KNOWN : policy.resolve(history)
    const counting = items.valid.filter(({ record }) => view.faultOf(record.id) === undefined)
    const heads = maximalEpochs(counting, order).map(({ record }) => record.id)
    derived = { history, view: withFaults(items, view), heads: heads.sort(compareBytes) }
    return derived
  }

  function faultOfNext(next: NextEpoch, isInPast: (place: IntentionMeta) => boolean): EpochFault | undefined {
    // It has an id only once it is signed.
    const record = { ...next, id: toIntentionId(ZERO_HASH) }
    const past = items.counting().filter(({ meta }) => isInPast(meta))
    const { records } = historyOf([...past, { record }], order)
    const follows: MembershipHistory['follows'] = (id, ancestor) => {
      if (!equalBytes(id, record.id)) return order.follows(id, ancestor)
      const place = items.find(ancestor)?.meta
      return place !== undefined && isInPast(place)
    }
    return policy?.resolve({ records, follows }).faultOf(record.id)
  }

  return {
    faultOfNext,
    history: () => derive().history,
    historyWithin: (isInPast) => {
      const within = items.counting().filter(({ meta }) => isInPast(meta))
      return historyOf(within, order)
    },
    view: () => derive().view,
    // Without epochs nobody needs to ask what the records come to.
    heads: () => (items.valid.length === 0 ? [] : derive().heads),
    version: () => version,
    forgetView: () => {
      derived = undefined
      version += 1
    },
  }
}

/** The view, knowing also of the epochs that the policy was not shown. */
function withFaults(items: BookItems, view: MembershipView): MembershipView {
  return {
    ...view,
    faultOf: (id) => items.find(id)?.fault ?? view.faultOf(id),
    removalsOf: (id) => (items.find(id)?.fault === undefined ? view.removalsOf(id) : []),
  }
}

/** Those that no other has in its past. */
function maximalEpochs(epochs: readonly BookEpoch[], { isBefore }: Pick<RecordOrder, 'isBefore'>): BookEpoch[] {
  const maximal: BookEpoch[] = []
  // The latest first: nothing that comes later has it in its past.
  for (const epoch of epochs.toReversed()) {
    if (!maximal.some((other) => isBefore(epoch.meta, other.meta))) maximal.push(epoch)
  }
  return maximal
}
