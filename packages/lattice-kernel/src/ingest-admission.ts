/**
 * From what is on its way to the pool, and from there to outcomes.
 *
 * @module
 */
import { type IngestOutcome, isSigned } from '@lattice/model'
import type { Core } from './core.ts'
import { describeFloating } from './describe-floating.ts'
import type { FloatingEntry } from './floating-entry.ts'
import type { ArrivedSlice } from './ingest-lane.ts'
import type { Candidate } from './ingest-slice.ts'

/** What is known of one intention of a batch: its outcome, or which to look at in the end. */
export type Taken = IngestOutcome | { readonly kind: 'pending'; readonly entry: FloatingEntry }

/** What admitting takes by intention, in microseconds. */
const COST_PER_INTENTION = 5

/** Admits slices in their order: adds what each became to `taken`, and what is new to the pool. Answers the cost. */
export function admitSlices(
  core: Core,
  slices: readonly ArrivedSlice[],
  { taken, verifyNow }: { readonly taken: Taken[]; readonly verifyNow: (candidate: Candidate) => boolean },
): number {
  const entries: FloatingEntry[] = []
  let cost = 1
  for (const { items, isStale } of slices) {
    cost += items.length * COST_PER_INTENTION
    for (const item of items) {
      const outcome = item.kind === 'candidate' ? admitOne(core, item, { isStale, verifyNow }) : item
      taken.push(outcome)
      if (outcome.kind === 'pending') entries.push(outcome.entry)
    }
  }
  core.witnesser.arrive(entries)
  return cost
}

function admitOne(
  core: Core,
  candidate: Candidate,
  { isStale, verifyNow }: { readonly isStale: boolean; readonly verifyNow: (candidate: Candidate) => boolean },
): Taken {
  const { parsed, key, isContested } = candidate
  const { id } = parsed
  if ((isContested || isStale) && core.log.find(id) !== undefined) return { kind: 'duplicate', id }
  const floating = core.pool.get(key)
  // The very intention with the signature that closes its run is news.
  if (floating !== undefined && (floating.signed || !isSigned(parsed))) return { kind: 'duplicate', id }
  if (isSigned(parsed) && !verifyNow(candidate)) return { kind: 'invalid', code: 'bad_signature', id }
  return { kind: 'pending', entry: core.pool.stage(parsed, key) }
}

/** Notes which of `taken` from `start` on are witnessed: what they are made of can go. */
export function settleWitnessed(taken: Taken[], start: number): void {
  for (let index = start; index < taken.length; index += 1) {
    const one = taken[index]
    if (one?.kind !== 'pending') continue
    const { isWitnessed, parsed } = newestOf(one.entry)
    if (isWitnessed) taken[index] = { kind: 'witnessed', id: parsed.id }
  }
}

/** What became of it, now that its batch is through. */
export function outcomeOf(core: Core, taken: Taken): IngestOutcome {
  if (taken.kind !== 'pending') return taken
  const entry = newestOf(taken.entry)
  const { id } = entry.parsed
  if (entry.isWitnessed) return { kind: 'witnessed', id }
  if (entry.fault !== undefined) return { kind: 'invalid', code: entry.fault, id }
  // Evicted again by the limits: as if it had not come, so it waits for what it waited for.
  if (core.pool.get(entry.key) !== entry) return { kind: 'floating', id, reason: 'missing_causes', missing: [] }
  return { kind: 'floating', id, ...describeFloating(core, entry) }
}

/** The entry that stands for it now: the signed form of one that came without its signature. */
function newestOf(entry: FloatingEntry): FloatingEntry {
  let newest = entry
  while (newest.successor !== undefined) newest = newest.successor
  return newest
}
