/**
 * Whether all that this node has beside an epoch is had, or can be taken in, by every node that begins at the epoch.
 *
 * What is beside an epoch neither lies below it nor follows it. Who prunes keeps of what lies below only what is cited by
 * what it has; what comes later and cites more can never be placed there. So a log is cut at an epoch only where nothing
 * else is beside it than
 * - what the peers that had to acknowledge it had seen when they did: whoever knows it as settled has that;
 * - and, of what changes no app state, what all of them have seen by now, or what cites nothing of which a node that
 *   begins at the epoch does not know the place.
 *
 * An operation of the app asks more than its causes: whether it covers what stands in its place. Of what is gone that can be
 * told only by who had the operation before. So of these only the first will do.
 *
 * Who had to acknowledge the epoch may go meanwhile, away or removed, and not everybody knows that at the same time. One who
 * does not waits for its word and cuts with all that it had seen; one who does would cut without, and the other's writes
 * beside could never be placed. So a log is cut without somebody's word only once all who are active have seen it go: who of
 * them had cut by it had that word, and whatever it writes then has it in its past. Such a word counts like any other. Those
 * who write nothing are not asked; where one of them cut by a word that did not count, or before a fork came that all who
 * write have, it begins anew where it is cut, once two of these have built on what it cannot place, or the only other.
 *
 * What one writes whom nobody waits for may come to all but one before they cut, and keep them from it: then that one is alone
 * where it has cut, and begins anew where these have signed, see `returning-stores.ts` of the node.
 *
 * @module
 */
