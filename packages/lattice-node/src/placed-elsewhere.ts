/**
 * Causes that nobody gives this node any more, and that others have placed.
 *
 * Who cut a log knows of what is gone the places that what it keeps refers to. One who cut without something that was written
 * beside the cut cannot place it when it comes: what it cites is gone everywhere. Those who took it in before they cut go on
 * upon it, and then nothing of theirs can be placed here either. That several of them did shows that the places are known, or
 * that the only other did: the word of its author alone shows nothing.
 *
 * @module
 */
import { type FloatingIntention, QUORUM } from '@lattice/kernel'
import { causesOf, idKey, type IdKey, type IntentionId, type PublicKey } from '@lattice/model'

/** Looks from one floating intention to another, of one question: beyond it the rest is left for the next. */
const LOOKS_MAX = 65_536

/**
 * The causes that are missing of what `QUORUM` at least of the other `writers` built upon, beside an author of what lacks them,
 * or the only one that there is, `by` among them. `floating`: as the kernel tells it.
 */
export function placedElsewhere(
  floating: readonly FloatingIntention[],
  { by, writers }: { readonly by: PublicKey; readonly writers: readonly PublicKey[] },
): readonly IntentionId[] {
  const citing = citations(floating)
  const keys = writers.map(idKey)
  let looks = 0

  /** Who built upon the cause, at any distance; undefined where that takes too many looks. */
  function buildersOn(cause: IdKey): ReadonlySet<IdKey> | undefined {
    const builders = new Set<IdKey>()
    const seen = new Set<IdKey>([cause])
    for (const key of seen) {
      for (const next of citing.get(key) ?? []) {
        looks += 1
        if (looks > LOOKS_MAX) return undefined
        seen.add(idKey(next.id))
        builders.add(idKey(next.intention.author))
      }
    }
    return builders
  }
  function isBorneOut(builders: ReadonlySet<IdKey>, author: IdKey): boolean {
    const others = keys.filter((key) => key !== author)
    const least = Math.max(1, Math.min(QUORUM, others.length))
    const count = others.filter((key) => builders.has(key)).length
    return author !== idKey(by) && builders.has(idKey(by)) && count >= least
  }

  const causes = new Map<IdKey, IntentionId>()
  const known = new Map<IdKey, ReadonlySet<IdKey>>()
  for (const { parsed, missing } of floating) {
    for (const id of missing) {
      const key = idKey(id)
      const builders = known.get(key) ?? buildersOn(key)
      if (builders === undefined) return [...causes.values()]
      known.set(key, builders)
      if (isBorneOut(builders, idKey(parsed.intention.author))) causes.set(key, id)
    }
  }
  return [...causes.values()]
}

type Parsed = FloatingIntention['parsed']

/** By cause, what cites it. */
function citations(floating: readonly FloatingIntention[]): ReadonlyMap<IdKey, readonly Parsed[]> {
  const citing = new Map<IdKey, Parsed[]>()
  for (const { parsed } of floating) {
    for (const cause of causesOf(parsed.intention)) {
      const known = citing.get(idKey(cause))
      if (known === undefined) citing.set(idKey(cause), [parsed])
      else known.push(parsed)
    }
  }
  return citing
}
