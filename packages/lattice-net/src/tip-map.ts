/**
 * Tip maps: where every author's chain ends, from which two sides that hold no forks know their exact difference.
 *
 * What is witnessed is closed under causes, so without forks a set is nothing but the beginnings of chains, and two sets
 * differ in their ends alone. That holds only for what is true: a map is compared with what its sender says its set adds
 * up to, and with this side's own chains wherever it speaks of them. Whatever does not fit is no error, since an author
 * may have forked between the two sides; it is compared by ranges, which assume nothing. Over a base the same holds: both
 * have all that is below it, or had.
 *
 * Work is bounded by the number of authors: a position is looked up, never counted to.
 *
 * @module
 */
import { compareBytes, equalBytes, type IdKey, idKey, readIntentionId, readPublicKey } from '@lattice/model'
import type { ChainSpan, ChainTip } from '@lattice/net-types'
import type { net } from '@lattice/proto'
import { type FrameInit, readCount } from './frame.ts'
import { MAX_TIP_AUTHORS } from './limits.ts'
import type { BasedStore } from './session-base.ts'
import type { SessionStore } from './session-call.ts'

/** A map together with the number of intentions its sender says it holds. */
export interface TipMap {
  readonly tips: readonly ChainTip[]
  readonly witnessCount: number
  /** Of the chains' beginnings, what the set that is compared leaves out: what is below its base. */
  readonly goneCount: number
}

type FieldsOfHello = Extract<FrameInit, { case: 'hello' }>['value']

/** What two maps tell. */
export interface TipDifference {
  /** What only this side holds. */
  readonly spans: readonly ChainSpan[]
  /** How many intentions only the peer holds. */
  readonly need: number
}

/** This side's map; undefined where it would not tell what is here: forks, too many authors, history cut away. */
export function ownTipMap({ store, goneCount }: BasedStore, witnessCount: number): TipMap | undefined {
  const tips = store.chainTips(MAX_TIP_AUTHORS)
  const map = tips === undefined ? undefined : { tips, witnessCount, goneCount }
  return map !== undefined && addsUp(map) ? map : undefined
}

export function tipMapFields({ tips }: TipMap): Pick<FieldsOfHello, 'tips' | 'hasTipMap'> {
  return { hasTipMap: true, tips: tips.map(({ author, position, id }) => ({ author, position: BigInt(position), id })) }
}

/** Reads a map; undefined when it is none: too long, unsorted or repeated authors, fields out of their range. */
export function readTips(tips: readonly net.Tip[]): readonly ChainTip[] | undefined {
  if (tips.length > MAX_TIP_AUTHORS) return undefined
  const read: ChainTip[] = []
  for (const tip of tips) {
    const author = readPublicKey(tip.author)
    const position = readCount(tip.position)
    const id = readIntentionId(tip.id)
    if (author === undefined || position === undefined || id === undefined) return undefined
    const last = read.at(-1)
    if (last !== undefined && compareBytes(last.author, author) >= 0) return undefined
    read.push({ author, position, id })
  }
  return read
}

/** What this side holds and the peer lacks, and how much the other way; undefined when the maps do not tell. */
export function compareTips(store: SessionStore, own: TipMap, theirs: TipMap): TipDifference | undefined {
  if (!addsUp(theirs)) return undefined
  // Whoever holds anything holds the genesis, at position 0.
  const nowhere = theirs.tips.length === 0 ? -1 : 0
  const ends = new Map<IdKey, ChainTip>(theirs.tips.map((tip) => [idKey(tip.author), tip]))
  const spans: ChainSpan[] = []
  let have = nowhere === -1 && own.tips.length > 0 ? 1 : 0
  for (const { author, position, id } of own.tips) {
    const end = ends.get(idKey(author))
    if (end !== undefined && end.position <= position) {
      const same = end.position === position ? id : store.chainId(author, end.position)
      if (same === undefined || !equalBytes(same, end.id)) return undefined
    }
    const after = end?.position ?? nowhere
    if (after >= position) continue
    spans.push({ author, after, through: position })
    have += position - Math.max(after, 0)
  }
  // Both maps add up, so what both hold is the same from either side.
  const need = theirs.witnessCount - (own.witnessCount - have)
  // Without a difference the sets would be the same, and they are not: one of the two says what is not so.
  return have === 0 && need === 0 ? undefined : { spans, need }
}

/** True when the chains of a map are as long in all as the set is large, the genesis and what is gone included. */
function addsUp({ tips, witnessCount, goneCount }: TipMap): boolean {
  if (tips.length === 0) return witnessCount === 0 && goneCount === 0
  const positions = tips.reduce((sum, { position }) => sum + position, 0)
  return positions < Number.MAX_SAFE_INTEGER && positions + 1 === witnessCount + goneCount
}
