/**
 * Streams the progress of a task that reports by callback, and ends as the task
 * ends.
 *
 * Progress is a picture of now: when the reader is slow, older pictures give
 * way to newer ones, so memory stays bounded. The last one always arrives.
 *
 * @module
 */

/** Pictures that may wait for a slow reader. */
const MAX_WAITING = 64

/** Runs `task` and yields what it reports; rejects with what it throws. */
export async function* reportProgress<T>(
  signal: AbortSignal,
  task: (report: (item: T) => void) => Promise<void>,
): AsyncGenerator<T> {
  signal.throwIfAborted()
  const waiting: T[] = []
  let wake: () => void = () => undefined
  let ended = false
  const report = (item: T): void => {
    if (waiting.length === MAX_WAITING) waiting.shift()
    waiting.push(item)
    wake()
  }
  const running = task(report).finally(() => {
    ended = true
    wake()
  })
  // The outcome is awaited below; until then a failure is not unheard of.
  running.catch(() => undefined)
  for (;;) {
    yield* waiting.splice(0)
    if (waiting.length > 0) continue
    if (ended) break
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  }
  await running
}
