/**
 * Lines as they are entered, for one reader after another: a line that one gave up waiting for is there for the next.
 *
 * @module
 */
export interface LineSource {
  /** The next line; undefined at the end of the input. Rejects with `signal.reason` once aborted. One reader at a time. */
  readonly next: (signal?: AbortSignal) => Promise<string | undefined>
}

export function createLineSource(lines: AsyncIterator<string>): LineSource {
  let pending: Promise<IteratorResult<string, unknown>> | undefined
  return {
    next: async (signal) => {
      signal?.throwIfAborted()
      pending ??= lines.next()
      const entered = signal === undefined ? await pending : await orAbort(pending, signal)
      pending = undefined
      return entered.done === true ? undefined : entered.value
    },
  }
}

async function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = (): void => undefined
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
