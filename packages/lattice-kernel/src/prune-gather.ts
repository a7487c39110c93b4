/**
 * Gathers what a pruned log needs to know of what will be gone, in slices between the writer's other works.
 *
 * Nothing of the log changes: it writes rows beside, which mean nothing until the prune is decided. What is witnessed
 * meanwhile is followed, so that a decision finds everything gathered.
 *
 * @module
 */
import { assert, causesOf, equalBytes, type IntentionId, toIntentionId } from '@lattice/model'
import { addInto } from '@lattice/sync'
import type { EarlyRecord } from './base-signature.ts'
import { closingRun } from './closing-run.ts'
import type { Core } from './core.ts'
import { type Downset, downsetOf } from './downset.ts'
import { earlyTail } from './early-records.ts'
import type { BookEpoch } from './epoch-book.ts'
import { heldBranchesFrom } from './fork-siblings.ts'
import type { IntentionMeta, LogEntry } from './log-entry.ts'
import { createPruneRows, type NewAnchor, type PruneRows } from './prune-rows.ts'
import { IN_SET, VOUCHES } from './prune-schema.ts'
import { itemOf } from './range-nodes.ts'
import type { LanePosition } from './reach-vector.ts'

export interface Gathered {
  readonly base: BookEpoch
  readonly below: Downset
  readonly number: number
  readonly rows: PruneRows
  /** What is kept before the base, by seq. */
  readonly early: readonly EarlyRecord[]
  /** Sum of the ids of all that is kept, and how many these are. */
  readonly kept: { readonly fingerprint: Uint8Array; readonly count: number }
  /** Up to which record everything is gathered. */
  readonly upto: () => number
  /** Gathers what was witnessed since, up to so many records. */
  readonly follow: (limit: number) => void
  /** An intention that something kept may ask about. */
  readonly noteAsked: (id: IntentionId) => void
  /** Kept operations that do not have the base in their past, in the order in which they were witnessed. */
  readonly beside: () => readonly number[]
}

/** Rows that wait before they are written. */
const ROWS_PER_WRITE = 256
/** Branches of an author of which it is kept which join which: of who forked more often, each counts as open. */
const BRANCHES_MAX = 64
/** Records read at once. */
const PAGE = 32

/** Yields where others may come in between. Ends with what it gathered. */
export function* gather(core: Core, base: BookEpoch): Generator<void, Gathered, undefined> {
  const work = new Gathering(core, base)
  yield* work.spine()
  yield* work.lanes()
  yield* work.early()
  while (work.upto < core.log.meta().headSeq) {
    work.follow(PAGE)
    yield
  }
  return work.gathered()
}

class Gathering {
  upto: number
  readonly #core: Core
  readonly #base: BookEpoch
  readonly #below: Downset
  readonly #number: number
  readonly #rows: PruneRows
  readonly #early: EarlyRecord[] = []
  readonly #kept = { fingerprint: new Uint8Array(32), count: 0 }
  readonly #spineLanes = new Set<number>()
  readonly #beside: number[] = []

  constructor(core: Core, base: BookEpoch) {
    this.#core = core
    this.#base = base
    this.#below = downsetOf(core.log, base)
    this.#number = core.log.base.number() + 1
    this.#rows = createPruneRows(core.log.database, this.#number)
    this.upto = base.meta.seq - 1
  }

