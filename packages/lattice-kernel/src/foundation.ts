/**
 * What a node hands to another that is to begin at an epoch: see `foundation-types.ts`.
 *
 * It is found by look-ups: where lanes end below the epoch, what decides about membership, and what is cited by those that
 * had not seen the epoch. What came after it cites nothing below, so the cost does not follow the history.
 *
 * @module
 */
import { assert, causesOf, equalBytes, idKey, type IntentionId, isSigned, toIntentionId } from '@lattice/model'
import { closingRun } from './closing-run.ts'
import { type Downset, downsetOf } from './downset.ts'
import type { BookEpoch } from './epoch-book.ts'
import { encodeFoundationItem } from './foundation-codec.ts'
import type { Foundation, FoundationItem, FoundationPlace } from './foundation-types.ts'
import { firstOf, seqOf } from './over-early.ts'
import type { Lane } from './lane-book.ts'
import { baseAnchors } from './log-base.ts'
import type { IntentionMeta, LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'
import { requiredOf } from './settlement.ts'

/** Items that belong together, read when they are asked for. */
interface Part {
  readonly count: number
  readonly read: () => readonly FoundationItem[]
}

export interface Foundations {
  /** At an epoch that is here and counts, and that has this node's own base in its past, or is it. */
  readonly at: (epoch: BookEpoch) => Foundation
}

/** What stands as long as it is read: whatever is cited below the epoch meanwhile is for those who begin later. */
interface Places {
  readonly epoch: BookEpoch
  readonly headSeq: number
  readonly parts: readonly Part[]
}

export function createFoundations(log: LogStore): Foundations {
  let kept: Places | undefined

  function placesAt(epoch: BookEpoch, isNew: boolean): readonly Part[] {
    const { headSeq } = log.meta()
    if (kept?.epoch !== epoch || (isNew && kept.headSeq !== headSeq))
      kept = { epoch, headSeq, parts: partsOf(log, epoch) }
    return kept.parts
  }

  /** Acks come last: one more moves nothing. */
  function partsAt(epoch: BookEpoch, isNew = false): readonly Part[] {
    const acks = acksOf(log, epoch).map(({ parsed }) => onePart(() => ({ kind: 'ack', ack: parsed })))
    return [...placesAt(epoch, isNew), ...acks]
  }

  return {
    at: (epoch) => ({
      base: epoch.record.id,
      get items() {
        return partsAt(epoch).reduce((sum, { count }) => sum + count, 0)
      },
      read: (after, maxBytes) => readParts(partsAt(epoch, after === 0), after, maxBytes),
    }),
  }
}

function readParts(parts: readonly Part[], after: number, maxBytes: number): readonly FoundationItem[] {
  const page: FoundationItem[] = []
  let bytes = 0
  let skip = after
  for (const { count, read } of parts) {
    if (skip >= count) {
      skip -= count
      continue
    }
    for (const item of read().slice(skip)) {
      if (page.length > 0 && bytes >= maxBytes) return page
      bytes += encodeFoundationItem(item).length
      page.push(item)
    }
    skip = 0
  }
  return page
}

/** How this node's numbers of authors and lanes are told. */
interface Numbering {
  readonly authors: readonly number[]
  readonly lanes: ReadonlyMap<number, number>
}

function partsOf(log: LogStore, epoch: BookEpoch): readonly Part[] {
  const vector = [...log.reach.vectorOf(epoch.meta)]
  const lanes = vector.map(([lane]) => log.authors.lane(lane))
  const authors = [...new Set(lanes.map(({ author }) => author))]
  const numbers: Numbering = { authors, lanes: new Map(lanes.map(({ number }, index) => [number, index])) }
  const heads = new Map(vector)
  return [
    ...authors.map((number) => onePart(() => ({ kind: 'author', key: log.authors.byNumber(number).key }))),
    ...lanes.map((lane) => onePart(() => laneItem(lane, numbers, heads))),
    ...placesOf(log, epoch, numbers),
  ]
}

function onePart(item: () => FoundationItem): Part {
  return { count: 1, read: () => [item()] }
}

function laneItem(
  { number, author, parent }: Lane,
  { authors, lanes }: Numbering,
  heads: ReadonlyMap<number, number>,
): FoundationItem {
  const from = parent && { lane: numberOf(lanes, parent.lane), position: parent.position }
  return { kind: 'lane', author: authors.indexOf(author), parent: from, head: heads.get(number) ?? 0 }
}

function numberOf(lanes: Numbering['lanes'], lane: number): number {
  const number = lanes.get(lane)
  assert(number !== undefined, 'what is in the past of something is in the past of all after it')
  return number
}

/** An intention below the epoch whose record is not handed over. */
interface AnchorPlace {
  readonly id: IntentionId
  readonly meta: IntentionMeta
  folded: readonly IntentionId[]
}

/** Spine and anchors in the order in which they were witnessed, which is a causal one; the epoch is the last. */
function placesOf(log: LogStore, epoch: BookEpoch, { lanes }: Numbering): readonly Part[] {
  const records = log.book.all().filter(({ meta }) => meta.seq > 1 && log.book.isBefore(meta, epoch.meta))
  const spine = [log.entryAt(1).meta, ...records.map(({ meta }) => meta), epoch.meta]
  const isSpine = new Set(spine.map(({ seq }) => seq))
  const spineLanes = new Set(spine.map(({ lane }) => lane))
  const placeOf = (meta: IntentionMeta, isWhole: boolean): FoundationPlace => ({
    lane: numberOf(lanes, meta.lane),
    position: meta.position,
    generation: meta.generation,
    // Of what else lies below the epoch nothing is asked any more.
    vector: [...log.reach.vectorOf(meta)]
      .filter(([lane]) => isWhole || lane === meta.lane || spineLanes.has(lane))
      .map(([lane, position]) => [numberOf(lanes, lane), position]),
  })
  const ofSpine = spine.map((meta) => ({ seq: meta.seq, part: spinePart(log, meta, () => placeOf(meta, true)) }))
  const ofAnchors = anchorsBelow(log, epoch)
    .filter(({ meta }) => !isSpine.has(meta.seq))
    .map(({ id, meta, folded }) => ({
      seq: meta.seq,
      part: anchorPart({ id, meta, folded }, () => placeOf(meta, false)),
    }))
  return [...ofSpine, ...ofAnchors].sort((a, b) => a.seq - b.seq).map(({ part }) => part)
}

function anchorPart({ id, meta: { timestamp }, folded }: AnchorPlace, place: () => FoundationPlace): Part {
  return { count: 1, read: () => [{ kind: 'anchor', id, place: place(), timestamp, folded }] }
}

/** A record, and what vouches for it. */
function spinePart(log: LogStore, { seq }: IntentionMeta, place: () => FoundationPlace): Part {
  const entry = log.entryAt(seq)
  const closing = isSigned(entry.parsed) ? [] : closingRun(log, entry).map(({ meta }) => meta.seq)
  return {
    count: 1 + closing.length,
    read: () => [
      { kind: 'spine', record: log.entryAt(seq).parsed, place: place() },
      ...closing.map((closer): FoundationItem => ({ kind: 'closing', intention: log.entryAt(closer).parsed })),
    ],
  }
}

/** Where lanes end below the epoch, and what is cited there by the epoch and by what does not lie below it. */
function anchorsBelow(log: LogStore, epoch: BookEpoch): readonly AnchorPlace[] {
  const below = downsetOf(log, epoch)
  const anchors = new Map<string, AnchorPlace>()
  const add = (id: IntentionId, folded?: readonly IntentionId[]): void => {
    const meta = log.find(id)
    if (meta === undefined || meta.position > below.lastOf(meta.lane)) return
    const known = anchors.get(idKey(id))
    if (known !== undefined) known.folded = folded ?? known.folded
    else anchors.set(idKey(id), { id: toIntentionId(id.slice()), meta, folded: folded ?? [] })
  }
  for (const { lane: number, last } of below.lanes) {
    add(log.tipAt(seqOf(log, log.authors.lane(number), last)).parsed.id)
  }
  for (const entry of [log.entryAt(epoch.meta.seq), ...citingBelow(log, epoch, below)]) {
    const { storePrev, causalDeps } = entry.parsed.intention
    for (const id of causesOf(entry.parsed.intention)) {
      const isUnfolded = equalBytes(id, storePrev) && causalDeps.some((dep) => equalBytes(dep, id))
      add(id, isUnfolded ? foldedBy(log, id) : undefined)
    }
  }
  addAsked(log, epoch, add)
  return [...anchors.values()]
}

/** On each lane what does not lie below the epoch, up to the first that follows it. */
function* citingBelow(log: LogStore, { meta }: BookEpoch, below: Downset): Generator<LogEntry, void, undefined> {
  for (const lane of log.counted.lanes()) {
    for (
      let position = Math.max(firstOf(lane), below.lastOf(lane.number) + 1);
      position <= lane.head.position;
      position += 1
    ) {
      const entry = log.entryAt(seqOf(log, lane, position))
      yield entry
      if (entry.meta.seq === meta.seq || log.reach.isAncestor(meta, entry.meta)) break
    }
  }
}

function foldedBy(log: LogStore, id: IntentionId): readonly IntentionId[] {
  const meta = log.find(id)
  if (meta === undefined) return []
  if (log.base.isGone(meta)) return log.base.foldedBy(meta.seq) ?? []
  const { op, intention } = log.entryAt(meta.seq).parsed
  return op.kind === 'ack' ? intention.causalDeps : []
}

/** What a node that pruned found to be asked about by what it kept is asked about elsewhere as well. */
function addAsked(log: LogStore, { record }: BookEpoch, add: (id: IntentionId) => void): void {
  const base = log.base.epoch()
  if (base === undefined || !equalBytes(base, record.id)) return
  for (const { id } of baseAnchors(log.database, log.base.number())) add(toIntentionId(Uint8Array.from(id)))
}

/** Acks by the author of the epoch and those it names that say which state they came to. */
function acksOf(log: LogStore, epoch: BookEpoch): readonly LogEntry[] {
  const signers = [epoch.record.author, ...requiredOf(epoch)]
  return log.book
    .rows()
    .acks.map((seq) => log.entryAt(seq))
    .filter(({ parsed: { op, intention } }) => {
      if (op.kind !== 'epochAck' || op.value.stateRoot.length === 0) return false
      return equalBytes(op.value.epoch, epoch.record.id) && signers.some((key) => equalBytes(key, intention.author))
    })
}
