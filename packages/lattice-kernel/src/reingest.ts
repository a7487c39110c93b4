/**
 * What an old log of a store holds that a new one, which begins at a base, does not have in what lies below it.
 *
 * A node that was away while the base came to be begins anew; of what it had, all that lies below the base is in the state.
 * The rest is taken in again: its own writes that nobody had, and what others had told it alone. The old log may not have
 * the base, so it is asked what it knows of what lies below: of each of those all the past does, and an author's chain as
 * far as the base has it.
 *
 * A write whose causes are gone can never be witnessed again. Of this node's own those are named: they can be submitted anew.
 *
 * @module
 */
import {
  causesOf,
  type Crypto,
  equalBytes,
  type Hlc,
  idKey,
  type IdKey,
  type IntentionId,
  isSigned,
  type PublicKey,
  type SignedIntention,
  type Signer,
  type StoreId,
  type UniversalOp,
} from '@lattice/model'
import type { MembershipPolicy } from '@lattice/store-base'
import { type Difference, differenceOf } from './downset.ts'
import type { Foundation } from './foundation-types.ts'
import type { Kernel } from './kernel-types.ts'
import type { LogEntry } from './log-entry.ts'
import { createLogStore, type LogStore } from './log-store.ts'
import { isMadeAgain } from './made-again.ts'
import { openLog } from './open-log.ts'
import { firstOf } from './over-early.ts'

export interface ReingestOptions {
  /** Holds the old log, which nobody else has open. */
  readonly directory: string
  readonly storeId: StoreId
  readonly crypto: Crypto
  /** Who wrote the old log, and whose writes are its own. */
  readonly signer: Signer
  readonly membership?: MembershipPolicy
  /** The new store. */
  readonly into: Pick<Kernel, 'foundation' | 'missing'>
}

/** One of this node's own writes that cannot be witnessed any more. */
export interface StrandedWrite {
  readonly id: IntentionId
  readonly timestamp: Hlc
  /** The payload as it was signed, and as it is read. */
  readonly ops: Uint8Array
  readonly op: UniversalOp
}

export interface Reingest {
  /** The epoch that the old log begins with, and its number; undefined where it has the whole history. */
  readonly base: () => { readonly epoch: IntentionId; readonly seq: bigint } | undefined
  /** To be ingested into the new store: causes first, runs closed, about `maxBytes` (at least one run); empty at the end. */
  readonly next: (maxBytes: number) => readonly SignedIntention[]
  /** How many there are to look at. */
  readonly left: () => number
  /** Own writes that are lost unless they are submitted anew, as far as `next` has come; without what is made again by itself. */
  readonly strandedCount: () => number
  readonly stranded: (after: number, limit: number) => readonly StrandedWrite[]
  /**
   * Whether any of this node's own intentions is among what cannot be witnessed, acknowledgements included. What lies below
   * the base is known by its positions where an author forked, so peers may have them all the same.
   */
  readonly isOwnChainCut: () => boolean
  /** Those of others, whose own nodes have them. */
  readonly strandedOfOthers: () => number
  readonly close: () => void
}

/** Entries looked at in one go. */
const PAGE = 64
/** Bytes of a foundation read at once. */
const FOUNDATION_PAGE_BYTES: number = 1024 * 1024

/** Throws `LogDamaged`, `DiskFull` or `StorageFailed`. */
export function openReingest(options: ReingestOptions): Reingest {
  const { directory, storeId, crypto, signer, membership, into } = options
  const { database, meta } = openLog({ directory, storeId, crypto, signer })
  let log: LogStore
  try {
    log = createLogStore({ database, crypto, signer, opened: meta, ...(membership && { membership }) })
  } catch (error) {
    database.close()
    throw error
  }
  try {
    return createReingest(log, { into, self: signer.publicKey })
  } catch (error) {
    log.close()
    throw error
  }
}

