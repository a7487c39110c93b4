/**
 * Turns a store to a later schema of its machine.
 *
 * Nodes are upgraded first and go on writing as before; an admin then activates the version. A node that was not upgraded
 * stalls at the first write of it, keeps replicating, and catches up once it is.
 *
 * @module
 */
import type { PublicKey } from '@lattice/model'
import { activateSchema, readSchema } from '@lattice/systemstore'
import { invalidArgument, storeTypeUnknown } from './errors.ts'
import type { OpenStore } from './open-store.ts'
import { submitSystem } from './submit-system.ts'

export interface ActivateSchemaOptions {
  readonly version: number
  readonly author: PublicKey
  /** Types that have an opener here. */
  readonly storeTypes: readonly string[]
}

/**
 * Resolves once it is durable, at once where `version` is active already. Rejects with `INVALID_ARGUMENT` for a version
 * that is none, is older than what is active, or is not known here, and with `NOT_ADMIN`.
 */
export async function activateStoreSchema(
  { kernel, machine, storeType }: OpenStore,
  { version, author, storeTypes }: ActivateSchemaOptions,
): Promise<void> {
  if (machine === undefined) throw storeTypeUnknown(storeType, storeTypes)
  const active = readSchema(kernel.tables().system)
  if (!Number.isSafeInteger(version) || version < 1)
    throw invalidArgument('a schema version is a whole number from 1: give the version to activate')
  if (version === active) return
  if (version < active)
    throw invalidArgument(`the store uses schema ${active}, which is never taken back: give a later version`)
  if (version > machine.schemaVersion)
    throw invalidArgument(
      `this node knows ${storeType} up to schema ${machine.schemaVersion}: upgrade it before version ${version} is activated`,
    )
  await submitSystem(kernel, [activateSchema({ author, version })], { author, act: 'activate a schema' })
}
