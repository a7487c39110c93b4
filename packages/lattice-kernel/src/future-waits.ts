/**
 * What floats because of its time, the earliest first.
 *
 * A binary heap that knows where each entry stands, so what leaves for another reason leaves at once: memory follows what
 * waits, and finding the next that is due costs nothing, however many wait.
 *
 * @module
 */
import type { FloatingEntry } from './floating-entry.ts'

export interface FutureWaits {
  /** Adds an entry that is not in it. */
  readonly add: (entry: FloatingEntry, untilMs: number) => void
  /** Takes an entry out; nothing when it is not in it. */
  readonly remove: (entry: FloatingEntry) => void
  /** When the first is due; undefined when none waits. */
  readonly earliestMs: () => number | undefined
  /** Those that are due at `nowMs`, the earliest first. They stay. */
  readonly due: (nowMs: number) => readonly FloatingEntry[]
  readonly size: () => number
  readonly clear: () => void
}

interface Item {
  readonly entry: FloatingEntry
  readonly untilMs: number
}

export function createFutureWaits(): FutureWaits {
  const heap: Item[] = []
  const places = new Map<FloatingEntry, number>()

  function put(at: number, item: Item): void {
    heap[at] = item
    places.set(item.entry, at)
  }

  /** Moves an item from a hole at `start` towards the root, to where its parent is no later. */
  function rise(start: number, item: Item): void {
    let at = start
    while (at > 0) {
      const parent = heap[(at - 1) >> 1]
      if (parent === undefined || parent.untilMs <= item.untilMs) break
      put(at, parent)
      at = (at - 1) >> 1
    }
    put(at, item)
  }

  /** Moves an item from a hole at `start` away from the root, to where no child is earlier. */
  function sink(start: number, item: Item): void {
    let at = start
    for (;;) {
      const left = 2 * at + 1
      const isRightFirst = (heap[left + 1]?.untilMs ?? Infinity) < (heap[left]?.untilMs ?? Infinity)
      const child = heap[isRightFirst ? left + 1 : left]
      if (child === undefined || child.untilMs >= item.untilMs) break
      put(at, child)
      at = isRightFirst ? left + 1 : left
    }
    put(at, item)
  }

  return {
    add: (entry, untilMs) => {
      const item: Item = { entry, untilMs }
      heap.push(item)
      rise(heap.length - 1, item)
    },
    remove: (entry) => {
      const at = places.get(entry)
      const last = heap.at(-1)
      if (at === undefined || last === undefined) return
      places.delete(entry)
      heap.pop()
      if (last.entry === entry) return
      const parent = heap[(at - 1) >> 1]
      if (at > 0 && parent !== undefined && parent.untilMs > last.untilMs) rise(at, last)
      else sink(at, last)
    },
    earliestMs: () => heap[0]?.untilMs,
    due: (nowMs) => {
      const found: Item[] = []
      const open = [0]
      for (let at = open.pop(); at !== undefined; at = open.pop()) {
        const item = heap[at]
        // Below one that is not due, none is.
        if (item === undefined || item.untilMs > nowMs) continue
        found.push(item)
        open.push(2 * at + 1, 2 * at + 2)
      }
      return found.sort((a, b) => a.untilMs - b.untilMs).map(({ entry }) => entry)
    },
    size: () => heap.length,
    clear: () => {
      heap.length = 0
      places.clear()
    },
  }
}