function createReingest(
  log: LogStore,
  { into, self }: Pick<ReingestOptions, 'into'> & { readonly self: PublicKey },
): Reingest {
  const below = belowOf(log, into.foundation())
  const difference = notBelow(log, below)
  const strandedSeqs = new Set<number>()
  const own: number[] = []
  let ofOthers = 0
  let isOwnCut = false
  const waiting: LogEntry[] = []

  function isGone(id: IntentionId): boolean {
    const place = log.find(id)
    if (place === undefined) return true
    if (place.position > (below.get(place.lane) ?? -1)) return strandedSeqs.has(place.seq)
    return into.missing([id]).length > 0
  }

  /** The next run; what is unsigned at the end of the log cannot be checked by anybody. */
  function nextRun(): readonly LogEntry[] {
    for (;;) {
      const end = waiting.findIndex(({ parsed }) => isSigned(parsed))
      if (end >= 0) return waiting.splice(0, end + 1)
      const more = difference.next(PAGE)
      if (more.length === 0) return waiting.splice(0)
      waiting.push(...more)
    }
  }

  /** Without what vouches for it no part of a run is of use. */
  function strand(run: readonly LogEntry[]): void {
    for (const { parsed, meta } of run) {
      strandedSeqs.add(meta.seq)
      const isOwn = equalBytes(parsed.intention.author, self)
      isOwnCut ||= isOwn
      if (!isOwn) ofOthers += 1
      else if (!isMadeAgain(parsed.op)) own.push(meta.seq)
    }
  }

  function next(maxBytes: number): readonly SignedIntention[] {
    const part: SignedIntention[] = []
    for (let bytes = 0; bytes < maxBytes;) {
      const run = nextRun()
      if (run.length === 0) break
      const ids = new Set<IdKey>(run.map(({ parsed }) => idKey(parsed.id)))
      const lacks = run.some(({ parsed }) => causesOf(parsed.intention).some((id) => !ids.has(idKey(id)) && isGone(id)))
      if (lacks) {
        strand(run)
        continue
      }
      for (const { parsed } of run) {
        part.push(parsed)
        bytes += parsed.bytes.length + parsed.signature.length
      }
    }
    return part
  }

  return {
    base: () => baseOf(log),
    next,
    left: () => difference.size() + waiting.length,
    strandedCount: () => own.length,
    stranded: (after, limit) =>
      own.slice(after, after + limit).map((seq) => {
        const { id, op, intention } = log.entryAt(seq).parsed
        return { id, op, ops: intention.ops, timestamp: intention.timestamp }
      }),
    isOwnChainCut: () => isOwnCut,
    strandedOfOthers: () => ofOthers,
    close: log.close,
  }
}

function baseOf({ base, book }: LogStore): ReturnType<Reingest['base']> {
  const epoch = base.epoch()
  const found = epoch && book.epochOf(epoch)
  return found && { epoch, seq: found.record.op.value.seq }
}

/** By lane of the old log, up to where it lies below the base; as far as that can be known. */
function belowOf(log: LogStore, foundation: Foundation | undefined): ReadonlyMap<number, number> {
  const below = new Map<number, number>()
  const note = (lane: number, position: number): void => {
    if (position > (below.get(lane) ?? -1)) below.set(lane, position)
  }
  const authors: PublicKey[] = []
  /** By author, the highest position that the base has. */
  const reached: number[] = []
  const noteKnown = (id: IntentionId): void => {
    const place = log.find(id)
    if (place === undefined) return
    for (const [lane, position] of log.reach.vectorOf(place)) note(lane, position)
  }
  for (let at = 0; foundation !== undefined && at < foundation.items;) {
    for (const item of foundation.read(at, FOUNDATION_PAGE_BYTES)) {
      at += 1
      if (item.kind === 'author') authors.push(item.key)
      else if (item.kind === 'lane') reached[item.author] = Math.max(reached[item.author] ?? -1, item.head)
      else if (item.kind === 'anchor') noteKnown(item.id)
    }
  }
  // The base has the chains of authors who did not fork as far as it says; what forked there, nobody here can place.
  for (const [number, key] of authors.entries()) {
    for (const lane of log.authors.find(key)?.lanes ?? []) {
      const { parent, head } = log.authors.lane(lane)
      const last = Math.min(head.position, reached[number] ?? -1)
      if (last >= firstOf({ parent })) note(lane, last)
    }
  }
  if (foundation !== undefined) noteKnown(foundation.base)
  return below
}

/** What the base itself is, where the old log has it, is not below it; it is in the new log, and a duplicate there. */
function notBelow(log: LogStore, below: ReadonlyMap<number, number>): Difference {
  const lanes = log.authors.lanes().flatMap(({ number: lane, parent, head }) => {
    const first = Math.max(firstOf({ parent }), (below.get(lane) ?? -1) + 1, log.base.lastOf(lane) + 1)
    return first > head.position ? [] : [{ lane, first, last: head.position }]
  })
  return differenceOf(log, { all: { lanes } })
}
