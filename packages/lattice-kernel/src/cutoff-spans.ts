/**
 * Where on its lanes the writes of an author do not count: the positions that are beyond a cutoff.
 *
 * What an epoch has in its past is, on every lane, all up to one position; what has an admission in its past is all from
 * one position on. So what a cutoff takes of a lane is one span, found by a look-up and a binary search, and none of it is
 * read. Pure over its ports.
 *
 * @module
 */
import { idKey, type IdKey, type IntentionId, type PublicKey } from '@lattice/model'
import type { Cutoff } from '@lattice/store-base'
import type { CutoffSpan, CutoffSpans, SpanKind } from './cutoff-span.ts'
import type { LimitsView } from './limits.ts'
import type { Place } from './reach-vector.ts'

export type { CutoffSpan, CutoffSpans, SpanKind } from './cutoff-span.ts'

export interface SpanLane {
  readonly number: number
  readonly first: number
  readonly last: number
}

export interface SpanPorts {
  readonly find: (id: IntentionId) => Place | undefined
  readonly lanesOf: (author: PublicKey) => readonly SpanLane[]
  /** The highest position of `lane` in the past of `place`, itself included; -1 when there is none. */
  readonly reach: (place: Place, lane: number) => number
  readonly placeAt: (lane: number, position: number) => Place
}

/** The genesis is beyond nothing. */
const FIRST_POSITION = 1

/** What an epoch cuts that is not here: all that a peer's lanes have above a position. */
export interface ShownCut {
  readonly peer: PublicKey
  readonly epoch: IntentionId
  readonly last: number
}

export function findCutoffSpans(ports: SpanPorts, view: LimitsView, shown?: ShownCut): CutoffSpans {
  const spans = new Map<number, readonly CutoffSpan[]>()
  for (const author of distinctKeys(view.limited())) {
    for (const lane of ports.lanesOf(author)) {
      const found = spansOfLane(ports, view, { author, lane })
      if (found.length > 0) spans.set(lane.number, found)
    }
  }
  if (shown !== undefined) for (const lane of ports.lanesOf(shown.peer)) addShown(spans, lane, shown)
  return spans
}

function addShown(
  spans: Map<number, readonly CutoffSpan[]>,
  { number, first }: SpanLane,
  { epoch, last }: ShownCut,
): void {
  const span: CutoffSpan = {
    first: Math.max(first, FIRST_POSITION, last + 1),
    last: Infinity,
    kind: 'all',
    epoch,
    readmissions: [],
  }
  spans.set(number, [...(spans.get(number) ?? []).flatMap((other) => without(other, [span])), span])
}

/** The spans of what is kept, with those that were known of what lies below the base. */
export function overBase(base: { readonly spans: () => CutoffSpans }, kept: CutoffSpans): CutoffSpans {
  const below = base.spans()
  if (below.size === 0) return kept
  const all = new Map(kept)
  for (const [lane, spans] of below) all.set(lane, [...spans, ...(kept.get(lane) ?? [])])
  return all
}

/** Seqs of the epochs above the base that have no effect, with those that had none below it; ascending. */
export function faultyOverBase(
  base: {
    readonly faulty: () => readonly number[]
    readonly isBelow: (place: Pick<Place, 'lane' | 'position'>) => boolean
  },
  out: readonly Place[],
): readonly number[] {
  const above = out.flatMap((place) => (base.isBelow(place) ? [] : [place.seq]))
  return [...base.faulty(), ...above].sort((a, b) => a - b)
}

/** The span that a position of a lane is in. */
export function spanAt(spans: CutoffSpans, lane: number, position: number): CutoffSpan | undefined {
  return spans.get(lane)?.find(({ first, last }) => first <= position && position <= last)
}

function distinctKeys(keys: readonly PublicKey[]): Iterable<PublicKey> {
  return new Map<IdKey, PublicKey>(keys.map((key) => [idKey(key), key])).values()
}

function spansOfLane(
  ports: SpanPorts,
  view: LimitsView,
  { author, lane }: { readonly author: PublicKey; readonly lane: SpanLane },
): readonly CutoffSpan[] {
  if (!view.isHeard(author)) {
    return [
      { first: Math.max(lane.first, FIRST_POSITION), last: Infinity, kind: 'all', epoch: undefined, readmissions: [] },
    ]
  }
  const cut = view.cutoffsOf(author).flatMap((cutoff) => spanOf(ports, lane, cutoff) ?? [])
  const whole = layered(cut.filter(({ kind }) => kind === 'all'))
  const privileged = layered(cut.filter(({ kind }) => kind === 'privileged'))
  return [...whole, ...privileged.flatMap((span) => without(span, whole))].sort((a, b) => a.first - b.first)
}

