/**
 * A part of a batch on its way in: read from its bytes, its signatures verified here or elsewhere, then admitted.
 *
 * A slice ends on a signed intention where it can, so that runs are whole when they are admitted, and is bounded in
 * intentions, bytes and signatures, so that what is on its way stays small.
 *
 * @module
 */
import {
  createIntentionReader,
  equalBytes,
  type IdKey,
  idKey,
  type IngestOutcome,
  isGenesis,
  isSigned,
  type ParsedIntention,
  type SignedIntention,
  toIntentionId,
  verifyParsed,
} from '@lattice/model'
import type { Core } from './core.ts'
import { branchesFrom, lanesOf } from './fork-siblings.ts'

/** One that its bytes do not decide: new here, or not known yet. */
export interface Candidate {
  readonly kind: 'candidate'
  readonly parsed: ParsedIntention
  readonly key: IdKey
  /** It may be witnessed by the time it is admitted: it floats, or is on its way already. */
  readonly isContested: boolean
  /** Whether its signature is good; undefined while nobody looked. */
  isAuthentic: boolean | undefined
}

export interface Slice {
  readonly items: (IngestOutcome | Candidate)[]
  /** Those whose signature is to be verified. */
  readonly signed: Candidate[]
  bytes: number
  /** Signatures in it, also those that are looked at only if it comes to that. */
  signatures: number
  /** It ends here: what follows in the batch is in another. */
  isComplete: boolean
  /** Settles when its signatures are verified; undefined where nobody is asked, or all is answered. */
  verifying: Promise<void> | undefined
}

/** Intentions after which a slice ends with the next run: some commits' worth. */
const SLICE_RECORDS = 512
/** It never holds more, whatever is signed. */
const SLICE_RECORDS_MAX = 1024
/** Bytes after which a slice ends: what is on its way in is copied. */
const SLICE_BYTES = 512 * 1024
/** Signatures after which a slice ends: a task of a few milliseconds. */
const SLICE_SIGNATURES = 64

export function createSlice(): Slice {
  return { items: [], signed: [], bytes: 0, signatures: 0, isComplete: false, verifying: undefined }
}

/** Reads intentions into slices. */
export interface SliceReader {
  /** Reads one more of a batch into `slice`. */
  readonly read: (slice: Slice, item: SignedIntention) => void
  /** Verifies in place what nobody looked at. */
  readonly verifyNow: (candidate: Candidate) => boolean
  /** Forgets that the slice is on its way. */
  readonly release: (slice: Slice) => void
}

export function createSliceReader(core: Core): SliceReader {
  const { crypto, storeId } = core.options
  // What nobody has read yet is copied: the bytes of a batch are parts of large frames, and belong to the caller.
  const read = createIntentionReader(crypto)
  // How often what is on its way is on its way.
  const onTheWay = new Map<IdKey, number>()

  function readOne(item: SignedIntention): IngestOutcome | Candidate {
    const result = read(item)
    if (!result.ok) return { kind: 'invalid', code: result.error.code, id: undefined }
    const parsed = result.value
    const { id } = parsed
    if (isGenesis(parsed.intention) && !equalBytes(id, storeId)) return { kind: 'invalid', code: 'foreign_genesis', id }
    // What is later than all that is witnessed is not among it; it may still fork what is gone.
    const isLater = parsed.intention.timestamp.wall > core.log.meta().highestWall
    if ((!isLater && core.log.find(id) !== undefined) || isPruned(core, parsed)) return { kind: 'duplicate', id }
    const key = idKey(id)
    const others = onTheWay.get(key) ?? 0
    onTheWay.set(key, others + 1)
    const isContested = others > 0 || core.pool.get(key) !== undefined
    return { kind: 'candidate', parsed, key, isContested, isAuthentic: undefined }
  }

  return {
    read: (slice, item) => {
      const arrived = readOne(item)
      slice.items.push(arrived)
      slice.bytes += item.bytes.length
      const isRunEnd = isSigned(item)
      if (isRunEnd) slice.signatures += 1
      // What is here already is most often a duplicate: if it turns out to be news, its signature is looked at then.
      if (arrived.kind === 'candidate' && isRunEnd && !arrived.isContested) slice.signed.push(arrived)
      slice.isComplete =
        slice.items.length >= SLICE_RECORDS_MAX ||
        (isRunEnd && slice.items.length >= SLICE_RECORDS) ||
        slice.signatures >= SLICE_SIGNATURES ||
        slice.bytes >= SLICE_BYTES
    },
    verifyNow: (candidate) => (candidate.isAuthentic ??= verifyParsed(crypto, candidate.parsed)),
    release: ({ items }) => {
      for (const item of items) {
        if (item.kind !== 'candidate') continue
        const count = onTheWay.get(item.key) ?? 0
        if (count > 1) onTheWay.set(item.key, count - 1)
        else onTheWay.delete(item.key)
      }
    },
  }
}

/**
 * True for what goes on from a place below the base of a pruned log where something did that is not known any more: the very
 * intention is gone, or it forks what is. It was here once, or comes too late for anybody.
 */
function isPruned({ log }: Core, { intention }: ParsedIntention): boolean {
  const { base } = log
  if (base.epoch() === undefined) return false
  const parent = log.find(toIntentionId(intention.storePrev))
  const author = log.authors.find(intention.author)
  if (parent === undefined || author === undefined || !base.isBelow(parent)) return false
  const lanes = lanesOf(log.authors, author.number)
  const branches = branchesFrom(lanes, { author: author.number, parent }, base.lastOf)
  return branches.some((branch) => !base.isAnchored(branch))
}
