/**
 * What a node writes by itself, and writes again wherever it is still needed: nobody misses one that was lost.
 *
 * @module
 */
import type { UniversalOp } from '@lattice/model'
import { purposeOf } from './epoch-status.ts'

/**
 * Acknowledgements, and the epochs that nobody asked for: the first of a store (one that was cut has others), or one at which
 * history could be cut or a new admission counts (made as soon as that is looked for), one that joins others, that follows the
 * store above, or that sets aside. One that takes rights or history somebody has asked for.
 */
export function isMadeAgain(op: UniversalOp): boolean {
  if (op.kind !== 'epoch') return op.kind === 'ack' || op.kind === 'epochAck'
  switch (purposeOf(op.value.cause?.cause).kind) {
    case 'initial':
    case 'join_of_epochs':
    case 'parent':
    case 'set_aside':
      return true
    case 'membership':
    case 'prune':
    case 'key':
    case 'unknown':
      return false
  }
}
