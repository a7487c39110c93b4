/**
 * How state was made where writes are limited: what was left out of it, what was applied as a writer's, which epochs had no
 * effect.
 *
 * State follows from the records and the cuts, so a change of the cuts asks for another state only where it concerns what
 * is applied already. That is compared span by span, a few records at a time where they have to be read; what is kept with
 * state on the disk is a digest of it, so that a crash between a change of the cuts and the new state is noticed.
 *
 * @module
 */
import { type Crypto, equalBytes, type IntentionId, utf8Encode } from '@lattice/model'
import { type AppliedSpan, appliedSpans, type CutoffSpan, spanAt } from './cutoff-spans.ts'
import type { Cuts } from './excluded-set.ts'
import type { Lane } from './lane-book.ts'
import type { IntentionMeta, LogEntry } from './log-entry.ts'

/** `void`: nothing happens. `writer`: as if its author's role were that of a writer. */
export type ApplyMode = 'full' | 'writer' | 'void'

/** Reads so many records at most; answers whether the state is the same, undefined while that is not known. */
export type Comparison = (limit: number) => boolean | undefined

export interface AppliedCuts {
  /** What holds now. */
  readonly now: () => Cuts
  /** How a record is applied. It need not be appended. */
  readonly modeOf: (cuts: Cuts, entry: LogEntry) => ApplyMode
  /** Whether state made of the records up to `seq` is the same with both. Of these none must go meanwhile. */
  readonly compare: (a: Cuts, b: Cuts, seq: number) => Comparison
  /** Tells cuts apart that make another state of the records up to `seq`; empty where nothing is cut. */
  readonly markOf: (cuts: Cuts, seq: number) => Uint8Array
  /** True for the mark of cuts that make the same state. */
  readonly isMarkOf: (mark: Uint8Array | undefined, cuts: Cuts, seq: number) => boolean
}

export interface AppliedCutsDeps {
  readonly crypto: Crypto
  readonly now: () => Cuts
  readonly lane: (number: number) => Pick<Lane, 'parent' | 'head'>
  readonly seqAt: (lane: number, position: number) => number
  /** True for what lies below the base of a pruned log. */
  readonly isBelow: (place: Pick<IntentionMeta, 'lane' | 'position'>) => boolean
  readonly firstKept: (lane: number) => number
  readonly entryAt: (seq: number) => LogEntry
  /** True for what is appended. */
  readonly isAppended: (entry: LogEntry) => boolean
  readonly follows: (entry: LogEntry, ancestor: IntentionId) => boolean
}

const NO_MARK = new Uint8Array(0)

export function createAppliedCuts(deps: AppliedCutsDeps): AppliedCuts {
  /** The last position of a lane among the records up to `seq`; -1 when there is none. */
  function lastOf(lane: number, seq: number): number {
    const { parent, head } = deps.lane(lane)
    if (head.seq <= seq) return head.position
    const first = Math.max(parent === undefined ? 0 : parent.position + 1, deps.firstKept(lane))
    let [low, high] = [first, head.position]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (deps.seqAt(lane, middle) > seq) high = middle
      else low = middle + 1
    }
    return low - 1
  }

  const spansTo = (cuts: Cuts, seq: number): readonly AppliedSpan[] =>
    cuts.spans.size === 0 ? [] : appliedSpans(cuts.spans, (lane) => lastOf(lane, seq))
  const faultyTo = (cuts: Cuts, seq: number): readonly number[] => cuts.faulty.filter((one) => one <= seq)

  /** Whether something in these positions is more than a writer may do. */
  function* isPrivileged(spans: readonly AppliedSpan[]): Generator<void, boolean, undefined> {
    for (const { lane, first, last } of spans) {
      for (let position = first; position <= last; position += 1) {
        // Of what is gone it is not known, so it counts as if it were.
        if (deps.isBelow({ lane, position })) return true
        if (deps.entryAt(deps.seqAt(lane, position)).parsed.op.kind === 'system') return true
        yield
      }
    }
    return false
  }

  function compare(a: Cuts, b: Cuts, seq: number): Comparison {
    if (a === b) return () => true
    if (faultyTo(a, seq).join(' ') !== faultyTo(b, seq).join(' ')) return () => false
    const [before, after] = [spansTo(a, seq), spansTo(b, seq)]
    const differing = [...notIn(before, after), ...notIn(after, before)]
    if (differing.some(({ kind }) => kind !== 'privileged')) return () => false
    const reading = isPrivileged(differing)
    let isSame: boolean | undefined
    return (limit) => {
      for (let read = 0; read < limit && isSame === undefined; read += 1) {
        const { done, value } = reading.next()
        if (done === true) isSame = !value
      }
      return isSame
    }
  }

  /** For a record that is about to be appended: of the others the span says it. */
  const isReadmitted = ({ readmissions }: CutoffSpan, entry: LogEntry): boolean =>
    readmissions.some((id) => deps.follows(entry, id))

  function markOf(cuts: Cuts, seq: number): Uint8Array {
    const spans = spansTo(cuts, seq)
    const faulty = faultyTo(cuts, seq)
    if (spans.length === 0 && faulty.length === 0) return NO_MARK
    return deps.crypto.blake3(utf8Encode([...spans.map(textOf), ...faulty].join('\n')))
  }

  return {
    now: deps.now,
    modeOf: ({ spans, faulty }, entry) => {
      const { meta, parsed } = entry
      // An epoch stands or does not, whatever its author's other writes come to.
      if (parsed.op.kind === 'epoch') return faulty.includes(meta.seq) ? 'void' : 'full'
      const span = spans.size === 0 ? undefined : spanAt(spans, meta.lane, meta.position)
      if (span === undefined || (!deps.isAppended(entry) && isReadmitted(span, entry))) return 'full'
      return span.kind === 'all' ? 'void' : 'writer'
    },
    compare,
    markOf,
    isMarkOf: (mark = NO_MARK, cuts, seq) => equalBytes(mark, markOf(cuts, seq)),
  }
}

function notIn(spans: readonly AppliedSpan[], others: readonly AppliedSpan[]): readonly AppliedSpan[] {
  const texts = new Set(others.map(textOf))
  return spans.filter((span) => !texts.has(textOf(span)))
}

function textOf({ lane, first, last, kind }: AppliedSpan): string {
  return `${lane} ${first} ${last} ${kind}`
}
