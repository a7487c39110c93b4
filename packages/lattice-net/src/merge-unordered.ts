/**
 * Results of several tasks in the order in which they end, a few running at once.
 *
 * @module
 */

/** Starts tasks in order, at most `concurrency` at once. A rejection ends the iteration; the others are let run out. */
export async function* mergeUnordered<T>(
  tasks: readonly (() => Promise<T>)[],
  concurrency: number,
): AsyncGenerator<T, void, undefined> {
  const running = new Set<Promise<{ readonly value: T; readonly ended: () => void }>>()
  let next = 0
  try {
    for (;;) {
      for (let task = tasks[next]; task !== undefined && running.size < concurrency; task = tasks[next]) {
        const work: Promise<{ readonly value: T; readonly ended: () => void }> = task().then((value) => ({
          value,
          ended: () => running.delete(work),
        }))
        running.add(work)
        next += 1
      }
      if (running.size === 0) return
      const { value, ended } = await Promise.race(running)
      ended()
      yield value
    }
  } finally {
    // Left early: what still runs has an owner of its own; here only its failure is taken note of.
    await Promise.allSettled(running)
  }
}