import { type IdKey, idKey, isGenesis, isSigned, type PublicKey, toIntentionId } from '@lattice/model'
import { closingRun } from './closing-run.ts'
import { type Downset, downsetOf } from './downset.ts'
import type { BookEpoch } from './epoch-book.ts'
import type { Author, Lane } from './lane-book.ts'
import type { IntentionMeta, LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'
import { firstOf, seqOf } from './over-early.ts'
import type { Place } from './reach-vector.ts'
import { requiredOf } from './settlement.ts'

/** Epochs whose answers are kept: few are asked about at a time. */
const ANSWERS_MAX = 8

/**
 * `shared`: the log may be cut there. `open`: so far it is, but somebody may think otherwise of who has to acknowledge, so
 * nothing is cut yet. `unshared`: a later epoch takes along what is beside.
 */
export type BesideState = 'shared' | 'open' | 'unshared'

export type BesideOf = (epoch: BookEpoch) => BesideState

type BesideLog = Pick<
  LogStore,
  'authors' | 'counted' | 'excluded' | 'reach' | 'reader' | 'book' | 'base' | 'find' | 'entryAt' | 'meta' | 'path'
>

interface Answer {
  readonly headSeq: number
  readonly version: number
  readonly records: number
  readonly state: BesideState
}

/** Costs a look at every lane, and at what is beside and was not seen by who acknowledged. */
export function createBesideOf(log: BesideLog): BesideOf {
  const answers = new Map<IdKey, Answer>()
  return (epoch) => {
    const key = idKey(epoch.record.id)
    const now = { headSeq: log.meta().headSeq, version: log.excluded.version(), records: log.book.version() }
    let answer = answers.get(key)
    if (answer?.headSeq !== now.headSeq || answer.version !== now.version || answer.records !== now.records) {
      answer = { ...now, state: new Beside(log, epoch).state() }
    }
    answers.delete(key)
    answers.set(key, answer)
    for (const [oldest] of answers) if (answers.size > ANSWERS_MAX) answers.delete(oldest)
    return answer.state
  }
}

/** Positions of a lane that are beside the epoch. */
interface Stretch {
  readonly lane: Lane
  readonly first: number
  readonly last: number
}

/** Whose word says what everybody has. */
interface Voices {
  readonly keys: readonly PublicKey[]
  /** Somebody may count others: one who does not know yet who has gone. */
  readonly isOpen: boolean
}

class Beside {
  readonly #log: BesideLog
  readonly #epoch: BookEpoch
  readonly #below: Downset
  /** By lane. */
  readonly #stretches: ReadonlyMap<number, Stretch>
  readonly #voices: Voices

  constructor(log: BesideLog, epoch: BookEpoch) {
    this.#log = log
    this.#epoch = epoch
    this.#below = downsetOf(log, epoch)
    this.#stretches = new Map(
      log.counted
        .lanes()
        .flatMap((lane) => this.#stretchOf(lane))
        .map((stretch) => [stretch.lane.number, stretch]),
    )
    this.#voices = this.#findVoices()
  }

  #findVoices(): Voices {
    const active = this.#active()
    const { view } = this.#log.book
    const keys: PublicKey[] = []
    let isOpen = false
    for (const key of requiredOf(this.#epoch)) {
      if (active.has(idKey(key))) {
        keys.push(key)
        continue
      }
      const author = this.#log.counted.find(key)
      const word = author === undefined ? [] : this.#acknowledging(author)
      const places = view()
        .leftBy(key)
        ?.flatMap((id) => this.#log.find(id) ?? [])
      // What no record tells here some may never come to know: its word is waited for.
      const parting = places === undefined ? undefined : this.#partingOf(places)
      if (parting === undefined) isOpen ||= places !== undefined || word.length === 0
      if (word.length > 0 && (parting === undefined || parting.some((place) => this.#hasAll(place, word))))
        keys.push(key)
    }
    return { keys, isOpen }
  }

  /** The first of each active peer that has seen somebody go; undefined where not all have. */
  #partingOf(records: readonly Place[]): readonly Place[] | undefined {
    const parting: Place[] = []
    for (const key of this.#log.book.view().active()) {
      const author = this.#log.counted.find(key)
      const first =
        author === undefined ? [] : this.#lanesOf(author).flatMap((lane) => this.#firstAfter(lane, records) ?? [])
      if (first.length === 0) return undefined
      parting.push(...first)
    }
    return parting
  }

  /** The first of a lane that is, or has in its past, one of some records. */
  #firstAfter(lane: Lane, records: readonly Place[]): Place | undefined {
    const has = (position: number): boolean =>
      records.some((record) => this.#hasAll(this.#placeOf(lane, position), [record]))
    const least = Math.max(firstOf(lane), this.#below.lastOf(lane.number) + 1)
    if (lane.head.position < least || !has(lane.head.position)) return undefined
    let [low, high] = [least, lane.head.position]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (has(middle)) high = middle
      else low = middle + 1
    }
    return this.#placeOf(lane, low)
  }

  #hasAll(place: Place, others: readonly Place[]): boolean {
    return others.every((other) => other.seq === place.seq || this.#log.reach.isAncestor(other, place))
  }

  state(): BesideState {
    const { isOpen } = this.#voices
    return this.#isShared() ? (isOpen ? 'open' : 'shared') : 'unshared'
  }

  #isShared(): boolean {
    if (this.#stretches.size === 0) return true
    const canonical = this.#canonicalEnds()
    const rest = [...this.#stretches.values()].filter(({ lane, last }) => last > (canonical.get(lane.number) ?? -1))
    if (rest.length === 0) return true
    const entries: LogEntry[] = []
    for (const { lane, first, last } of rest) {
      const from = Math.max(first, (canonical.get(lane.number) ?? -1) + 1)
      for (let position = from; position <= last; position += 1) {
        const entry = this.#log.entryAt(seqOf(this.#log, lane, position))
        if (entry.parsed.op.kind === 'appData') return false
        entries.push(entry)
      }
    }
    return this.#areShared(entries, canonical)
  }

  #stretchOf(lane: Lane): readonly Stretch[] {
    if (lane.number === this.#epoch.meta.lane) return []
    const first = Math.max(firstOf(lane), this.#below.lastOf(lane.number) + 1)
    let [low, high] = [first, lane.head.position + 1]
    if (low >= high || this.#follows(lane, low)) return []
    // The end is looked at first: most of what is beside is where nothing came after it, or little.
    if (!this.#follows(lane, high - 1)) return [{ lane, first, last: high - 1 }]
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (this.#follows(lane, middle)) high = middle
      else low = middle
    }
    return [{ lane, first, last: low }]
  }

  #placeOf(lane: Lane, position: number): Place {
    return { lane: lane.number, position, seq: seqOf(this.#log, lane, position) }
  }

  #follows(lane: Lane, position: number): boolean {
    return this.#log.reach.isAncestor(this.#epoch.meta, this.#placeOf(lane, position))
  }

  /** By lane, up to where what is beside was seen by one who has acknowledged, or was told of as a whole with that. */
  #canonicalEnds(): Map<number, number> {
    const ends = new Map<number, number>()
    const take = (places: readonly Place[]): void => {
      for (const lane of this.#stretches.keys()) {
        // Of a chain that forked not every branch is known to all.
        const seen = Math.min(...places.map((place) => this.#log.reach.reach(place, lane)))
        if (seen > (ends.get(lane) ?? -1)) ends.set(lane, seen)
      }
    }
    for (const key of this.#voices.keys) {
      const author = this.#log.counted.find(key)
      if (author === undefined) continue
      const first = this.#acknowledging(author)
      if (first.length > 0) take(first)
      // It will join them when it acknowledges.
      else for (const tip of this.#tipsOf(author)) take([tip])
    }
    // Who has a part of a run has what closes it, and all that this cites.
    for (let closers = this.#closers(ends); closers.length > 0; closers = this.#closers(ends)) {
      for (const closer of closers) take([closer])
    }
    return ends
  }

  /** What closes the runs that the ends cut in two. */
  #closers(ends: ReadonlyMap<number, number>): readonly Place[] {
    return [...this.#stretches.values()].flatMap(({ lane, first, last }) => {
      const end = ends.get(lane.number) ?? -1
      if (end < first || end >= last) return []
      const entry = this.#log.entryAt(seqOf(this.#log, lane, end))
      if (isSigned(entry.parsed)) return []
      return closingRun(this.#log, entry)
        .slice(-1)
        .flatMap(({ meta }) => (meta.lane === lane.number ? [meta] : []))
    })
  }

  #active(): ReadonlySet<IdKey> {
    return new Set(this.#log.book.view().active().map(idKey))
  }

  #lanesOf(author: Author): readonly Lane[] {
    return author.lanes.map((number) => this.#log.counted.lane(number))
  }

  #tipsOf(author: Author): readonly Place[] {
    return this.#lanesOf(author)
      .filter(({ head }) => author.tips.has(head.seq))
      .map((lane) => this.#placeOf(lane, lane.head.position))
  }

  /** The first of a peer that follow the epoch: one, unless its chain forked. */
  #acknowledging(author: Author): readonly Place[] {
    const { counted } = this.#log
    const lanes = this.#lanesOf(author)
    const following = lanes.filter((lane) => this.#follows(lane, lane.head.position))
    return following.flatMap((lane) => {
      const last = this.#stretches.get(lane.number)?.last
      const first = last === undefined ? Math.max(firstOf(lane), this.#below.lastOf(lane.number) + 1) : last + 1
      const { parent } = lane
      const goesOn =
        parent !== undefined && first === firstOf(lane) && lanes.some(({ number }) => number === parent.lane)
      if (goesOn && this.#follows(counted.lane(parent.lane), parent.position)) return []
      return [this.#placeOf(lane, first)]
    })
  }

  /** Of records that the acknowledging peers had not seen: seen by all since, or placed by whoever begins at the epoch. */
  #areShared(entries: readonly LogEntry[], canonical: ReadonlyMap<number, number>): boolean {
    const seen = this.#seenEnds()
    const anchors = this.#anchors(canonical)
    const shared = new Set<number>()
    for (const entry of entries.toSorted((a, b) => a.meta.seq - b.meta.seq)) {
      const { lane, position, seq } = entry.meta
      const isSeen = position <= (seen.get(lane) ?? -1)
      if (!isSeen && !this.#isPlaced(entry, { anchors, shared, canonical })) return false
      shared.add(seq)
    }
    return true
  }

  /** By lane, up to where everybody who is still active, the author among them, has seen it. */
  #seenEnds(): ReadonlyMap<number, number> {
    const { counted, reach } = this.#log
    const active = this.#active()
    const everybody = [this.#epoch.record.author, ...requiredOf(this.#epoch)].filter((key) => active.has(idKey(key)))
    const seenBy = (key: PublicKey, lane: number): number => {
      const author = counted.find(key)
      const tips = author === undefined ? [] : this.#tipsOf(author)
      return Math.max(-1, ...tips.map((tip) => reach.reach(tip, lane)))
    }
    return new Map(
      everybody.length === 0
        ? []
        : [...this.#stretches.keys()].map((lane) => [lane, Math.min(...everybody.map((key) => seenBy(key, lane)))]),
    )
  }

  /** What whoever begins at the epoch knows the place of, by seq. */
  #anchors(canonical: ReadonlyMap<number, number>): ReadonlySet<number> {
    const anchors = new Set([1, ...this.#log.book.all().map(({ meta }) => meta.seq)])
    for (const { lane, last } of this.#below.lanes) if (this.#isTip(lane, last)) anchors.add(this.#seqBelow(lane, last))
    for (const { lane, first, last } of this.#stretches.values()) {
      const end = Math.min(last, canonical.get(lane.number) ?? -1)
      for (let position = first; position <= end; position += 1) {
        const { intention } = this.#log.entryAt(seqOf(this.#log, lane, position)).parsed
        for (const id of intention.causalDeps) anchors.add(this.#log.find(id)?.seq ?? 1)
      }
    }
    return anchors
  }

  #seqBelow(lane: number, position: number): number {
    return seqOf(this.#log, this.#log.authors.lane(lane), position)
  }

  /** True where nothing of its author that lies below goes on: which lane a branch goes on in differs between nodes. */
  #isTip(lane: number, last: number): boolean {
    const { author } = this.#log.authors.lane(lane)
    return !this.#below.lanes.some(({ lane: other }) => {
      const { author: by, parent } = this.#log.authors.lane(other)
      return by === author && parent?.lane === lane && parent.position === last
    })
  }

  #isPlaced(
    { parsed: { intention }, meta }: LogEntry,
    known: {
      readonly anchors: ReadonlySet<number>
      readonly shared: ReadonlySet<number>
      readonly canonical: ReadonlyMap<number, number>
    },
  ): boolean {
    const isKnown = (place: IntentionMeta): boolean =>
      this.#isBelow(place)
        ? known.anchors.has(place.seq)
        : known.shared.has(place.seq) || place.position <= (known.canonical.get(place.lane) ?? -1)
    const deps = intention.causalDeps.map((id) => this.#log.find(id))
    if (isGenesis(intention) || !deps.every((place) => place !== undefined && isKnown(place))) return false
    const prev = this.#log.find(toIntentionId(intention.storePrev))
    if (prev === undefined || !isKnown(prev)) return false
    if (!this.#isBelow(prev)) return true
    // A fork of what is gone would have to be told by what it forks from.
    const hasBegun = this.#below.lanes.some(({ lane }) => this.#log.authors.lane(lane).author === meta.author)
    if (prev.author !== meta.author) return !hasBegun
    return prev.position === this.#below.lastOf(prev.lane) && this.#isTip(prev.lane, prev.position)
  }

  #isBelow({ lane, position }: IntentionMeta): boolean {
    return position <= this.#below.lastOf(lane)
  }
}
