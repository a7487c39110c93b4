/**
 * Records in their causal order, as the policy is shown them.
 *
 * @module
 */
import { compareBytes, type IntentionId } from '@lattice/model'
import type { MembershipHistory, MembershipRecord, MembershipView } from '@lattice/store-base'
import type { IntentionMeta } from './log-entry.ts'
import { createWeighedCache } from './reach-cache.ts'
import type { LogReach } from './reach-log.ts'

/** Where anything witnessed stands. */
interface RecordPlaces {
  readonly find: (id: IntentionId) => IntentionMeta | undefined
}

export interface RecordOrder {
  /** True when `ancestor` is in the past of `place`: of a record, whose vector is remembered. */
  readonly isBefore: (ancestor: IntentionMeta, place: IntentionMeta) => boolean
  readonly follows: MembershipHistory['follows']
  readonly forget: (seq: number) => void
  readonly clear: () => void
}

/** Positions of remembered vectors, of all records together: 4 bytes each. */
const POSITIONS_MAX: number = 1024 * 1024

export function createRecordOrder(places: RecordPlaces, reach: Pick<LogReach, 'vectorOf'>): RecordOrder {
  const vectors = createWeighedCache<Int32Array>(POSITIONS_MAX)

  /** By lane, the highest position in the past of a place; -1 for none. */
  function vectorOf(place: IntentionMeta): Int32Array {
    const known = vectors.get(place.seq)
    if (known !== undefined) return known
    const entries = [...reach.vectorOf(place)]
    const vector = new Int32Array(1 + (entries.at(-1)?.[0] ?? 0)).fill(-1)
    for (const [lane, position] of entries) vector[lane] = position
    vectors.set(place.seq, vector, vector.length)
    return vector
  }

  function isBefore(ancestor: IntentionMeta, place: IntentionMeta): boolean {
    if (ancestor.seq >= place.seq) return false
    if (ancestor.seq === 1) return true
    if (ancestor.lane === place.lane) return ancestor.position < place.position
    return (vectorOf(place)[ancestor.lane] ?? -1) >= ancestor.position
  }

  return {
    isBefore,
    follows: (id, ancestor) => {
      const [place, before] = [places.find(id), places.find(ancestor)]
      return place !== undefined && before !== undefined && isBefore(before, place)
    },
    forget: vectors.delete,
    clear: vectors.clear,
  }
}

/** Some of the records, as the policy is shown them. */
export function historyOf(
  items: readonly { readonly record: MembershipRecord }[],
  { follows }: Pick<RecordOrder, 'follows'>,
): MembershipHistory {
  const records = items
    .map(({ record }) => record)
    .sort((a, b) => a.generation - b.generation || compareBytes(a.id, b.id))
  return { records, follows }
}

/** The view where there is no policy: no epoch counts, and nobody is kept from anything. */
export const NOBODY_KNOWN: MembershipView = {
  faultOf: () => 'not_entitled',
  removalsOf: () => [],
  cutoffsOf: () => [],
  isHeard: () => true,
  limited: () => [],
  active: () => [],
  leftBy: () => undefined,
  isAdmin: () => false,
  isSenior: () => false,
  mayOutrank: () => false,
  mayReturn: () => false,
  hasSay: () => false,
}
