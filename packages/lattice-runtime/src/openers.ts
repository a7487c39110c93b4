/**
 * The state machines that ship.
 *
 * @module
 */
import { kvStore } from '@lattice/kvstore'
import { logStore } from '@lattice/logstore'
import type { StoreType } from '@lattice/model'
import { rootStore } from '@lattice/rootstore'
import type { StateMachine } from '@lattice/store-base'

/** Makes the machine of a store type; one per open store. */
export type Opener = () => StateMachine

/** Openers of every store type that ships. */
export function coreOpeners(): ReadonlyMap<StoreType, Opener> {
  return new Map<StoreType, Opener>([
    [kvStore.storeType, () => kvStore],
    [logStore.storeType, () => logStore],
    [rootStore.storeType, () => rootStore],
  ])
}
