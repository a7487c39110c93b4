/**
 * Tells of damage met by what is handed out of a log to be read later: sets over an epoch, and foundations.
 *
 * @module
 */
import type { LatticeError } from '@lattice/model'
import { guardDamage } from './damage-guard.ts'
import type { Kernel } from './kernel-types.ts'
import type { ReplicatedSet } from './replicated-set.ts'

type Over = Pick<Kernel, 'over' | 'foundation'>

/** The same sets and pages; whatever reads the log for them also tells `onDamage`. */
export function guardOver({ over, foundation }: Over, onDamage: (error: LatticeError) => void): Over {
  /** A set that is handed out again is the same one. */
  const sets = new WeakMap<ReplicatedSet, ReplicatedSet>()

  function guardSet(set: ReplicatedSet): ReplicatedSet {
    const known = sets.get(set)
    if (known !== undefined) return known
    const { digest, rangeIndex } = guardDamage(set, onDamage)
    const guarded: ReplicatedSet = { digest, rangeIndex: () => guardDamage(rangeIndex(), onDamage) }
    sets.set(set, guarded)
    return guarded
  }

  return {
    over: (base, isFounded) => {
      const set = over(base, isFounded)
      return set && guardSet(set)
    },
    foundation: (at) => {
      const found = foundation(at)
      if (found === undefined) return undefined
      const { count, read } = guardDamage({ count: () => found.items, read: found.read }, onDamage)
      return {
        base: found.base,
        get items() {
          return count()
        },
        read,
      }
    },
  }
}
