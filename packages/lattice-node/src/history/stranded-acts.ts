/**
 * Own writes that were put aside when a store began anew: shown, submitted again, or let go.
 *
 * @module
 */
import type { StrandedWrite } from '@lattice/kernel'
import { equalBytes, type IntentionId, type PublicKey } from '@lattice/model'
import { NodeError } from '../errors.ts'
import type { NodeContext } from '../node-context.ts'
import type { OpenStore } from '../open-store.ts'
import type { StrandedActs } from './history-types.ts'
import { takeAgain } from './lost-removals.ts'
import { keepStranded, readStranded } from './stranded-file.ts'

export interface StrandedActsDeps {
  readonly context: NodeContext
  /** Throws what keeps the store from being used. */
  readonly store: () => OpenStore
}

export function createStrandedActs({ context, store }: StrandedActsDeps): StrandedActs {
  const directory = (): string => context.directory.storePath(store().id)
  const stranded = (): readonly StrandedWrite[] => readStranded(directory(), store().kernel)
  return {
    stranded,
    resubmitStranded: async () => {
      const { kernel, exclusive } = store()
      return exclusive.run(async () => {
        const ids: IntentionId[] = []
        for (const write of stranded()) {
          const id = await resubmit(kernel, write, context.id)
          if (id !== undefined) ids.push(id)
          // One that is there is taken off before the next is written: asked for again it goes on after it.
          keepStranded(
            directory(),
            stranded().filter(({ id }) => !equalBytes(id, write.id)),
          )
        }
        return ids
      })
    },
    dropStranded: () => {
      const count = stranded().length
      keepStranded(directory(), [])
      return count
    },
  }
}

/** On top of all that is here now. Rights that its first writing needed are asked for anew. */
async function resubmit(
  kernel: OpenStore['kernel'],
  write: StrandedWrite,
  self: PublicKey,
): Promise<IntentionId | undefined> {
  const { op } = write
  const taken = await takeAgain(kernel, write, self)
  if (taken !== undefined) return taken.epoch
  if (op.kind !== 'appData') {
    throw new NodeError(
      'NOT_SUPPORTED',
      'a change of members or settings is not repeated as it was: make it anew, then drop what is stranded',
    )
  }
  return kernel.submit(op)
}
