/**
 * Where chains end below an epoch, by the plain definition over intentions, and as a foundation tells it.
 *
 * @module
 */
import {
  assert,
  causesOf,
  equalBytes,
  type Hash,
  idKey,
  type IdKey,
  isGenesis,
  type ParsedIntention,
  parseSignedIntention,
  type PublicKey,
} from '@lattice/model'
import { type ChainEnd, hashChainEnds } from '../src/chain-ends.ts'
import type { FoundationItem } from '../src/index.ts'
import { crypto } from './harness.ts'

interface Measured {
  readonly one: ParsedIntention
  readonly position: number
  readonly generation: number
}

/** `all`: whatever lies below the epoch, and others, causes first. */
export function modelChainEnds(all: readonly ParsedIntention[], epoch: ParsedIntention): Hash {
  const known = new Map<IdKey, Measured>()
  for (const one of all) {
    const causes = causesOf(one.intention).flatMap((id) => known.get(idKey(id)) ?? [])
    const prev = known.get(idKey(one.intention.storePrev))
    const generation = isGenesis(one.intention) ? 0 : 1 + Math.max(...causes.map((each) => each.generation))
    known.set(idKey(one.id), { one, position: prev === undefined ? 0 : prev.position + 1, generation })
  }
  const below = new Map<IdKey, Measured>()
  const waiting = [known.get(idKey(epoch.id))]
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    if (below.has(idKey(at.one.id))) continue
    below.set(idKey(at.one.id), at)
    if (!isGenesis(at.one.intention)) waiting.push(...causesOf(at.one.intention).map((id) => known.get(idKey(id))))
  }
  const goneOn = new Set(
    [...below.values()].flatMap(({ one: { intention } }) => {
      const prev = below.get(idKey(intention.storePrev))
      return prev !== undefined && equalBytes(prev.one.intention.author, intention.author) ? [idKey(prev.one.id)] : []
    }),
  )
  const ends = [...below].flatMap(([key, { one, position, generation }]): readonly ChainEnd[] => {
    const { author, timestamp } = one.intention
    return goneOn.has(key) ? [] : [{ author, id: one.id, position, generation, timestamp }]
  })
  return hashChainEnds(crypto, ends)
}

/** What those who vouch for it would sign. */
export function toldChainEnds(items: readonly FoundationItem[]): Hash {
  const authors = items.flatMap((item): readonly PublicKey[] => (item.kind === 'author' ? [item.key] : []))
  const lanes = items.filter((item) => item.kind === 'lane')
  const isGoneOn = (lane: (typeof lanes)[number], number: number): boolean =>
    lanes.some(
      ({ author, parent }) => author === lane.author && parent?.lane === number && parent.position === lane.head,
    )
  const ends = items.flatMap((item): readonly ChainEnd[] => {
    if (item.kind !== 'anchor' && item.kind !== 'spine' && item.kind !== 'closing') return []
    const { place } = item
    const lane = lanes[place.lane]
    const author = lane && authors[lane.author]
    if (lane?.head !== place.position || author === undefined || isGoneOn(lane, place.lane)) return []
    return [{ author, position: place.position, generation: place.generation, ...readOf(item) }]
  })
  return hashChainEnds(crypto, ends)
}

function readOf(
  item: Extract<FoundationItem, { kind: 'anchor' | 'spine' | 'closing' }>,
): Pick<ChainEnd, 'id' | 'timestamp'> {
  if (item.kind === 'anchor') return { id: item.id, timestamp: item.timestamp }
  const parsed = parseSignedIntention(crypto, item.kind === 'spine' ? item.record : item.intention)
  assert(parsed.ok, 'it is an intention')
  return { id: parsed.value.id, timestamp: parsed.value.intention.timestamp }
}
