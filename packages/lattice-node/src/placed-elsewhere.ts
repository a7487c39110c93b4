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
 * The causes that are missing of what `QUORUM` at least of the other `writers` built upon, beside its author, or the only one
 * that there is, `by` among them. `floating`: as the kernel tells it.
 */
export function placedElsewhere(
  floating: readonly FloatingIntention[],
  { by, writers }: { readonly by: PublicKey; readonly writers: readonly PublicKey[] },
): readonly IntentionId[] {
  const citing = citations(floating)
  const causes = new Map<IdKey, IntentionId>()
  let looks = 0
  for (const { parsed, missing } of floating) {
    if (missing.length === 0) continue
    const builders = new Set<IdKey>()
    const seen = new Set<IdKey>([idKey(parsed.id)])
    for (const key of seen) {
      for (const next of citing.get(key) ?? []) {
        looks += 1
        if (looks > LOOKS_MAX) return [...causes.values()]
        seen.add(idKey(next.id))
        builders.add(idKey(next.intention.author))
      }
    }
    const author = idKey(parsed.intention.author)
    builders.delete(author)
    const others = writers.map(idKey).filter((key) => key !== author)
    const least = Math.max(1, Math.min(QUORUM, others.length))
    if (builders.has(idKey(by)) && others.filter((key) => builders.has(key)).length >= least)
      for (const id of missing) causes.set(idKey(id), id)
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
