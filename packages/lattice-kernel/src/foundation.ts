/**
 * What a node hands to another that is to begin at an epoch: see `foundation-types.ts`.
 *
 * It is found by look-ups: where lanes end below the epoch, what decides about membership, and what is cited by those that
 * had not seen the epoch. What came after it cites nothing below, so the cost does not follow the history.
 *
 * @module
 */
import {
  assert,
  causesOf,
  equalBytes,
  idKey,
  type IdKey,
  isGenesis,
  type IntentionId,
  isSigned,
  type SignedIntention,
  toIntentionId,
} from '@lattice/model'
import type { AskedBeside } from './asked-beside.ts'
import { closingRun } from './closing-run.ts'
import { countingAcks } from './counting-acks.ts'
import { type Downset, downsetOf } from './downset.ts'
import type { BookEpoch } from './epoch-book.ts'
import { encodeFoundationItem } from './foundation-codec.ts'
import { heldBranchesFrom } from './fork-siblings.ts'
import type { Foundation, FoundationItem, FoundationPlace } from './foundation-types.ts'
import { firstOf, seqOf } from './over-early.ts'
import type { Lane } from './lane-book.ts'
import type { IntentionMeta, LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'
import { requiredOf } from './settlement.ts'
import { type SignedState, signedStateOf, withState } from './signed-state.ts'

/** An item, read when it is asked for. */
type Readable = () => FoundationItem

export interface Foundations {
  /**
   * At an epoch that is here and counts, and that has this node's own base in its past, or is it. Undefined in a history in
   * which something below it is vouched for by what is not: its author cited what no honest node was shown. Also for a
   * moment, while it is looked through what was written beside the epoch.
   */
  readonly at: (epoch: BookEpoch) => Foundation | undefined
}

/** What stands as long as it is read: whatever is cited below the epoch meanwhile is for those who begin later. */
interface Begun {
  readonly epoch: BookEpoch
  readonly headSeq: number
  readonly items: readonly Readable[] | undefined
}

export function createFoundations(log: LogStore, { at: askedAt }: AskedBeside): Foundations {
  let kept: Begun | undefined

  function begunAt(epoch: BookEpoch, isNew: boolean): readonly Readable[] | undefined {
    const { headSeq } = log.meta()
    const isBegun = kept?.epoch === epoch
    if (kept !== undefined && isBegun && !(isNew && kept.headSeq !== headSeq)) return kept.items
    // Who reads on is told of no other; what came since is little.
    const asked = askedAt(epoch, besideSeqs(log, epoch), isBegun)
    if (asked === undefined) return undefined
    kept = { epoch, headSeq, items: itemsAt(log, epoch, asked) }
    return kept.items
  }

  /** Acks come last: one more moves nothing. */
  function itemsOf(epoch: BookEpoch, isNew = false): readonly Readable[] {
    const acks = acksOf(log, epoch).map(({ parsed }): Readable => () => ({ kind: 'ack', ack: parsed }))
    return [...(begunAt(epoch, isNew) ?? []), ...acks]
  }

  return {
    at: (epoch) =>
      begunAt(epoch, false) && {
        base: epoch.record.id,
        get items() {
          return itemsOf(epoch).length
        },
        read: (after, maxBytes) => readItems(itemsOf(epoch, after === 0), after, maxBytes),
      },
  }
}

function readItems(items: readonly Readable[], after: number, maxBytes: number): readonly FoundationItem[] {
  const page: FoundationItem[] = []
  let bytes = 0
  for (let at = after; at < items.length && (page.length === 0 || bytes < maxBytes); at += 1) {
    const item = items[at]?.()
    assert(item !== undefined, 'a place within a list has something')
    bytes += encodeFoundationItem(item).length
    page.push(item)
  }
  return page
}

/** How this node's numbers of authors and lanes are told. */
interface Numbering {
  readonly authors: readonly number[]
  readonly lanes: ReadonlyMap<number, number>
}

function itemsAt(log: LogStore, epoch: BookEpoch, asked: readonly IntentionId[]): readonly Readable[] | undefined {
  const vector = [...log.reach.vectorOf(epoch.meta)]
  const lanes = vector.map(([lane]) => log.authors.lane(lane))
  const authors = [...new Set(lanes.map(({ author }) => author))]
  const numbers: Numbering = { authors, lanes: new Map(lanes.map(({ number }, index) => [number, index])) }
  const heads = new Map(vector)
  const places = placesOf(log, epoch, { numbers, asked })
  return (
    places && [
      ...authors.map((number): Readable => () => ({ kind: 'author', key: log.authors.byNumber(number).key })),
      ...lanes.map(
        (lane): Readable =>
          () =>
            laneItem(lane, numbers, heads),
      ),
      ...places,
    ]
  )
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
function placesOf(
  log: LogStore,
  epoch: BookEpoch,
  { numbers: { lanes }, asked }: { readonly numbers: Numbering; readonly asked: readonly IntentionId[] },
): readonly Readable[] | undefined {
  const records = log.book.all().filter(({ meta }) => meta.seq > 1 && log.book.isBefore(meta, epoch.meta))
  const spine = [log.entryAt(1).meta, ...records.map(({ meta }) => meta), epoch.meta]
  const taken = new Set(spine.map(({ seq }) => seq))
  const spineLanes = new Set(spine.map(({ lane }) => lane))
  const closers = closersOf(log, spine, taken)
  const below = downsetOf(log, epoch)
  if (closers.some(({ lane, position }) => position > below.lastOf(lane))) return undefined
  for (const { seq } of closers) taken.add(seq)
  const placeOf = (meta: IntentionMeta, isWhole: boolean): FoundationPlace => ({
    lane: numberOf(lanes, meta.lane),
    position: meta.position,
    generation: meta.generation,
    // Of what else lies below the epoch nothing is asked any more.
    vector: [...log.reach.vectorOf(meta)]
      .filter(([lane]) => isWhole || lane === meta.lane || lane === 0 || spineLanes.has(lane))
      .map(([lane, position]) => [numberOf(lanes, lane), position]),
  })
  const signedAt = ({ seq }: IntentionMeta): SignedIntention => log.entryAt(seq).parsed
  const places: readonly Placed[] = [
    ...spine.map((meta) => placed(meta, () => ({ kind: 'spine', record: signedAt(meta), place: placeOf(meta, true) }))),
    ...closers.map((meta) =>
      placed(meta, () => ({ kind: 'closing', intention: signedAt(meta), place: placeOf(meta, false) })),
    ),
    ...anchorsBelow(log, epoch, { below, asked })
      .filter(({ meta }) => !taken.has(meta.seq))
      .map(({ id, meta, folded }) => {
        const { timestamp } = meta
        return placed(meta, () => ({ kind: 'anchor', id, place: placeOf(meta, false), timestamp, folded }))
      }),
  ]
  return places.toSorted((a, b) => a.seq - b.seq).map(({ item }) => item)
}

interface Placed {
  readonly seq: number
  readonly item: Readable
}

function placed({ seq }: IntentionMeta, item: Readable): Placed {
  return { seq, item }
}

/** What vouches for unsigned records of the spine; they come right after them in the log. */
function closersOf(
  log: LogStore,
  spine: readonly IntentionMeta[],
  isSpine: ReadonlySet<number>,
): readonly IntentionMeta[] {
  const closers = new Map<number, IntentionMeta>()
  for (const { seq } of spine) {
    const entry = log.entryAt(seq)
    if (isSigned(entry.parsed)) continue
    for (const { meta } of closingRun(log, entry)) if (!isSpine.has(meta.seq)) closers.set(meta.seq, meta)
  }
  return [...closers.values()]
}

/** Where lanes end below the epoch, and what is cited, or asked about, there by the epoch and by what does not lie below it. */
function anchorsBelow(
  log: LogStore,
  epoch: BookEpoch,
  { below, asked }: { readonly below: Downset; readonly asked: readonly IntentionId[] },
): readonly AnchorPlace[] {
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
    for (const branch of branchesBelow(log, entry, below)) add(branch)
  }
  for (const id of asked) add(id)
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

/** What neither lies below the epoch nor follows it. */
function* besideSeqs(log: LogStore, epoch: BookEpoch): Generator<number, void, undefined> {
  const { meta } = epoch
  for (const entry of citingBelow(log, epoch, downsetOf(log, epoch))) {
    if (entry.meta.seq !== meta.seq && !log.reach.isAncestor(meta, entry.meta)) yield entry.meta.seq
  }
}

/** What else goes on from where a record does, below the epoch. */
function branchesBelow(log: LogStore, { parsed, meta }: LogEntry, below: Downset): readonly IntentionId[] {
  const { author } = meta
  const parent = isGenesis(parsed.intention) ? undefined : log.find(toIntentionId(parsed.intention.storePrev))
  if (parent === undefined || parent.position > below.lastOf(parent.lane)) return []
  return heldBranchesFrom(log, { author, parent }, below.lastOf).map(
    ({ lane, position }) => log.tipAt(log.reach.seqAt(lane, position)).parsed.id,
  )
}

function foldedBy(log: LogStore, id: IntentionId): readonly IntentionId[] {
  const meta = log.find(id)
  if (meta === undefined) return []
  if (log.base.isGone(meta)) return log.base.foldedBy(meta.seq) ?? []
  const { op, intention } = log.entryAt(meta.seq).parsed
  return op.kind === 'ack' ? intention.causalDeps : []
}

/**
 * Acks by the author of the epoch and those it names that say which state they came to, as each of its own vouches: of one
 * signer no more than `STATES_MAX`, which differ. Who forks its chain, or is invited again and again, has more.
 */
function acksOf(log: LogStore, epoch: BookEpoch): readonly LogEntry[] {
  const signers = [epoch.record.author, ...requiredOf(epoch)]
  const counts = countingAcks(log)
  const told = new Map<IdKey, readonly SignedState[]>()
  return log.book
    .rows()
    .acks.map((seq) => log.entryAt(seq))
    .filter(({ parsed: { op, intention }, meta }) => {
      if (op.kind !== 'epochAck' || !counts(meta)) return false
      const state = signedStateOf(op.value)
      if (state === undefined || !equalBytes(op.value.epoch, epoch.record.id)) return false
      if (!signers.some((key) => equalBytes(key, intention.author))) return false
      const states = told.get(idKey(intention.author)) ?? []
      const next = withState(states, state)
      told.set(idKey(intention.author), next)
      return next !== states
    })
}
