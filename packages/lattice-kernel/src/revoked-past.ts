/**
 * What a peer that an epoch removed may still be shown: that epoch and what is in its past, so that it learns of it.
 *
 * What an intention has in its past is, on every lane, all up to one position. So what is to be shown is a stretch of each
 * lane, found by a look-up; it is read record by record as it is sent, and nothing of it is held.
 *
 * @module
 */
import { compareBytes, equalBytes, type IntentionId, type PublicKey, type SignedIntention } from '@lattice/model'
import type { Cutoff } from '@lattice/store-base'
import { closingRun } from './closing-run.ts'
import type { IntentionMeta } from './log-entry.ts'
import type { LogStore } from './log-store.ts'

/** Reads on where the read before ended. */
export interface PastReader {
  /** Causes first, runs closed, about `maxBytes` (at least one run); empty at the end. */
  readonly next: (maxBytes: number) => readonly SignedIntention[]
}

/** The shapes are those of the network's port. */
export interface RevokedPast {
  /** The epochs that took all from the peer, sorted; empty for any other, and for one that was admitted again. */
  readonly revokedBy: (peer: PublicKey) => readonly IntentionId[]
  /**
   * What tells what the peer may: these, the epochs that took some of its rights, and the admissions that gave them back; the
   * latest first, so that the first have most of the others in their past. What it did at the same time as one of them may be
   * void by it.
   */
  readonly recordsAbout: (peer: PublicKey) => readonly IntentionId[]
  /** Who admitted the peer again after an epoch took rights from it. */
  readonly readmittedBy: (peer: PublicKey) => readonly PublicKey[]
  /**
   * Who removed the peer although an epoch of its own would be decided first: what it holds against them may void that, where
   * history is not cut above it.
   */
  readonly juniorsAgainst: (peer: PublicKey) => readonly PublicKey[]
  /** True where history is cut above all that removed the peer: nothing that it holds against that is taken in. */
  readonly isOutForGood: (peer: PublicKey) => boolean
  /** Reads these intentions and all in their past, without `known` and what is in theirs. Ids that are not here are passed over. */
  readonly readPast: (of: readonly IntentionId[], known: readonly IntentionId[]) => PastReader
  /** Where the chains of all authors end here, at most so many. */
  readonly tipIds: (max: number) => readonly IntentionId[]
}

type PastLog = Pick<
  LogStore,
  'path' | 'reader' | 'entryAt' | 'find' | 'reach' | 'authors' | 'counted' | 'book' | 'base' | 'removals'
>

export function createRevokedPast(log: PastLog, self: PublicKey): RevokedPast {
  function revokedBy(peer: PublicKey): readonly IntentionId[] {
    const shown = equalBytes(peer, self) ? log.removals.now() : undefined
    return shown === undefined ? byRecords(peer) : sortedIds([...byRecords(peer), shown.epoch])
  }
  function byRecords(peer: PublicKey): readonly IntentionId[] {
    const whole = cutoffsHere(peer).filter(
      ({ remains, readmissions }) => remains === 'none' && readmissions.length === 0,
    )
    return sortedIds(whole.map(({ epoch }) => epoch))
  }
  /** It lies where history begins, or below: it is in the state that all go on from, whatever comes up against it. */
  function isCut(epoch: IntentionId): boolean {
    const place = log.find(epoch)
    return place !== undefined && (log.base.isBelow(place) || place.seq === log.base.fromSeq())
  }
  function cutoffsHere(peer: PublicKey): readonly Cutoff[] {
    if (log.book.lastSeq() === 0) return []
    return log.book
      .view()
      .cutoffsOf(peer)
      .filter(({ epoch }) => log.find(epoch) !== undefined)
  }
  return {
    revokedBy,
    recordsAbout: (peer) => {
      const ids = cutoffsHere(peer).flatMap(({ epoch, readmissions }) => [epoch, ...readmissions])
      const seqOf = (id: IntentionId): number => log.find(id)?.seq ?? 0
      return sortedIds(ids).toSorted((a, b) => seqOf(b) - seqOf(a))
    },
    readmittedBy: (peer) => {
      const admissions = cutoffsHere(peer).flatMap(({ readmissions }) =>
        readmissions.flatMap((id) => log.find(id) ?? []),
      )
      const authors = new Set(admissions.map(({ author }) => author))
      return [...authors].map((author) => log.authors.byNumber(author).key)
    },
    juniorsAgainst: (peer) => {
      const mayBeVoid = revokedBy(peer).filter((id) => !isCut(id) && log.book.view().mayOutrank(peer, id))
      return mayBeVoid.flatMap((id) => log.book.epochOf(id)?.record.author ?? [])
    },
    isOutForGood: (peer) => {
      const removals = revokedBy(peer)
      return removals.length > 0 && removals.every(isCut)
    },
    readPast: (of, known) => createPastReader(log, of, known),
    tipIds: (max) => {
      const ids: IntentionId[] = []
      for (const author of log.counted.all()) {
        for (const { id } of log.counted.tipsOf(author)) {
          if (ids.length >= max) return ids
          ids.push(id)
        }
      }
      return ids
    },
  }
}

