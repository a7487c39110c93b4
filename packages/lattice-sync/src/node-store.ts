/**
 * The port to where the nodes of a persistent range index are kept: numbered byte strings, as in one table of a
 * database. And the one failure of what comes back from there.
 *
 * @module
 */
import { LatticeError } from '@lattice/model'

/** The node every other one is found from. */
export const HEAD_NODE = 0

/**
 * Nodes by number. Calls are synchronous; what `flush` writes and removes belongs into one transaction, together with
 * whatever the index must agree with. Numbers ascend and are not given out twice: what is new goes to the end.
 */
export interface NodeStore {
  /** The bytes last written under this number. Nobody writes to the array afterwards. */
  readonly read: (node: number) => Uint8Array | undefined
  /** The array is the store's to keep. */
  readonly write: (node: number, bytes: Uint8Array) => void
  readonly remove: (node: number) => void
  /** All numbers there are. Only `verify` asks, to find nodes that nothing leads to. */
  readonly nodes?: () => Iterable<number>
}

/** What can be wrong with a node. */
export type NodeProblem =
  /** Something leads to it and it is not there. */
  | 'missing'
  /** Not a node of this version, or not of the length it announces. */
  | 'malformed'
  /** Its bytes are not those that were written. */
  | 'checksum'
  /** It is a node of another level of the tree. */
  | 'level'
  /** It holds another number of items than its parent says. */
  | 'count'
  /** It adds up to something else than its parent says. */
  | 'sum'
  /** Its records do not ascend. */
  | 'order'
  /** It holds items that belong elsewhere. */
  | 'bounds'
  /** No node leads to it. */
  | 'unreachable'

/** The stored index is not what was written. Nothing is lost: it is derived from the log and built anew from it. */
export class RangeIndexDamaged extends LatticeError {
  override readonly name = 'RangeIndexDamaged'
  readonly code = 'STATE_DAMAGED'
  override readonly detail: { readonly node: number; readonly problem: NodeProblem }

  constructor(node: number, problem: NodeProblem) {
    super(`the range index is damaged at node ${node} (${problem}): build it anew from the log`)
    this.detail = { node, problem }
  }
}
