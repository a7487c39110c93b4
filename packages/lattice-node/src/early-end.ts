/**
 * Where this node's own chain ends among what came along and only waits for its time, as what was written while the clock was
 * ahead.
 *
 * What follows something that nobody takes any more, as an own write beyond a cutoff while this node is removed, is here in full
 * as well and waits for ever. What another wrote beyond one is taken as a link once its time has come, for what this node wrote upon it.
 *
 * @module
 */
import type { Kernel } from '@lattice/kernel'
import {
  causesOf,
  equalBytes,
  type IdKey,
  idKey,
  type IngestOutcome,
  type IntentionId,
  isSigned,
  type ParsedIntention,
} from '@lattice/model'

/** Of what was taken in, what is not in the log: also what had come before, from a peer, and waits. */
export function notWitnessed(
  kernel: Pick<Kernel, 'has'>,
  outcomes: readonly IngestOutcome[],
): readonly IngestOutcome[] {
  return outcomes.filter(({ kind, id }) => kind !== 'witnessed' && !(kind === 'duplicate' && id && kernel.has(id)))
}

/** `floating`: this node's own, causes first. Undefined where none of them comes by time alone. */
export function earlyEnd(
  kernel: Pick<Kernel, 'get' | 'missing'>,
  floating: readonly IntentionId[],
): IntentionId | undefined {
  const known = new Map<IdKey, boolean>()
  return floating.findLast((id) => {
    const stored = kernel.get(id)
    // One within a run comes with what vouches for it.
    return stored !== undefined && isSigned(stored.parsed) && comesByTime(kernel, known, stored.parsed)
  })
}

/** True for what is in the future, and what waits for nothing but that. What is known of others is kept. */
function comesByTime(
  kernel: Pick<Kernel, 'get' | 'missing'>,
  known: Map<IdKey, boolean>,
  { id, intention: { author: self } }: ParsedIntention,
): boolean {
  const open = [id]
  for (let at = open.at(-1); at !== undefined; at = open.at(-1)) {
    const stored = kernel.get(at)
    const isLink = stored?.floating === 'revoked' && !equalBytes(stored.parsed.intention.author, self)
    const waits = stored !== undefined && (isLink || stored.floating === 'missing_causes')
    const causes = waits ? kernel.missing(causesOf(stored.parsed.intention)) : []
    const unknown = causes.filter((cause) => !known.has(idKey(cause)))
    open.push(...unknown)
    if (unknown.length > 0) continue
    const isTimed = waits || stored?.floating === 'future'
    known.set(idKey(at), isTimed && causes.every((cause) => known.get(idKey(cause)) === true))
    open.pop()
  }
  return known.get(idKey(id)) === true
}