/** Where the reading of a lane is. */
interface Stretch {
  readonly lane: number
  readonly last: number
  position: number
  seq: number
}

function createPastReader(log: PastLog, of: readonly IntentionId[], known: readonly IntentionId[]): PastReader {
  let open = stretchesOf(log, of, known)
  return {
    next: (maxBytes) => {
      const intentions: SignedIntention[] = []
      for (let bytes = 0; bytes < maxBytes || intentions.length === 0;) {
        const first = earliest(open)
        if (first === undefined) break
        const entry = log.entryAt(first.seq)
        for (const { parsed } of [entry, ...closingRun(log, entry)]) {
          intentions.push(parsed)
          bytes += parsed.bytes.length + parsed.signature.length
          first.position += 1
        }
        if (first.position <= first.last) first.seq = log.reach.seqAt(first.lane, first.position)
        else open = open.filter((stretch) => stretch !== first)
      }
      return intentions
    },
  }
}

function stretchesOf(log: PastLog, of: readonly IntentionId[], known: readonly IntentionId[]): readonly Stretch[] {
  const ends = highestOn(log, of)
  const held = highestOn(log, known)
  const stretches: Stretch[] = []
  for (const [lane, last] of ends) {
    const { parent } = log.authors.lane(lane)
    const begin = parent === undefined ? 0 : parent.position + 1
    // What a prune took cannot be shown; of the spine the epochs are, one by one.
    const position = Math.max(begin, (held.get(lane) ?? -1) + 1, log.base.lastOf(lane) + 1)
    if (position <= last) stretches.push({ lane, last, position, seq: log.reach.seqAt(lane, position) })
  }
  return stretches
}

/** On each lane the highest position that is one of these or in the past of one. */
function highestOn({ find, reach }: PastLog, ids: readonly IntentionId[]): ReadonlyMap<number, number> {
  const highest = new Map<number, number>()
  const isCovered = ({ lane, position }: IntentionMeta): boolean => (highest.get(lane) ?? -1) >= position
  // The latest first: most of the others are in its past, and are passed over.
  const places = ids.flatMap((id) => find(id) ?? []).sort((a, b) => b.seq - a.seq)
  for (const place of places) {
    if (isCovered(place)) continue
    for (const [lane, position] of reach.vectorOf(place)) {
      if (position > (highest.get(lane) ?? -1)) highest.set(lane, position)
    }
  }
  return highest
}

/** What comes first in the log has none of the others in its past. */
function earliest(stretches: readonly Stretch[]): Stretch | undefined {
  let first = stretches[0]
  for (const stretch of stretches) if (first === undefined || stretch.seq < first.seq) first = stretch
  return first
}

function sortedIds(ids: readonly IntentionId[]): readonly IntentionId[] {
  const sorted = ids.toSorted(compareBytes)
  return sorted.filter((id, index) => index === 0 || !equalBytes(id, sorted[index - 1] ?? id))
}
