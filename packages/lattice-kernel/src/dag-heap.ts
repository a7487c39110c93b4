/**
 * A queue of seqs with what belongs to each, the first by a given order.
 *
 * @module
 */

export interface SeqHeap<T extends { readonly seq: number }> {
  readonly size: () => number
  readonly push: (item: T) => void
  readonly pop: () => T | undefined
}

/** Oldest first when `sign` is 1, newest first when it is -1. */
export function createSeqHeap<T extends { readonly seq: number }>(sign: 1 | -1): SeqHeap<T> {
  const items: T[] = []
  const isBefore = (a: T | undefined, b: T | undefined): boolean =>
    a !== undefined && b !== undefined && (a.seq - b.seq) * sign < 0

  function swap(a: number, b: number): void {
    const [first, second] = [items[a], items[b]]
    if (first === undefined || second === undefined) return
    items[a] = second
    items[b] = first
  }

  function rise(from: number): void {
    for (let at = from; at > 0;) {
      const parent = (at - 1) >>> 1
      if (!isBefore(items[at], items[parent])) return
      swap(at, parent)
      at = parent
    }
  }

  function sink(): void {
    for (let at = 0; ;) {
      const left = 2 * at + 1
      const child = isBefore(items[left + 1], items[left]) ? left + 1 : left
      if (!isBefore(items[child], items[at])) return
      swap(at, child)
      at = child
    }
  }

  return {
    size: () => items.length,
    push: (item) => {
      items.push(item)
      rise(items.length - 1)
    },
    pop: () => {
      swap(0, items.length - 1)
      const item = items.pop()
      sink()
      return item
    },
  }
}
