/**
 * Lets a typed client of a state machine work over any backend.
 *
 * @module
 */
import type { StoreId } from '@lattice/model'
import type { Executor } from '@lattice/store-base'
import type { LatticeBackend } from './backend.ts'

/** Carries the calls of one store; pass it to `createClient`. */
export function storeExecutor({ dynamic }: Pick<LatticeBackend, 'dynamic'>, storeId: StoreId): Executor {
  return {
    exec: async (method, request, signal) => {
      const { response } = await dynamic.exec({ storeId, method, request }, { signal })
      return response
    },
    subscribe: async function* (stream, params, signal) {
      for await (const { event } of dynamic.subscribe({ storeId, stream, params }, { signal })) yield event
    },
  }
}
