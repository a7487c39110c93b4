/**
 * Who reaches whom: groups of a partition, and single directions that are cut.
 *
 * Pure: it only answers questions about keys. Nodes that no group names form one group together, so a partition of two
 * nodes away from the rest names those two alone.
 *
 * @module
 */
import { type IdKey, idKey, type PublicKey } from '@lattice/model'

/** The state of the links between nodes. */
export interface Topology {
  /** Whether nothing passes from `from` to `to` now. */
  readonly isBlocked: (from: IdKey, to: IdKey) => boolean
  /** Replaces the partition before it. A node may be in one group only. */
  readonly partition: (groups: readonly (readonly PublicKey[])[]) => void
  readonly cut: (from: IdKey, to: IdKey) => void
  /** Every direction is open again. */
  readonly heal: () => void
}

/** The group of the nodes that no group names. */
const REST = -1

/** Starts with every direction open. */
export function createTopology(): Topology {
  const cuts = new Map<IdKey, Set<IdKey>>()
  let groupOf = new Map<IdKey, number>()
  const group = (node: IdKey): number => groupOf.get(node) ?? REST

  return {
    isBlocked: (from, to) => group(from) !== group(to) || cuts.get(from)?.has(to) === true,
    partition: (groups) => {
      groupOf = new Map(groups.flatMap((members, index) => members.map((member) => [idKey(member), index] as const)))
    },
    cut: (from, to) => {
      const targets = cuts.get(from) ?? new Set()
      cuts.set(from, targets.add(to))
    },
    heal: () => {
      cuts.clear()
      groupOf = new Map()
    },
  }
}
