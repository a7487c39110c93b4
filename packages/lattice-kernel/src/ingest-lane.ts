/**
 * The slices that are on their way in, in the order in which they came: being read, being verified, or waiting to be
 * admitted.
 *
 * Whoever is idle verifies: slices are handed to the verifier until it has enough, and what this thread would only wait
 * for it verifies itself. Without a verifier a slice is verified as it is read, and the next is read when it is admitted.
 *
 * @module
 */
import type { Clock, SignedIntention } from '@lattice/model'
import type { Core } from './core.ts'
import { createSlice, createSliceReader, type Slice, type SliceReader } from './ingest-slice.ts'
import { createVerifying } from './ingest-verifying.ts'

export interface LaneBatch {
  readonly items: readonly SignedIntention[]
}

export interface IngestLane<B extends LaneBatch> {
  /** True when the verifier, which had work of late, has little to do and there may be more. */
  readonly isHungry: (batches: readonly B[]) => boolean
  /** True when something of these batches can be read. */
  readonly canRead: (batches: readonly B[]) => boolean
  /** Reads the next of the batches for a few milliseconds; answers its cost. Only while something can be read. */
  readonly read: (batches: readonly B[]) => number
  /** Takes out the oldest slices, if they are of this batch and verified: a commit's worth, or what there is. */
  readonly take: (batch: B) => readonly ArrivedSlice[]
  /** Whether the signature of a candidate is good; looks, where nobody has. */
  readonly verifyNow: SliceReader['verifyNow']
  /** Notes records that were witnessed from here. */
  readonly witnessed: (records: number) => void
  /** True when all of a batch is read and admitted. */
  readonly isThrough: (batch: B) => boolean
  /** Forgets a batch and its slices. */
  readonly drop: (batch: B) => void
  readonly clear: () => void
  /** What has to come from elsewhere before anything goes on; undefined when nothing has. */
  readonly pending: () => Promise<void> | undefined
}

/** Slices that are on their way at most; a slice is bounded in bytes. */
const MAX_SLICES = 16
/** Slices handed to the verifier at most: enough for every thread of a pool to have one and find another. */
const MAX_VERIFYING = 8
/** With fewer than this the verifier comes first. */
const HUNGRY_BELOW = 3
/** Intentions that are admitted together where more are to come: a commit costs an fsync. */
const ADMITTED_TOGETHER = 256
/** How long reading may take by the clock, and by its estimated cost. */
const READING_MAX_MS = 3
const READING_MAX_COST = 10_000
/** What reading takes, by intention and by KiB, and what a signature adds that is verified here. In microseconds. */
const COST_PER_INTENTION = 15
const COST_PER_KIB = 5
const COST_PER_SIGNATURE = 110

/** A slice to be admitted. */
export interface ArrivedSlice {
  readonly items: Slice['items']
  /** Others witnessed something after it was read: what was new may be here. */
  readonly isStale: boolean
}

interface Held<B> {
  readonly batch: B
  readonly slice: Slice
  /** Records of others when its reading began. */
  readonly others: number
  /** Its signatures are verified here, as it is read. */
  readonly isOurs: boolean
}

