/**
 * A cache in two generations: what was asked for lately stays, and its weight is bounded.
 *
 * @module
 */

export interface WeighedCache<V> {
  readonly get: (key: number) => V | undefined
  readonly set: (key: number, value: V, weight: number) => void
  readonly delete: (key: number) => void
  readonly clear: () => void
}

/** Holds up to `maxWeight`, and one value in any case. */
export function createWeighedCache<V>(maxWeight: number): WeighedCache<V> {
  let young = new Map<number, { readonly value: V; readonly weight: number }>()
  let old = young
  let weight = 0

  function put(key: number, entry: { readonly value: V; readonly weight: number }): void {
    if (weight + entry.weight > maxWeight / 2 && young.size > 0) {
      old = young
      young = new Map()
      weight = 0
    }
    weight += entry.weight - (young.get(key)?.weight ?? 0)
    young.set(key, entry)
  }

  return {
    get: (key) => {
      const known = young.get(key)
      if (known !== undefined) return known.value
      const older = old.get(key)
      if (older === undefined) return undefined
      put(key, older)
      return older.value
    },
    set: (key, value, entryWeight) => put(key, { value, weight: entryWeight }),
    delete: (key) => {
      const known = young.get(key)
      if (known !== undefined) weight -= known.weight
      young.delete(key)
      old.delete(key)
    },
    clear: () => {
      young = new Map()
      old = young
      weight = 0
    },
  }
}
