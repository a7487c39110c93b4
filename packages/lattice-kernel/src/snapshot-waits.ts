/**
 * Who waits for the state at which epoch.
 *
 * @module
 */
import { equalBytes, type Hash, type IntentionId } from '@lattice/model'

export interface RootWaits {
  /** The root at an epoch, once it is known; undefined when nobody makes it any more. */
  readonly wait: (epoch: IntentionId) => Promise<Hash | undefined>
  /** Resolves once it is made; rejects when that fails, or is not done. Begins with `wake`. */
  readonly made: (epoch: IntentionId, wake: () => void) => Promise<void>
  readonly known: (epoch: IntentionId, root: Hash) => void
  /** Whoever waits for a root, or for a snapshot, that nobody makes any more goes on without. */
  readonly keepOnly: (kept: { readonly root?: IntentionId; readonly made?: IntentionId }) => void
  readonly failed: (error: unknown) => void
  readonly close: (error: Error) => void
}

interface Wait {
  readonly epoch: IntentionId
  /** Goes on waiting when an attempt fails, or ends then. */
  readonly isPatient: boolean
  readonly resolve: (root: Hash | undefined) => void
  readonly reject: (error: unknown) => void
}

export function createRootWaits(): RootWaits {
  let waiting: Wait[] = []

  function add(epoch: IntentionId, isPatient: boolean): Promise<Hash | undefined> {
    return new Promise((resolve, reject) => {
      waiting.push({ epoch, isPatient, resolve, reject })
    })
  }

  function end(isOver: (wait: Wait) => boolean, tell: (wait: Wait) => void): void {
    const over = waiting.filter(isOver)
    waiting = waiting.filter((wait) => !over.includes(wait))
    for (const wait of over) tell(wait)
  }

  return {
    wait: async (epoch) => add(epoch, true),
    made: async (epoch, wake) => {
      const done = add(epoch, false)
      wake()
      await done
    },
    known: (epoch, root) =>
      end(
        (wait) => equalBytes(wait.epoch, epoch),
        ({ resolve }) => resolve(root),
      ),
    keepOnly: (kept) =>
      end(
        ({ epoch, isPatient }) => {
          const wanted = isPatient ? kept.root : kept.made
          return wanted === undefined || !equalBytes(epoch, wanted)
        },
        ({ resolve }) => resolve(undefined),
      ),
    failed: (error) =>
      end(
        ({ isPatient }) => !isPatient,
        ({ reject }) => reject(error),
      ),
    close: (error) =>
      end(
        () => true,
        ({ isPatient, resolve, reject }) => (isPatient ? resolve(undefined) : reject(error)),
      ),
  }
}
