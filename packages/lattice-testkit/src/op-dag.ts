/**
 * Random histories as replicas see them: a DAG of operations by several
 * authors, and the orders in which it may be applied.
 *
 * The histories are legal, and otherwise unkind: authors branch off anywhere,
 * fork their own chains, write at equal times, repeat themselves, and cite some
 * of what they have seen or nothing.
 *
 * @module
 */
import {
  assert,
  compareBytes,
  compareHlc,
  equalBytes,
  type Hlc,
  type IdKey,
  idKey,
  type IntentionId,
  type PublicKey,
  toIntentionId,
  toPublicKey,
} from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import * as fc from 'fast-check'

export interface DagOp<Content> {
  readonly id: IntentionId
  readonly author: PublicKey
  readonly timestamp: Hlc
  /** Sorted, unique, not empty but for the genesis. */
  readonly deps: readonly IntentionId[]
  readonly follows: (ancestor: IntentionId) => boolean
  /** What it cites: there are no epochs here. */
  readonly covers: (id: IntentionId) => boolean
  readonly content: Content
}

/** Everybody who may author; the first is the creator. */
export const DAG_AUTHORS: readonly PublicKey[] = Array.from({ length: 8 }, (_, index) =>
  toPublicKey(new Uint8Array(32).fill(index + 1)),
)

/** What the generator draws for one operation; numbers are reduced to what is there. */
interface Draw<Content> {
  readonly author: number
  readonly content: Content
  /** Which operations it cites, counted back from the newest. */
  readonly cited: readonly number[]
  /** Goes on from an older operation of its author than the last. */
  readonly forks: boolean
  /** Says again, at the same time where it can, what the operation so far back said. */
  readonly repeats: number | undefined
  readonly waitMs: number
}

export interface DagPlan<Content> {
  readonly draws: readonly Draw<Content>[]
  /** Ids come from here, so that their order is unrelated to time. */
  readonly seed: number
}

/** Plans of up to `maxOps` operations after the genesis. A plan is plain data, so a counterexample can be read. */
export function dagPlans<Content>(
  contents: fc.Arbitrary<Content>,
  { maxOps, authors }: { readonly maxOps: number; readonly authors: number },
): fc.Arbitrary<DagPlan<Content>> {
  assert(authors >= 1 && authors <= DAG_AUTHORS.length, 'there are as many authors as asked for')
  // The newest more often: what nobody builds on decides little.
  const back = fc.oneof(fc.nat({ max: Math.min(2, maxOps) }), fc.nat({ max: maxOps }))
  const draw: fc.Arbitrary<Draw<Content>> = fc.record({
    author: fc.nat({ max: authors - 1 }),
    content: contents,
    cited: fc.array(back, { maxLength: 4, size: 'max' }),
    // Not so often that no chain becomes long.
    forks: fc.nat({ max: 4 }).map((pick) => pick === 4),
    repeats: fc.option(fc.nat({ max: 4 }), { nil: undefined, freq: 4 }),
    waitMs: fc.nat({ max: 2 }),
  })
  return fc.record({ draws: fc.array(draw, { maxLength: maxOps, size: 'max' }), seed: fc.nat() })
}

export interface OpDag<Content> {
  readonly genesis: DagOp<undefined>
  /** In one causal order, without the genesis. */
  readonly ops: readonly DagOp<Content>[]
  /** A causal order of `ops` that `seed` chooses. */
  readonly order: (seed: number) => readonly DagOp<Content>[]
}

interface Node {
  readonly op: DagOp<unknown>
  /** Indices of the causes, the genesis being 0. */
  readonly causes: ReadonlySet<number>
  readonly past: ReadonlySet<IdKey>
}

