/**
 * A node store in memory with one transaction under way, for tests: it can roll back, and fail at any call.
 *
 * @module
 */
import type { NodeStore } from '../src/index.ts'

export interface NodeMap extends NodeStore {
  readonly nodes: () => Iterable<number>
  /** What is there becomes what a rollback goes back to. */
  readonly commit: () => void
  readonly rollback: () => void
  /** Makes the write or remove after `calls` more of them throw, and every later one, until a rollback. */
  readonly failAfter: (calls: number) => void
  readonly size: () => number
}

export function createNodeMap(): NodeMap {
  let committed: ReadonlyMap<number, Uint8Array> = new Map()
  let nodes = new Map<number, Uint8Array>()
  let callsLeft = Infinity

  function spend(): void {
    callsLeft -= 1
    if (callsLeft < 0) throw new Error('the disk is full')
  }

  return {
    read: (node) => nodes.get(node),
    write: (node, bytes) => {
      spend()
      nodes.set(node, bytes)
    },
    remove: (node) => {
      spend()
      nodes.delete(node)
    },
    nodes: () => nodes.keys(),
    commit: () => {
      committed = new Map(nodes)
    },
    rollback: () => {
      nodes = new Map(committed)
      callsLeft = Infinity
    },
    failAfter: (calls) => {
      callsLeft = calls
    },
    size: () => nodes.size,
  }
}
