/**
 * Ownership of what runs: cleanups, child tasks and one abort signal, released together.
 *
 * Closing aborts the signal, waits for every child, then runs the cleanups in reverse order of registration, each whatever
 * the others did. Nothing outlives its scope, and closing twice is closing once.
 *
 * @module
 */
import { type AbortSignal, createAbortController } from './abort.ts'
import { LatticeError } from './errors.ts'

/** Owns resources and tasks until closed. */
export interface Scope extends AsyncDisposable {
  readonly name: string
  /** Aborted when the scope closes, with {@link ScopeClosed} or the reason given. */
  readonly signal: AbortSignal
  /** Runs `cleanup` when the scope closes; at once if it is closed already. */
  readonly onClose: (cleanup: () => void | Promise<void>) => void
  /**
   * Runs a child task that must end when its signal aborts. A rejection other than the abort closes the scope and is the
   * failure that `close()` rejects with. In a closed scope the task is not started.
   */
  readonly spawn: (taskName: string, task: (signal: AbortSignal) => Promise<void>) => void
  /**
   * Resolves when all children ended and all cleanups ran. Rejects with the first failure, or an `AggregateError` of
   * several. Every call gives the same outcome. Must not be awaited by a child of the scope.
   */
  readonly close: (reason?: unknown) => Promise<void>
}

/** Choices for {@link createScope}. */
export interface ScopeOptions {
  /** Told of the failure of a child, or of a cleanup registered after the close, as it happens. */
  readonly onFailure?: (error: unknown, taskName: string) => void
}

/** The default abort reason of a closed scope. */
export class ScopeClosed extends LatticeError {
  override readonly name = 'ScopeClosed'
  readonly code = 'CLOSED'
  override readonly detail: Readonly<{ scope: string }>

  constructor(scope: string) {
    super(`${scope} was closed`)
    this.detail = { scope }
  }
}

/** Opens a scope, which closes when `parentSignal` aborts. */
export function createScope(name: string, parentSignal?: AbortSignal, { onFailure }: ScopeOptions = {}): Scope {
  const controller = createAbortController()
  const { signal } = controller
  const cleanups: (() => void | Promise<void>)[] = []
  const children = new Set<Promise<void>>()
  const failures: unknown[] = []
  let closing: Promise<void> | undefined
  let released = false

  const onParentAbort = (): void => startClosing(parentSignal?.reason)

  const release = async (): Promise<void> => {
    parentSignal?.removeEventListener('abort', onParentAbort)
    while (children.size > 0) await Promise.all(children)
    for (let cleanup = cleanups.pop(); cleanup !== undefined; cleanup = cleanups.pop()) {
      await runCleanup(cleanup, (error) => failures.push(error))
    }
    released = true
    if (failures.length === 1) throw failures[0]
    if (failures.length > 1) throw new AggregateError(failures, `${failures.length} failures in ${name}`)
  }
  const close = (reason?: unknown): Promise<void> => {
    if (closing === undefined) {
      // Assigned before the abort: a listener that closes the scope in turn gets this same promise.
      closing = Promise.resolve().then(release)
      controller.abort(reason ?? new ScopeClosed(name))
    }
    return closing
  }
  /** Closes without a caller to tell: the outcome is kept for whoever calls `close`. */
  const startClosing = (reason: unknown): void => {
    close(reason).catch(() => undefined)
  }
  const run = async (taskName: string, task: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    try {
      await task(signal)
    } catch (error) {
      if (signal.aborted && error === signal.reason) return
      failures.push(error)
      onFailure?.(error, taskName)
      startClosing(error)
    }
  }

  if (parentSignal?.aborted === true) onParentAbort()
  else parentSignal?.addEventListener('abort', onParentAbort, { once: true })

  return {
    name,
    signal,
    onClose: (cleanup) => {
      if (!released) cleanups.push(cleanup)
      else runCleanup(cleanup, (error) => onFailure?.(error, 'cleanup')).catch(() => undefined)
    },
    spawn: (taskName, task) => {
      if (signal.aborted) return
      const child: Promise<void> = run(taskName, task).finally(() => children.delete(child))
      children.add(child)
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  }
}

async function runCleanup(cleanup: () => void | Promise<void>, onError: (error: unknown) => void): Promise<void> {
  try {
    await cleanup()
  } catch (error) {
    onError(error)
  }
}