/** Builds the history a plan describes. */
export function buildDag<Content>({ draws, seed }: DagPlan<Content>): OpDag<Content> {
  const random = createSeededRandom(seed)
  const [creator] = DAG_AUTHORS
  assert(creator !== undefined, 'there is a creator')
  const genesis: DagOp<undefined> = {
    id: toIntentionId(random.bytes(32)),
    author: creator,
    timestamp: { wall: 1000, counter: 0 },
    deps: [],
    follows: () => false,
    covers: () => false,
    content: undefined,
  }
  const nodes: Node[] = [{ op: genesis, causes: new Set(), past: new Set() }]
  const ops: DagOp<Content>[] = []
  for (const draw of draws) {
    const repeated = draw.repeats === undefined ? undefined : ops.at(-1 - draw.repeats)
    const author = repeated?.author ?? DAG_AUTHORS[draw.author] ?? creator
    const content = repeated === undefined ? draw.content : repeated.content
    const cited = draw.cited.filter((back) => back < nodes.length).map((back) => nodes.length - 1 - back)
    const previous = previousOf(nodes, author, draw.forks)
    const causes = new Set(cited.length === 0 ? [previous] : [previous, ...cited])
    const deps = idsOf(nodes, cited.length === 0 ? [previous] : cited)
    const op: DagOp<Content> = {
      id: toIntentionId(random.bytes(32)),
      author,
      timestamp: timestampAfter(nodes, causes, { waitMs: draw.waitMs, wanted: repeated?.timestamp }),
      deps,
      follows: (ancestor) => past.has(idKey(ancestor)),
      covers: (other) => deps.some((dep) => equalBytes(dep, other)),
      content,
    }
    const past = pastOf(nodes, causes)
    nodes.push({ op, causes, past })
    ops.push(op)
  }
  return { genesis, ops, order: (orderSeed) => causalOrder(nodes, orderSeed).map((index) => itemAt(ops, index - 1)) }
}

/** The author's own cause: its last operation, when it forks its first, and the genesis when it has none. */
function previousOf(nodes: readonly Node[], author: PublicKey, forks: boolean): number {
  const own = nodes.flatMap(({ op }, index) => (index > 0 && op.author === author ? [index] : []))
  return (forks ? own[0] : own.at(-1)) ?? 0
}

function pastOf(nodes: readonly Node[], causes: ReadonlySet<number>): ReadonlySet<IdKey> {
  const past = new Set<IdKey>()
  for (const index of causes) {
    const { op, past: older } = itemAt(nodes, index)
    past.add(idKey(op.id))
    for (const id of older) past.add(id)
  }
  return past
}

function timestampAfter(
  nodes: readonly Node[],
  causes: ReadonlySet<number>,
  { waitMs, wanted }: { readonly waitMs: number; readonly wanted: Hlc | undefined },
): Hlc {
  const times = [...causes].map((index) => itemAt(nodes, index).op.timestamp)
  const latest = times.toSorted(compareHlc).at(-1)
  assert(latest !== undefined, 'an operation has causes')
  if (wanted !== undefined && compareHlc(wanted, latest) > 0) return wanted
  return waitMs === 0 ? { wall: latest.wall, counter: latest.counter + 1 } : { wall: latest.wall + waitMs, counter: 0 }
}

function idsOf(nodes: readonly Node[], indices: readonly number[]): readonly IntentionId[] {
  return [...new Set(indices)].map((index) => itemAt(nodes, index).op.id).sort(compareBytes)
}

/** Kahn's algorithm; among what is ready `seed` picks. The genesis is left out. */
function causalOrder(nodes: readonly Node[], seed: number): readonly number[] {
  const random = createSeededRandom(seed)
  const waiting = new Map(nodes.map(({ causes }, index) => [index, new Set(causes)]))
  const order: number[] = []
  while (waiting.size > 0) {
    const ready = [...waiting].flatMap(([index, causes]) => (causes.size === 0 ? [index] : []))
    const next = itemAt(ready, random.below(ready.length))
    waiting.delete(next)
    for (const causes of waiting.values()) causes.delete(next)
    if (next !== 0) order.push(next)
  }
  return order
}

function itemAt<T>(items: readonly T[], index: number): T {
  const item = items[index]
  assert(item !== undefined, 'the index is within the list')
  return item
}
