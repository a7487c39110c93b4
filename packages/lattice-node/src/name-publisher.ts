/**
 * Tells stores what this node calls itself, each in the background, and again later where one could not be told.
 *
 * @module
 */
import type { Scope } from '@lattice/model'
import { isPassing, toFailure } from './failure.ts'
import type { NodeContext } from './node-context.ts'
import { publishSelf } from './publish-self.ts'
import { createRetry } from './retry.ts'
import type { StoreEntry } from './store-entry.ts'

/** Has these stores told, where they need it. */
export type NamePublisher = (entries: Iterable<StoreEntry>) => void

/** Ends with `scope`. A store that is still not told then is told when it opens next. */
export function createNamePublisher(context: NodeContext, scope: Scope): NamePublisher {
  const untold = new Set<StoreEntry>()
  const { scheduler, logger } = context
  const retry = createRetry({ scheduler, signal: scope.signal, onDue: () => publish([...untold]) })

  async function tell(entry: StoreEntry): Promise<void> {
    try {
      await publishSelf(context, entry)
      untold.delete(entry)
      if (untold.size === 0) retry.over()
    } catch (error) {
      logger.warn('store.name_not_published', { storeId: entry.record.id, ...toFailure(error) })
      if (!isPassing(error)) return
      untold.add(entry)
      retry.failed()
    }
  }

  function publish(entries: Iterable<StoreEntry>): void {
    for (const entry of entries) scope.spawn('publish name', () => tell(entry))
  }

  return publish
}
