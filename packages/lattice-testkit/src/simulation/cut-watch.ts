/**
 * Which sets nodes held, over each base that any of them may have: one that has cut nothing yet is told as synced over the
 * base of the other.
 *
 * @module
 */
import type { Kernel, KernelDigest } from '@lattice/kernel'
import { equalBytes, type IntentionId, type StoreId, toHex } from '@lattice/model'

/** Where a node's history of a store began when it was last looked at. */
export interface SeenBase {
  readonly epoch: IntentionId
  readonly seq: bigint
}

/** What of a kernel tells which sets it holds. */
export type HoldingKernel = Pick<Kernel, 'storeId' | 'base' | 'digest' | 'over' | 'epochs'>

export interface WatchedKernel {
  /** Of the node and the store: a later kernel of them takes the place of an earlier one. */
  readonly key: string
  readonly kernel: HoldingKernel
  /** It is still the one in use. */
  readonly isWatched: () => boolean
}

export interface CutWatch {
  /** What a kernel holds now: its own set, and those over the bases that others may have. They are compared over one of them. */
  readonly heldBy: (kernel: HoldingKernel) => readonly KernelDigest[]
  /** Answers what is to be called whenever the set may be another; it tells of every set that is held then. */
  readonly watch: (watched: WatchedKernel, held: (digest: KernelDigest) => void) => () => void
  /** A cut is told of once it is whole, and counts from when it is decided: looks whether there is one. */
  readonly look: (storeId: StoreId) => void
}

export function createCutWatch(): CutWatch {
  const bases = new Map<string, IntentionId[]>()
  const notes = new Map<string, Map<string, () => void>>()

  /** True where it is new that a history may begin there. */
  function isNew(store: string, base: IntentionId | undefined): boolean {
    const known = bases.get(store) ?? []
    if (base === undefined || known.some((each) => equalBytes(each, base))) return false
    bases.set(store, [...known, base])
    return true
  }
  /** History may begin at what is settled and agreed on: a node that fetches the store may be the first to begin there. */
  function addsBases(kernel: HoldingKernel): boolean {
    const store = toHex(kernel.storeId)
    const final = kernel.epochs().filter(({ isFinal }) => isFinal)
    return [kernel.base()?.epoch, ...final.map(({ id }) => id)].filter((base) => isNew(store, base)).length > 0
  }
  function lookAll(store: string): void {
    for (const each of notes.get(store)?.values() ?? []) each()
  }

  function heldBy(kernel: HoldingKernel): readonly KernelDigest[] {
    const known = bases.get(toHex(kernel.storeId)) ?? []
    return [kernel.digest(), ...known.flatMap((base) => kernel.over(base)?.digest() ?? [])]
  }

  return {
    heldBy,
    watch: ({ key, kernel, isWatched }, held) => {
      const store = toHex(kernel.storeId)
      const all = notes.get(store) ?? new Map<string, () => void>()
      notes.set(store, all)
      const look = (): void => {
        // Whoever else has all of it holds a set over it from now on.
        if (addsBases(kernel)) for (const [other, each] of all) if (other !== key) each()
        for (const digest of heldBy(kernel)) held(digest)
      }
      // Asked by others it may be closed by now.
      all.set(key, () => {
        if (isWatched() && (bases.has(store) || kernel.base() !== undefined)) look()
      })
      return look
    },
    look: (storeId) => lookAll(toHex(storeId)),
  }
}
