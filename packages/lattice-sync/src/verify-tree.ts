/**
 * Walks a stored range tree in order and names what is wrong with it, a node at a time.
 *
 * What the store holds is read anew, past the cache; pages that are not flushed yet are looked at as they are. The walk
 * keeps the key it has come to and the numbers it has seen, so the index may change between two steps. Below a node
 * that cannot be trusted to lead anywhere nothing is looked at; everything else is.
 *
 * @module
 */
import { problemWith } from './node-codec.ts'
import { createKey, type Key } from './node-layout.ts'
import type { NodePage } from './node-page.ts'
import { HEAD_NODE, type NodeProblem, type NodeStore } from './node-store.ts'
import type { RangeTree } from './range-tree.ts'

/** One node, looked at. */
export interface VerifiedNode {
  readonly node: number
  /** The first thing wrong with it. */
  readonly problem: NodeProblem | undefined
}

/** From where on and up to where keys of a node may lie; open where there is no limit. */
interface Bounds {
  readonly from: Key | undefined
  readonly below: Key | undefined
}

interface Place {
  readonly parent: NodePage
  readonly slot: number
  readonly bounds: Bounds
}

/** Every node of the tree once (twice when two ways to it differ in what is wrong), a stretch of leaves at a time, and then the nodes of the store that are none of it. */
export function* verifyTree(tree: RangeTree, store: NodeStore): IterableIterator<VerifiedNode> {
  const seen = new Set<number>()
  const damaged = new Set<number>()
  const nextNodeAtStart = tree.nextNode
  for (let key: Key | undefined = createKey(); key !== undefined;) {
    const stretch: Stretch = verifyStretch(tree, key)
    for (const found of stretch.nodes) {
      const isBad = found.problem !== undefined
      if (!seen.has(found.node) || (isBad && !damaged.has(found.node))) yield found
      seen.add(found.node)
      if (isBad) damaged.add(found.node)
    }
    key = stretch.next
  }
  if (store.nodes === undefined) return
  // Taken at once: the store may change between two steps.
  const stored = Array.from(store.nodes())
  for (const node of stored) {
    // What came to be during the walk may lie where it had been.
    const isNew = node >= nextNodeAtStart && node < tree.nextNode
    if (node === HEAD_NODE || seen.has(node) || isNew || tree.nodes.isRemoved(node)) continue
    yield { node, problem: 'unreachable' }
  }
}

interface Stretch {
  readonly nodes: readonly VerifiedNode[]
  /** Where the next stretch begins. */
  readonly next: Key | undefined
}

/** The way down to `key`, and all leaves of the lowest inner node on it. */
function verifyStretch(tree: RangeTree, key: Key): Stretch {
  const nodes: VerifiedNode[] = []
  let place: Place = { parent: tree.top, slot: 0, bounds: { from: undefined, below: undefined } }
  for (;;) {
    const page = verifyNode(tree, place, nodes)
    const next = place.bounds.below
    if (page === undefined || page.level === 0) return { nodes, next }
    if (page.level > 1) {
      place = placeBelow(page, page.childFor(key), place.bounds)
      continue
    }
    for (let slot = 0; slot < page.count; slot += 1) verifyNode(tree, placeBelow(page, slot, place.bounds), nodes)
    return { nodes, next }
  }
}

/** Looks at one node; answers its page when what is below can be looked at. */
function verifyNode(tree: RangeTree, { parent, slot, bounds }: Place, nodes: VerifiedNode[]): NodePage | undefined {
  const node = parent.childAt(slot)
  const read = tree.nodes.current(node, tree.nodeBytesMax)
  if (!read.ok) {
    nodes.push({ node, problem: read.error })
    return undefined
  }
  const page = read.value
  const misplaced = page.level === parent.level - 1 ? orderProblem(page, bounds) : 'level'
  nodes.push({ node, problem: misplaced ?? problemWith(page, parent, slot) })
  return misplaced === undefined ? page : undefined
}

function orderProblem(page: NodePage, { from, below }: Bounds): NodeProblem | undefined {
  // What lies before an inner node's second key belongs to its first child, whatever the first key says.
  const first = page.level === 0 ? 0 : 1
  for (let index = first + 1; index < page.count; index += 1) {
    if (page.compareAt(index - 1, page.keyAt(index)) >= 0) return 'order'
  }
  if (from !== undefined && page.count > first && page.compareAt(first, from) < 0) return 'bounds'
  if (below !== undefined && page.count > first && page.compareAt(page.count - 1, below) >= 0) return 'bounds'
  return undefined
}

function placeBelow(parent: NodePage, slot: number, { from, below }: Bounds): Place {
  const bounds = {
    from: slot === 0 ? from : parent.copyKey(slot),
    below: slot + 1 < parent.count ? parent.copyKey(slot + 1) : below,
  }
  return { parent, slot, bounds }
}
