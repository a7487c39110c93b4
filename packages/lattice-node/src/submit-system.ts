/**
 * Writes to a store's system table.
 *
 * @module
 */
import type { Kernel } from '@lattice/kernel'
import type { IntentionId, PublicKey } from '@lattice/model'
import type { ReadStoreTables } from '@lattice/store-base'
import { batchSystemWrites, isAdmin, type SystemWrite } from '@lattice/systemstore'
import { notAdmin } from './errors.ts'

/** System operations are versioned by the layer, not by a machine. */
const NO_SCHEMA = 0

export interface SubmitSystemOptions {
  readonly author: PublicKey
  /** What it does, for the refusal: `invite peers`. */
  readonly act: string
  /** Looks at the state on which it is signed; what it throws is the refusal. */
  readonly guard?: (tables: ReadStoreTables) => void
}

/** Signs the writes as one intention. Rejects where they would not count: with `NOT_ADMIN`, or as the rule against them says. */
export async function submitSystem(
  kernel: Kernel,
  writes: readonly SystemWrite[],
  { author, act, guard }: SubmitSystemOptions,
): Promise<IntentionId> {
  const [first] = writes
  const write = first !== undefined && writes.length === 1 ? first : batchSystemWrites(writes, author)
  if (write.privileged && !isAdmin(kernel.tables().system, author)) throw notAdmin(kernel.storeId, act)
  return kernel.submit(
    { kind: 'system', schema: NO_SCHEMA, value: write.op.value },
    {
      deps: (tables) => {
        guard?.(tables)
        return write.deps(tables)
      },
    },
  )
}
