/**
 * Inserting into and deleting from a range tree.
 *
 * A full leaf evens out with a neighbour that has room. When neither has, it is halved, or left full at the end of the
 * order: so what arrives in order leaves full leaves behind, and nearly in order nearly full ones. Counts
 * and sums change along one way down; what moves between two siblings leaves their parents' totals as they are.
 *
 * @module
 */
import { assert } from '@lattice/model'
import type { Key } from './node-layout.ts'
import type { NodePage } from './node-page.ts'
import type { RangeTree, TreePath } from './range-tree.ts'

/** A neighbour this full takes nothing over: the next insert would have to move items again. */
const ROOM_SHARE = 15 / 16
/** Siblings are joined when together no fuller than this: the next insert must not have to split them again. */
const JOIN_SHARE = 3 / 4

/** False when the very item is there already. */
export function insertInto(tree: RangeTree, key: Key): boolean {
  const path = tree.seek(key)
  const { page: leaf, slot } = stepAt(path, path.pages.length - 1)
  if (leaf.holdsAt(slot, key)) return false
  for (const { page, slot: taken } of innerSteps(tree, path)) page.countIn(taken, key)
  tree.nodes.touch(leaf)
  leaf.insertItem(slot, key)
  relieve(tree, path, path.pages.length - 1)
  return true
}

/** False when there is no such item. */
export function deleteFrom(tree: RangeTree, key: Key): boolean {
  const path = tree.seek(key)
  const { page: leaf, slot } = stepAt(path, path.pages.length - 1)
  if (!leaf.holdsAt(slot, key)) return false
  for (const { page, slot: taken } of innerSteps(tree, path)) page.countOut(taken, key)
  tree.nodes.touch(leaf)
  leaf.removeRecord(slot)
  tidy(tree, path, path.pages.length - 1)
  return true
}

/** What {@link joinSiblings} joins. */
export interface Siblings {
  readonly parent: NodePage
  /** The left one of both. */
  readonly slot: number
}

/** Joins two siblings when together they hold at most `share` of what fits one; reads inner ones to know. */
export function joinSiblings(tree: RangeTree, { parent, slot }: Siblings, share: number = JOIN_SHARE): boolean {
  const most = Math.floor(tree.recordsMax(parent.level - 1) * share)
  if (parent.level === 1 && parent.itemsAt(slot) + parent.itemsAt(slot + 1) > most) return false
  const left = tree.child(parent, slot)
  const right = tree.child(parent, slot + 1)
  if (left.count + right.count > most) return false
  for (const page of [parent, left, right]) touch(tree, page)
  // Until now only the parent says from where on the right one's first child goes.
  if (right.level > 0) right.setKey(0, parent.keyAt(slot + 1))
  right.moveHead(right.count, left)
  parent.setTotals(slot, left)
  parent.removeRecord(slot + 1)
  tree.nodes.drop(right)
  return true
}

/** After records of a page went away: drops it when it is empty, joins it with a sibling, and so on upwards. */
export function tidy(tree: RangeTree, path: TreePath, depth: number): void {
  const { page } = stepAt(path, depth)
  if (depth === 1) {
    lower(tree, page)
    return
  }
  const { page: parent, slot } = stepAt(path, depth - 1)
  if (page.count === 0) {
    touch(tree, parent)
    parent.removeRecord(slot)
    tree.nodes.drop(page)
  } else if (page.level > 0 && page.count * 2 > tree.recordsMax(page.level)) {
    return
  } else {
    const isJoined =
      (slot + 1 < parent.count && joinSiblings(tree, { parent, slot })) ||
      (slot > 0 && joinSiblings(tree, { parent, slot: slot - 1 }))
    if (!isJoined) return
  }
  tidy(tree, path, depth - 1)
}

/** Takes away roots with one child. */
function lower(tree: RangeTree, root: NodePage): void {
  let page = root
  while (page.level > 0 && page.count <= 1) {
    const child = page.count === 0 ? tree.create(0) : tree.child(page, 0)
    tree.nodes.drop(page)
    page = child
  }
  if (page !== root) tree.setRoot(page)
}

/** Splits a page that holds one record too many, unless a neighbour takes some; then its parent, if need be. */
function relieve(tree: RangeTree, path: TreePath, depth: number): void {
  const { page, slot: changed } = stepAt(path, depth)
  if (page.count <= tree.recordsMax(page.level)) return
  const { page: parent, slot } = stepAt(path, depth - 1)
  if (page.level === 0 && evenOut(tree, page, { parent, slot })) return
  // Elsewhere a run that falls towards a full leaf would leave a node behind with every item.
  const isAppend = changed === page.count - 1 && isRightmost(path, depth)
  const right = tree.create(page.level)
  page.moveTail(isAppend ? page.count - 1 : page.count >>> 1, right)
  if (depth === 1) {
    const root = tree.create(page.level + 1)
    root.insertChild(0, page)
    root.insertChild(1, right)
    tree.setRoot(root)
    return
  }
  parent.setTotals(slot, page)
  parent.insertChild(slot + 1, right)
  path.slots[depth - 1] = slot + 1
  relieve(tree, path, depth - 1)
}

/** Moves items to the neighbour with more room. The parent knows both counts, so only one that takes part is read. */
function evenOut(tree: RangeTree, page: NodePage, { parent, slot }: Siblings): boolean {
  const most = tree.recordsMax(0) * ROOM_SHARE
  const itemsAt = (sibling: number): number =>
    sibling < 0 || sibling >= parent.count ? Infinity : parent.itemsAt(sibling)
  const neighbour = itemsAt(slot - 1) < itemsAt(slot + 1) ? slot - 1 : slot + 1
  if (itemsAt(neighbour) > most) return false
  const other = tree.child(parent, neighbour)
  tree.nodes.touch(other)
  const [left, right] = neighbour > slot ? [page, other] : [other, page]
  const half = (left.count + right.count) >>> 1
  if (left.count > half) left.moveTail(half, right)
  else right.moveHead(half - left.count, left)
  const leftSlot = Math.min(slot, neighbour)
  parent.setKey(leftSlot + 1, right.keyAt(0))
  parent.setTotals(leftSlot, left)
  parent.setTotals(leftSlot + 1, right)
  return true
}

interface Step {
  readonly page: NodePage
  readonly slot: number
}

/** The inner pages of a way from the top down, ready to be written to. */
function* innerSteps(tree: RangeTree, path: TreePath): IterableIterator<Step> {
  for (let depth = 0; depth < path.pages.length - 1; depth += 1) {
    const step = stepAt(path, depth)
    touch(tree, step.page)
    yield step
  }
}

/** The top is not a node: the head is written with every flush. */
function touch(tree: RangeTree, page: NodePage): void {
  if (page !== tree.top) tree.nodes.touch(page)
}

function isRightmost(path: TreePath, depth: number): boolean {
  return path.pages.every((page, above) => above >= depth || path.slots[above] === page.count - 1)
}

function stepAt({ pages, slots }: TreePath, depth: number): Step {
  const page = pages[depth]
  const slot = slots[depth]
  assert(page !== undefined && slot !== undefined, 'a way has a page per level')
  return { page, slot }
}
