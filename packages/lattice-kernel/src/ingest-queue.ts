/**
 * The one way in for intentions of others: checked, made to float, witnessed when they can be, committed and projected.
 *
 * A batch goes through in slices whose cost is bounded, so that neither the event loop nor this node's own writes wait for
 * the whole of it. The outcome of each is what became of it when the batch is through.
 *
 * @module
 */
import {
  equalBytes,
  type IdKey,
  idKey,
  type IngestOutcome,
  isGenesis,
  isSigned,
  parseSignedIntention,
  type ParsedIntention,
  type PublicKey,
  type SignedIntention,
  verifyParsed,
} from '@lattice/model'
import type { Core } from './core.ts'
import { describeFloating } from './describe-floating.ts'
import { WriterBusy } from './errors.ts'
import { witnessNext } from './witness-next.ts'
import type { Work } from './work-loop.ts'

export interface IngestQueue extends Work {
  readonly ingest: (
    batch: readonly SignedIntention[],
    source: PublicKey | undefined,
  ) => Promise<readonly IngestOutcome[]>
  /** True while a batch is not through: what becomes ready belongs to it. */
  readonly isBusy: () => boolean
}

/** Batches that wait at most, one or a few per peer. */
export const MAX_QUEUED_BATCHES = 256
/** About how long a slice takes, in microseconds. */
const SLICE_COST = 10_000
/** How long taking one in may take by the clock; witnessing and projecting it take about twice as long again. */
const TAKING_MAX_MS = 3
/** What parsing, witnessing and projecting take, by intention and by KiB, and what a signature adds. */
const COST_PER_INTENTION = 40
const COST_PER_KIB = 5
const COST_PER_SIGNATURE = 110
/** What is known of one intention of a batch: its outcome, or which to look at in the end. */
type Taken = IngestOutcome | { readonly kind: 'pending'; readonly parsed: ParsedIntention }

interface Batch {
  readonly items: readonly SignedIntention[]
  readonly source: PublicKey | undefined
  next: number
  readonly taken: Taken[]
  readonly faults: Map<IdKey, string>
  readonly resolve: (outcomes: readonly IngestOutcome[]) => void
  readonly reject: (error: unknown) => void
}

export function createIngestQueue(core: Core): IngestQueue {
  let queue: Batch[] = []

  function step(): number | undefined {
    const batch = queue[0]
    // What was committed is projected first, in turns of its own.
    if (batch === undefined || core.isBehind()) return undefined
    if (batch.next === batch.items.length && !core.witnesser.hasReady()) return finish(batch)
    const sliceStart = batch.next
    const cost = takeSlice(core, batch)
    const committed = witnessNext(core, batch.source)
    for (const [key, fault] of core.witnesser.takeInvalid()) batch.faults.set(key, fault)
    settleWitnessed(core, batch, sliceStart)
    if (!committed.ok) {
      queue = queue.slice(1)
      batch.reject(committed.error)
    } else if (batch.next === batch.items.length && !core.witnesser.hasReady() && !core.isBehind()) finish(batch)
    return cost + (committed.ok ? committed.value.records * COST_PER_INTENTION : 0)
  }

  function finish(batch: Batch): number {
    queue = queue.slice(1)
    batch.resolve(batch.taken.map((taken) => outcomeOf(core, taken, batch.faults)))
    return COST_PER_INTENTION
  }

  return {
    ingest: async (items, source) => {
      if (queue.length >= MAX_QUEUED_BATCHES) throw new WriterBusy('batches', MAX_QUEUED_BATCHES)
      return new Promise((resolve, reject) => {
        queue.push({ items, source, next: 0, taken: [], faults: new Map(), resolve, reject })
      })
    },
    isBusy: () => queue.length > 0,
    step,
    fail: (error) => {
      for (const { reject } of queue.splice(0)) reject(error)
    },
  }
}

/** Notes what of a slice is witnessed, while it is at hand: the end of a large batch must not look up all of it. */
function settleWitnessed(core: Core, batch: Batch, sliceStart: number): void {
  for (let index = sliceStart; index < batch.next; index += 1) {
    const taken = batch.taken[index]
    if (taken?.kind !== 'pending' || core.log.find(taken.parsed.id) === undefined) continue
    batch.taken[index] = { kind: 'witnessed', id: taken.parsed.id }
  }
}

/** Parses, checks and takes in the next part of a batch; answers its cost. */
function takeSlice(core: Core, batch: Batch): number {
  const arrived = new Map<IdKey, ParsedIntention>()
  const { clock } = core.options
  const untilMs = clock.monotonicMs() + TAKING_MAX_MS
  let cost = 1
  while (batch.next < batch.items.length && cost < SLICE_COST && clock.monotonicMs() <= untilMs) {
    const item = batch.items[batch.next]
    if (item === undefined) break
    batch.next += 1
    cost += COST_PER_INTENTION + (item.bytes.length / 1024) * COST_PER_KIB
    if (isSigned(item)) cost += COST_PER_SIGNATURE
    const taken = takeOne(core, item, arrived)
    batch.taken.push(taken)
    if (taken.kind === 'pending') arrived.set(idKey(taken.parsed.id), taken.parsed)
  }
  if (arrived.size > 0) core.reportEvicted(core.witnesser.arrive([...arrived.values()]))
  return cost
}

/** Everything about one intention that its bytes decide. */
function takeOne(core: Core, item: SignedIntention, arrived: ReadonlyMap<IdKey, ParsedIntention>): Taken {
  const { crypto, storeId } = core.options
  // A copy: the bytes of a batch are parts of large frames, and belong to the caller.
  const result = parseSignedIntention(crypto, { bytes: item.bytes.slice(), signature: item.signature.slice() })
  if (!result.ok) return { kind: 'invalid', code: result.error.code, id: undefined }
  const parsed = result.value
  const { id } = parsed
  if (isGenesis(parsed.intention) && !equalBytes(id, storeId)) return { kind: 'invalid', code: 'foreign_genesis', id }
  const key = idKey(id)
  if (core.log.find(id) !== undefined) return { kind: 'duplicate', id }
  const floating = core.pool.get(key)
  const known = arrived.get(key) ?? floating?.parsed
  // The very intention with the signature that closes its run is news.
  if (known !== undefined && (isSigned(known) || !isSigned(parsed))) return { kind: 'duplicate', id }
  if (isSigned(parsed) && !verifyParsed(crypto, parsed)) return { kind: 'invalid', code: 'bad_signature', id }
  if (floating !== undefined) core.pool.remove(floating)
  return { kind: 'pending', parsed }
}

function outcomeOf(core: Core, taken: Taken, faults: ReadonlyMap<IdKey, string>): IngestOutcome {
  if (taken.kind !== 'pending') return taken
  const { id } = taken.parsed
  if (core.log.find(id) !== undefined) return { kind: 'witnessed', id }
  const code = faults.get(idKey(id))
  if (code !== undefined) return { kind: 'invalid', code, id }
  const entry = core.pool.get(idKey(id))
  // Evicted again by the limits: as if it had not come, so it waits for what it waited for.
  if (entry === undefined) return { kind: 'floating', id, reason: 'missing_causes', missing: [] }
  return { kind: 'floating', id, ...describeFloating(core, entry) }
}
