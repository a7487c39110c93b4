/**
 * What the records of the epoch book come to: asked of the policy when it is wanted, remembered until a record comes.
 *
 * @module
 */
import { compareBytes, type IntentionId } from '@lattice/model'
import type { MembershipHistory, MembershipPolicy, MembershipView } from '@lattice/store-base'
import type { BookEpoch, BookItems } from './book-items.ts'
import type { IntentionMeta } from './log-entry.ts'
import { historyOf, NOBODY_KNOWN, type RecordOrder } from './membership-history.ts'

export interface BookView {
  readonly history: () => MembershipHistory
  readonly historyWithin: (isInPast: (place: IntentionMeta) => boolean) => MembershipHistory
  /** The same object until something changed. */
  readonly view: () => MembershipView
  readonly heads: () => readonly IntentionId[]
  readonly version: () => number
  /** Something was added, was taken back, or is to be asked anew. */
  readonly forgetView: () => void
}

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

  return {
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
