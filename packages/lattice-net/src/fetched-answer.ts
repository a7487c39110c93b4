/**
 * Checks what a peer answers to `FetchIntentions`, intention by intention, before any of it is taken in.
 *
 * An honest peer answers from what it has witnessed, in causal order, with each run up to the signature that closes it. So
 * whatever was not asked for has to follow an unsigned intention on its chain; no cause comes after what it was asked for
 * with, though one may be gone there; and none comes twice. What holds together is handed on in whole runs: nothing stays that only a
 * signature still to come would vouch for. Bounded by one run.
 *
 * Pure and synchronous.
 *
 * @module
 */
import {
  causesOf,
  createIntentionReader,
  type Crypto,
  equalBytes,
  type IdKey,
  idKey,
  type IntentionId,
  intentionId,
  isSigned,
  MAX_RUN_LENGTH,
  type ParsedIntention,
  SIGNATURE_BYTES,
  type SignedIntention,
  verifyParsed,
} from '@lattice/model'

/** One intention of an answer. */
export interface FetchedIntention {
  readonly key: IdKey
  readonly parsed: ParsedIntention
  /** False for one that came along because it closes the run of one that was asked for. */
  readonly isAsked: boolean
}

/** The stable name of what is wrong with an answer. */
export type AnswerFault =
  | 'intention_substituted'
  | 'intention_repeated'
  | 'intention_bad_signature'
  | 'intention_malformed'
  | 'intentions_reordered'
  | 'intentions_withheld'
  | 'intentions_empty'

export type AnswerStep =
  /** Runs that are whole now, in the order in which they came. */
  | { readonly kind: 'runs'; readonly runs: readonly (readonly FetchedIntention[])[] }
  | { readonly kind: 'fault'; readonly fault: AnswerFault }

export interface FetchedAnswer {
  /** The next frame. After `last`, or a fault, the answer is over. */
  readonly take: (intentions: readonly SignedIntention[], last: boolean) => AnswerStep
  readonly asked: ReadonlySet<IdKey>
  /** What was asked for and has not come. */
  readonly pending: ReadonlySet<IdKey>
}

/** Starts to check the answer to a request for `ids`. */
export function createFetchedAnswer(crypto: Crypto, ids: readonly IntentionId[]): FetchedAnswer {
  const asked: ReadonlySet<IdKey> = new Set(ids.map(idKey))
  const pending = new Set(asked)
  // The store is handed what is read here, and need not read it again.
  const read = createIntentionReader(crypto)
  /** What came cites them, and they had not come: they may be gone where the log was cut. */
  const cited = new Set<IdKey>()
  let run: FetchedIntention[] = []

  function takeOne(signed: SignedIntention): AnswerFault | undefined {
    const result = read(signed)
    if (!result.ok) return faultOf(signed)
    const parsed = result.value
    const key = idKey(parsed.id)
    const isAsked = pending.has(key)
    if (!isAsked && asked.has(key)) return 'intention_repeated'
    const before = run.at(-1)
    const isNext = before !== undefined && equalBytes(parsed.intention.storePrev, before.parsed.id)
    if (!isAsked && !isNext) return 'intention_substituted'
    // Something else stands where the run goes on; unless it was changed before, what belongs here comes later.
    if (before !== undefined && !isNext) return isForeign(run) ? 'intention_substituted' : 'intentions_reordered'
    if (cited.has(key)) return 'intentions_reordered'
    for (const cause of causesOf(parsed.intention)) if (pending.has(idKey(cause))) cited.add(idKey(cause))
    if (run.length >= MAX_RUN_LENGTH) return 'intention_substituted'
    pending.delete(key)
    run.push({ key, parsed, isAsked })
    return undefined
  }
  /** What is wrong with one that cannot be read. */
  function faultOf({ bytes, signature }: SignedIntention): AnswerFault {
    const key = idKey(intentionId(crypto, bytes))
    const isAsked = pending.has(key)
    if (!isAsked && asked.has(key)) return 'intention_repeated'
    if (signature.length !== 0 && signature.length !== SIGNATURE_BYTES) return 'intention_bad_signature'
    return isAsked ? 'intention_malformed' : 'intention_substituted'
  }
  /** What was not asked for is believed to close a run only when its signature does. */
  function closes(): AnswerFault | undefined {
    const closer = run.at(-1)
    if (closer === undefined || !isForeign(run) || verifyParsed(crypto, closer.parsed)) return undefined
    return 'intention_bad_signature'
  }

  return {
    asked,
    pending,
    take: (intentions, last) => {
      if (intentions.length === 0 && !last) return { kind: 'fault', fault: 'intentions_empty' }
      const runs: (readonly FetchedIntention[])[] = []
      for (const signed of intentions) {
        const isLast = isSigned(signed)
        const fault = takeOne(signed) ?? (isLast ? closes() : undefined)
        if (fault !== undefined) return { kind: 'fault', fault }
        if (!isLast) continue
        runs.push(run)
        run = []
      }
      // Whoever has the beginning of a run has its end.
      if (last && run.length > 0) return { kind: 'fault', fault: 'intentions_withheld' }
      return { kind: 'runs', runs }
    },
  }
}

function isForeign(run: readonly FetchedIntention[]): boolean {
  return run.some(({ isAsked }) => !isAsked)
}