  gathered(): Gathered {
    this.#flush(1)
    const [early, beside] = [this.#early, this.#beside]
    return {
      base: this.#base,
      below: this.#below,
      number: this.#number,
      rows: this.#rows,
      early: early.sort((a, b) => a.seq - b.seq),
      kept: this.#kept,
      upto: () => this.upto,
      follow: (limit) => this.follow(limit),
      noteAsked: (id) => {
        this.#anchorFor(id)
        this.#flush()
      },
      beside: () => beside.sort((a, b) => a - b),
    }
  }

  /** The records that decide about membership, with all that is in their past. */
  *spine(): Generator<void, void, undefined> {
    const { log } = this.#core
    const items = log.book.all().filter(({ meta }) => this.#isBelow(meta))
    for (const { meta } of items) this.#spineLanes.add(meta.lane)
    const seqs = new Set(items.map(({ meta }) => meta.seq))
    for (const { record, meta } of items) {
      const entry = log.entryAt(meta.seq)
      this.#keep(entry)
      this.#early.push({ seq: meta.seq, id: record.id })
      const vector = [...log.reach.vectorOf(meta)]
      this.#rows.addAnchor({ id: record.id, meta, stays: IN_SET, vector, folded: undefined })
      for (const closer of closingRun(log, entry)) {
        if (seqs.has(closer.meta.seq) || !this.#isBelow(closer.meta)) continue
        seqs.add(closer.meta.seq)
        this.#early.push({ seq: closer.meta.seq, id: closer.parsed.id })
        this.#anchor(closer.parsed.id, closer.meta, { stays: VOUCHES })
      }
      this.#flush()
      yield
    }
  }

  /** Where every lane ends below the base. */
  *lanes(): Generator<void, void, undefined> {
    const { log } = this.#core
    for (const { lane: number, last } of this.#below.lanes) {
      const { author, parent, head } = log.authors.lane(number)
      const { key } = log.authors.byNumber(author)
      const [parent_lane, parent_position] = [parent?.lane ?? null, parent?.position ?? null]
      this.#rows.addLane({ lane: number, author, key, parent_lane, parent_position, last })
      const { parsed, meta } = log.tipAt(last === head.position ? head.seq : log.reach.seqAt(number, last))
      this.#anchor(parsed.id, meta)
      this.#flush()
      yield
    }
  }

  /** What was witnessed before the base and does not lie below it. */
  *early(): Generator<void, void, undefined> {
    for (const entry of earlyTail(this.#core.log, this.#base.meta.seq, this.#below.lastOf)) {
      this.#early.push({ seq: entry.meta.seq, id: entry.parsed.id })
      this.#keepTail(entry)
      yield
    }
  }

  follow(limit: number): void {
    const { log } = this.#core
    const entries = log.reader.from(this.upto + 1, Math.min(limit, log.meta().headSeq - this.upto))
    for (const entry of entries) {
      assert(entry.meta.seq === this.upto + 1, 'nothing is missing from the base on')
      this.#keepTail(entry)
      this.upto = entry.meta.seq
    }
  }

  #isBelow({ lane, position }: IntentionMeta): boolean {
    return position <= this.#below.lastOf(lane)
  }

  #keep(entry: LogEntry): void {
    const { excluded } = this.#core.log
    addInto(this.#kept.fingerprint, entry.parsed.id)
    this.#kept.count += 1
    if (!excluded.isExcluded(entry.meta)) this.#rows.range.insert(itemOf(entry))
  }

  #keepTail(entry: LogEntry): void {
    const { log } = this.#core
    const { meta, parsed } = entry
    this.#keep(entry)
    const { storePrev, causalDeps } = parsed.intention
    for (const id of causesOf(parsed.intention)) {
      const isUnfolded = equalBytes(id, storePrev) && causalDeps.some((dep) => equalBytes(dep, id))
      this.#anchorFor(id, isUnfolded)
    }
    this.#anchorBranches(entry)
    const isBeside = meta.seq !== this.#base.meta.seq && !log.reach.isAncestor(this.#base.meta, meta)
    if (isBeside) this.#beside.push(meta.seq)
    this.#flush()
  }

  /** What of its author begins below where a kept record goes on: see fork-siblings.ts. */
  #anchorBranches({ parsed, meta }: LogEntry): void {
    const { log } = this.#core
    const parent = log.find(toIntentionId(parsed.intention.storePrev))
    if (parent === undefined || !this.#isBelow(parent)) return
    for (const { lane, position } of heldBranchesFrom(log, { author: meta.author, parent }, this.#below.lastOf)) {
      const branch = log.tipAt(log.reach.seqAt(lane, position))
      this.#anchor(branch.parsed.id, branch.meta)
    }
  }

  #anchorFor(id: IntentionId, isUnfolded = false): void {
    const { log } = this.#core
    const meta = log.find(id)
    if (meta === undefined || !this.#isBelow(meta)) return
    this.#anchor(id, meta, { folded: isUnfolded ? this.#foldedBy(meta) : undefined })
  }

  #foldedBy(meta: IntentionMeta): readonly IntentionId[] | undefined {
    const { log } = this.#core
    if (log.base.isGone(meta)) return log.base.foldedBy(meta.seq)
    const { op, intention } = log.entryAt(meta.seq).parsed
    return op.kind === 'ack' ? intention.causalDeps : undefined
  }

  #anchor(id: IntentionId, meta: IntentionMeta, { stays = 0, folded }: Partial<NewAnchor> = {}): void {
    const { reach, authors } = this.#core.log
    const vector: LanePosition[] = []
    // Which of an author's branches it has joined is asked still.
    const { lanes: own } = authors.byNumber(meta.author)
    const isOwn = (lane: number): boolean => lane === meta.lane || (own.length <= BRANCHES_MAX && own.includes(lane))
    // Of what else lies below the base nothing is asked any more.
    for (const [lane, position] of reach.vectorOf(meta)) {
      if (this.#spineLanes.has(lane) || isOwn(lane)) vector.push([lane, position])
    }
    this.#rows.addAnchor({ id: toIntentionId(id.slice()), meta, stays, vector, folded })
  }

  #flush(least = ROWS_PER_WRITE): void {
    if (this.#rows.waiting() + this.#rows.range.stats().changedNodes < least) return
    // The decision makes it last.
    this.#core.log.database.relaxed(this.#rows.write)
  }
}