function spanOf(ports: SpanPorts, lane: SpanLane, cutoff: Cutoff): CutoffSpan | undefined {
  const epoch = ports.find(cutoff.epoch)
  if (epoch === undefined) return undefined
  // The epoch itself counts, also where its author removed itself.
  const first = Math.max(ports.reach(epoch, lane.number) + 1, lane.first, FIRST_POSITION)
  const readmissions = cutoff.readmissions.flatMap((id) => ports.find(id) ?? [])
  const last = firstReadmitted(ports, { ...lane, first }, readmissions) - 1
  if (first > last) return undefined
  const kind = cutoff.remains === 'writer' ? 'privileged' : 'all'
  return { first, last, kind, epoch: cutoff.epoch, readmissions: cutoff.readmissions }
}

/** The first position of a lane with one of these in its past; infinite where none has. */
function firstReadmitted(ports: SpanPorts, { number, first, last }: SpanLane, readmissions: readonly Place[]): number {
  if (readmissions.length === 0) return Infinity
  const isReadmitted = (position: number): boolean => {
    const place = ports.placeAt(number, position)
    return readmissions.some((grant) => grant.seq < place.seq && ports.reach(place, grant.lane) >= grant.position)
  }
  let [low, high] = [first, last + 1]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (isReadmitted(middle)) high = middle
    else low = middle + 1
  }
  return low > last ? Infinity : low
}

/** Positions up to the last of each lane that are beyond a cutoff of all and were not, by lane and epoch. */
export function newlyCut(
  before: CutoffSpans,
  after: CutoffSpans,
  lastOf: (lane: number) => number,
): readonly { readonly lane: number; readonly count: number; readonly epoch: IntentionId | undefined }[] {
  const whole = (spans: readonly CutoffSpan[] = []): readonly CutoffSpan[] => spans.filter(({ kind }) => kind === 'all')
  return [...after].flatMap(([lane, spans]) => {
    const known = whole(before.get(lane))
    const end = lastOf(lane)
    return whole(spans)
      .flatMap((span) => without(span, known))
      .map(({ first, last, epoch }) => ({ lane, epoch, count: Math.max(0, Math.min(last, end) - first + 1) }))
      .filter(({ count }) => count > 0)
  })
}

/** The same positions in spans that do not overlap; the earlier span keeps what two have. */
function layered(spans: readonly CutoffSpan[]): readonly CutoffSpan[] {
  const layers: CutoffSpan[] = []
  let end = -1
  for (const span of [...spans].sort((a, b) => a.first - b.first || b.last - a.last)) {
    const first = Math.max(span.first, end + 1)
    if (first > span.last) continue
    layers.push({ ...span, first })
    end = span.last
  }
  return layers
}

/** What of a span is in none of `others`, which ascend and do not overlap. */
function without(span: CutoffSpan, others: readonly CutoffSpan[]): readonly CutoffSpan[] {
  const parts: CutoffSpan[] = []
  let { first } = span
  for (const other of others) {
    if (other.last < first || other.first > span.last) continue
    if (other.first > first) parts.push({ ...span, first, last: other.first - 1 })
    first = other.last + 1
  }
  if (first <= span.last) parts.push({ ...span, first })
  return parts
}

/** How state was made of what is beyond a cutoff: nothing of it, or as a writer's. Both go up to a record of the log. */
export interface AppliedSpan {
  readonly lane: number
  readonly first: number
  readonly last: number
  readonly kind: SpanKind
}

/** The spans as far as records up to `seq` are in them, lanes ascending, neighbours of a kind joined. */
export function appliedSpans(spans: CutoffSpans, lastOf: (lane: number) => number): readonly AppliedSpan[] {
  const applied: AppliedSpan[] = []
  for (const [lane, all] of [...spans].sort(([a], [b]) => a - b)) {
    const end = lastOf(lane)
    for (const { first, last, kind } of all) {
      if (first > end) continue
      const before = applied.at(-1)
      const span = { lane, first, last: Math.min(last, end), kind }
      if (before?.lane === lane && before.kind === kind && before.last === first - 1) {
        applied[applied.length - 1] = { ...before, last: span.last }
      } else applied.push(span)
    }
  }
  return applied
}
