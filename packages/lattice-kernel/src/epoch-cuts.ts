/**
 * What does not count below an epoch, by what was known there: the view of the records in its past and of itself.
 *
 * So what state is at an epoch follows from the epoch alone, whatever else is known since, and is the same on every node.
 *
 * @module
 */
import { type Crypto, idKey, toHex, utf8Encode } from '@lattice/model'
import { isOutOfState, type MembershipPolicy, resolvePast } from '@lattice/store-base'
import type { AppliedCuts } from './applied-cuts.ts'
import { appliedSpans, faultyOverBase, findCutoffSpans, overBase, spanAt } from './cutoff-spans.ts'
import type { Downset } from './downset.ts'
import type { Cuts } from './excluded-set.ts'
import type { IntentionMeta } from './log-entry.ts'
import type { LogStore } from './log-store.ts'

export type EpochCutsLog = Pick<LogStore, 'authors' | 'reach' | 'book' | 'find' | 'entryAt' | 'base'>

/** The cuts that hold below an epoch; undefined while an epoch of a parent store that decides about it is not here. */
export function cutsBelow(log: EpochCutsLog, policy: MembershipPolicy, below: Downset): Cuts | undefined {
  const { authors, reach, book, find, base } = log
  const { meta } = below.epoch
  const isKnown = (place: IntentionMeta): boolean => place.seq === meta.seq || book.isBefore(place, meta)
  const view = resolvePast(policy, book.historyWithin(isKnown))
  const out: IntentionMeta[] = []
  for (const epoch of book.epochs()) {
    if (!isKnown(epoch.meta)) continue
    const fault = epoch.fault ?? view.faultOf(epoch.record.id)
    if (fault === 'parent_unknown') return undefined
    if (isOutOfState(fault)) out.push(epoch.meta)
  }
  const firsts = new Map(below.lanes.map(({ lane, first }) => [lane, first] as const))
  const spans = findCutoffSpans(
    {
      find,
      lanesOf: (author) =>
        (authors.find(author)?.lanes ?? []).flatMap((number) => {
          const begun = firsts.get(number)
          const [first, last] = [Math.max(begun ?? 0, base.lastOf(number) + 1), below.lastOf(number)]
          return begun === undefined || first > last ? [] : [{ number, first, last }]
        }),
      reach: reach.reach,
      placeAt: (lane, position) => ({ lane, position, seq: reach.seqAt(lane, position) }),
    },
    view,
  )
  return { spans: overBase(base, spans), faulty: faultyOverBase(base, out) }
}

/** Tells cuts apart that make another state of `below`. It says nothing of how this node numbers what it holds. */
export function cutsDigest(
  { crypto, log }: { readonly crypto: Crypto; readonly log: EpochCutsLog },
  { spans, faulty }: Cuts,
  below: Downset,
): Uint8Array {
  const cut = appliedSpans(spans, below.lastOf).map(({ lane, first, last, kind }) => {
    const author = log.authors.byNumber(log.authors.lane(lane).author).key
    return `${toHex(author)} ${first} ${last} ${kind}`
  })
  const ids = faulty.flatMap((seq) => {
    const { meta, parsed } = log.entryAt(seq)
    return meta.position <= below.lastOf(meta.lane) ? [idKey(parsed.id)] : []
  })
  return crypto.blake3(utf8Encode([...cut.sort(), ...ids.sort()].join('\n')))
}

/** Cuts that stay as they are, with a mark of the caller's to keep with state. */
export function fixedCuts(cuts: Cuts, markAt: (seq: number) => Uint8Array): AppliedCuts {
  return {
    now: () => cuts,
    modeOf: ({ spans, faulty }, { meta, parsed }) => {
      // As in state that is in use: an epoch stands or does not, whatever its author's other writes come to.
      if (parsed.op.kind === 'epoch') return faulty.includes(meta.seq) ? 'void' : 'full'
      const span = spans.size === 0 ? undefined : spanAt(spans, meta.lane, meta.position)
      if (span === undefined) return 'full'
      return span.kind === 'all' ? 'void' : 'writer'
    },
    compare: () => () => true,
    markOf: (_, seq) => markAt(seq),
    isMarkOf: () => true,
  }
}
