/**
 * Tells of damage that a caller of the kernel ran into, whichever way it was met.
 *
 * @module
 */
import { isLatticeError, type LatticeError } from '@lattice/model'
import { RangeIndexDamaged } from '@lattice/sync'

type Method = (...parameters: readonly unknown[]) => unknown

/** The same surface; a method that throws or rejects with `LOG_DAMAGED` also tells `onDamage`, and still throws. */
export function guardDamage<Surface extends object>(
  surface: Surface,
  onDamage: (error: LatticeError) => void,
): Surface {
  const look = (error: unknown): void => {
    const isDamage = isLatticeError(error) && (error.code === 'LOG_DAMAGED' || error instanceof RangeIndexDamaged)
    if (isDamage) onDamage(error)
  }
  const guarded = Object.entries(surface).map(([name, member]: [string, unknown]) => {
    if (!isMethod(member)) return [name, member] as const
    const method: Method = (...parameters) => {
      try {
        const answer = member(...parameters)
        // The caller handles the rejection; this only looks at it.
        if (answer instanceof Promise) answer.catch(look)
        return answer
      } catch (error) {
        look(error)
        throw error
      }
    }
    return [name, method] as const
  })
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Every member is the one it was, or calls it.
  return Object.fromEntries(guarded) as Surface
}

function isMethod(member: unknown): member is Method {
  return typeof member === 'function'
}
