/**
 * Virtual time: tasks run when they are due, those due together in the order in which they were added.
 *
 * @module
 */

interface Task {
  readonly atMs: number
  readonly turn: number
  readonly run: () => void
}

/** A binary heap of tasks, for many more of them than a sorted list bears. */
export class EventQueue {
  readonly #heap: Task[] = []
  #nowMs = 0
  #turns = 0

  get nowMs(): number {
    return this.#nowMs
  }
  after(delayMs: number, run: () => void): void {
    const task = { atMs: this.#nowMs + delayMs, turn: this.#turns, run }
    this.#turns += 1
    let at = this.#heap.push(task) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#isBefore(at, parent)) break
      this.#swap(at, parent)
      at = parent
    }
  }
  /** Runs what is due within so long, and lets that time pass. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= untilMs; next = this.#heap[0]) {
      this.#pop()
      this.#nowMs = next.atMs
      next.run()
    }
    this.#nowMs = untilMs
  }

  #pop(): void {
    this.#swap(0, this.#heap.length - 1)
    this.#heap.pop()
    for (let at = 0; ;) {
      let least = at
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.#heap.length && this.#isBefore(child, least)) least = child
      }
      if (least === at) return
      this.#swap(at, least)
      at = least
    }
  }
  #isBefore(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]]
    if (one === undefined || other === undefined) return false
    return one.atMs < other.atMs || (one.atMs === other.atMs && one.turn < other.turn)
  }
  #swap(a: number, b: number): void {
    const [one, other] = [this.#heap[a], this.#heap[b]]
    if (one === undefined || other === undefined) return
    this.#heap[a] = other
    this.#heap[b] = one
  }
}