export function createIngestLane<B extends LaneBatch>(core: Core, wake: () => void): IngestLane<B> {
  const { verifier, clock } = core.options
  const reader = createSliceReader(core)
  const verifying = createVerifying(core, reader.verifyNow, (slice) => {
    if (held.some((one) => one.slice === slice)) wake()
  })
  const positions = new Map<B, number>()
  let held: Held<B>[] = []
  let ownRecords = 0

  const othersRecords = (): number => core.log.meta().headSeq - ownRecords
  const unread = (batch: B): number => batch.items.length - (positions.get(batch) ?? 0)
  const openSlice = (): Held<B> | undefined => {
    const last = held.at(-1)
    return last === undefined || last.slice.isComplete ? undefined : last
  }

  function canRead(batches: readonly B[]): boolean {
    if (openSlice() !== undefined) return true
    const limit = verifier === undefined ? 1 : MAX_SLICES
    return held.length < limit && batches.some((batch) => unread(batch) > 0)
  }

  function begin(batches: readonly B[]): Held<B> | undefined {
    const batch = batches.find((candidate) => unread(candidate) > 0)
    if (batch === undefined) return undefined
    const isOurs = verifier === undefined || verifying.count() >= MAX_VERIFYING
    const begun: Held<B> = { batch, slice: createSlice(), others: othersRecords(), isOurs }
    held.push(begun)
    return begun
  }

  function read(batches: readonly B[]): number {
    const current = openSlice() ?? begin(batches)
    if (current === undefined) return 1
    const { batch, slice, isOurs } = current
    const start = positions.get(batch) ?? 0
    const { end, cost } = readPart({ clock, reader }, current, start)
    positions.set(batch, end)
    if (end >= batch.items.length) slice.isComplete = true
    if (slice.isComplete && !isOurs) verifying.verify(slice)
    return cost
  }

  function take(batch: B): readonly ArrivedSlice[] {
    const ready = readyOf(held, batch, verifying.count() > 0)
    keep(held.slice(ready.length))
    return ready.map(({ slice, others }) => ({ items: slice.items, isStale: others !== othersRecords() }))
  }

  /** Forgets all but these. */
  function keep(rest: Held<B>[]): void {
    for (const one of held) if (!rest.includes(one)) reader.release(one.slice)
    held = rest
  }

  return {
    isHungry: (batches) => verifying.isInUse() && verifying.count() < HUNGRY_BELOW && canRead(batches),
    canRead,
    read,
    take,
    verifyNow: reader.verifyNow,
    witnessed: (records) => {
      ownRecords += records
    },
    isThrough: (batch) => unread(batch) === 0 && held[0]?.batch !== batch,
    drop: (batch) => {
      keep(held.filter((one) => one.batch !== batch))
      positions.delete(batch)
    },
    clear: () => {
      keep([])
      positions.clear()
    },
    pending: () => held.find(({ slice }) => slice.verifying !== undefined)?.slice.verifying,
  }
}

/** Reads on in a slice, for a few milliseconds; answers where in the batch it stopped. */
function readPart(
  { clock, reader }: { readonly clock: Clock; readonly reader: SliceReader },
  { batch, slice, isOurs }: Held<LaneBatch>,
  start: number,
): { readonly end: number; readonly cost: number } {
  const untilMs = clock.monotonicMs() + READING_MAX_MS
  let [end, cost] = [start, 1]
  while (!slice.isComplete && cost < READING_MAX_COST && clock.monotonicMs() <= untilMs) {
    const item = batch.items[end]
    if (item === undefined) break
    end += 1
    cost += COST_PER_INTENTION + (item.bytes.length / 1024) * COST_PER_KIB
    const signed = slice.signed.length
    reader.read(slice, item)
    const fresh = slice.signed[signed]
    if (!isOurs || fresh === undefined) continue
    reader.verifyNow(fresh)
    cost += COST_PER_SIGNATURE
  }
  return { end, cost }
}

/** The oldest of what is held, where it is of this batch, is verified, and is worth a commit. */
function readyOf<B>(held: readonly Held<B>[], batch: B, isVerifying: boolean): readonly Held<B>[] {
  const ready: Held<B>[] = []
  let records = 0
  for (const one of held) {
    const isReady = one.batch === batch && one.slice.isComplete && one.slice.verifying === undefined
    if (!isReady || records >= ADMITTED_TOGETHER) break
    ready.push(one)
    records += one.slice.items.length
  }
  // A few are not worth one while the rest of the batch is being verified.
  const mayWait = isVerifying && held[ready.length]?.batch === batch
  return records < ADMITTED_TOGETHER && mayWait ? [] : ready
}
