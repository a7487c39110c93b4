/**
 * What is ready to be witnessed, in the one order that every node uses: timestamp, then id.
 *
 * @module
 */
import { compareBytes, compareHlc } from '@lattice/model'
import type { FloatingEntry } from './floating-entry.ts'

export interface ReadyHeap {
  readonly push: (entry: FloatingEntry) => void
  readonly pop: () => FloatingEntry | undefined
  readonly size: () => number
  readonly clear: () => void
}

/** A binary heap. An entry may be in it twice; whoever pops looks whether it still floats. */
export function createReadyHeap(): ReadyHeap {
  const heap: FloatingEntry[] = []

  function isBefore(a: number, b: number): boolean {
    const [left, right] = [heap[a], heap[b]]
    if (left === undefined || right === undefined) return left !== undefined
    const order = compareHlc(left.parsed.intention.timestamp, right.parsed.intention.timestamp)
    return order === 0 ? compareBytes(left.parsed.id, right.parsed.id) < 0 : order < 0
  }

  function swap(a: number, b: number): void {
    const [left, right] = [heap[a], heap[b]]
    if (left === undefined || right === undefined) return
    heap[a] = right
    heap[b] = left
  }

  return {
    push: (entry) => {
      heap.push(entry)
      for (let at = heap.length - 1; at > 0;) {
        const parent = (at - 1) >> 1
        if (!isBefore(at, parent)) return
        swap(at, parent)
        at = parent
      }
    },
    pop: () => {
      const first = heap[0]
      const last = heap.pop()
      if (first === undefined || last === undefined || heap.length === 0) return first
      heap[0] = last
      for (let at = 0; ;) {
        const left = 2 * at + 1
        const child = isBefore(left + 1, left) ? left + 1 : left
        if (child >= heap.length || !isBefore(child, at)) return first
        swap(child, at)
        at = child
      }
    },
    size: () => heap.length,
    clear: () => {
      heap.length = 0
    },
  }
}
