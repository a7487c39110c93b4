/**
 * Packs a range tree: what deletes and late arrivals left half empty moves together, a stretch at a time.
 *
 * A stretch is what one lowest inner node leads to, so a step holds and changes a bounded number of pages, and what it
 * changed is flushed before the next.
 *
 * @module
 */
import { assert } from '@lattice/model'
import { createKey, type Key } from './node-layout.ts'
import type { NodePage } from './node-page.ts'
import type { RangeTree, TreePath } from './range-tree.ts'
import { joinSiblings, tidy } from './tree-change.ts'

/** Packs the stretch that `key` falls into, and answers where the next one begins. */
export function compactFrom(tree: RangeTree, key: Key = createKey()): Key | undefined {
  for (;;) {
    const path = tree.seek(key)
    const depth = path.pages.length - 2
    const parent = path.pages[depth]
    assert(parent !== undefined, 'every leaf has a parent')
    if (depth === 0) return undefined
    packLeaves(tree, parent)
    // Joining and tidying make other ways of this one: the rest is looked up anew.
    if (joinNext(tree, path, depth)) continue
    const next = nextAfter(path, depth)
    if (parent.count === 1 || depth === 1) tidy(tree, path, depth)
    return next
  }
}

/** Fills every leaf below `parent` from the next ones. */
function packLeaves(tree: RangeTree, parent: NodePage): void {
  const most = tree.recordsMax(0)
  for (let slot = 0; slot + 1 < parent.count;) {
    const room = most - parent.itemsAt(slot)
    if (room === 0) {
      slot += 1
      continue
    }
    tree.nodes.touch(parent)
    const [left, right] = [tree.child(parent, slot), tree.child(parent, slot + 1)]
    tree.nodes.touch(left)
    tree.nodes.touch(right)
    right.moveHead(Math.min(room, right.count), left)
    parent.setTotals(slot, left)
    if (right.count === 0) {
      parent.removeRecord(slot + 1)
      tree.nodes.drop(right)
      continue
    }
    parent.setKey(slot + 1, right.keyAt(0))
    parent.setTotals(slot + 1, right)
  }
}

/** Joins the node at `depth` with its next sibling when one holds both. */
function joinNext(tree: RangeTree, { pages, slots }: TreePath, depth: number): boolean {
  const [parent, slot] = [pages[depth - 1], slots[depth - 1]]
  if (parent === undefined || slot === undefined || slot + 1 >= parent.count) return false
  if (!joinSiblings(tree, { parent, slot }, 1)) return false
  tidy(tree, { pages, slots }, depth - 1)
  return true
}

/** Where the node after the one at `depth` begins. */
function nextAfter({ pages, slots }: TreePath, depth: number): Key | undefined {
  for (let above = depth - 1; above >= 0; above -= 1) {
    const [page, slot] = [pages[above], slots[above]]
    if (page === undefined || slot === undefined || slot + 1 >= page.count) continue
    return page.copyKey(slot + 1)
  }
  return undefined
}
