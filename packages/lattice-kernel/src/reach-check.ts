/**
 * Checks a reachability index against the log it was made from.
 *
 * What an index holds follows from the log alone, to the byte. So the records are followed once more, over blocks cut off
 * where the check stands, and what would be written is compared with what is there. Memory is bounded by the records
 * between two comparisons; a check may begin anywhere and takes what lies before as it is.
 *
 * @module
 */
import { equalBytes } from '@lattice/model'
import { nextRecord, walkBlock } from './reach-block.ts'
import type { BlockStore } from './reach-blocks.ts'
import { createReachIndex, type ReachAnchors, type ReachNode } from './reach-index.ts'

export interface ReachProblem {
  readonly lane: number
  readonly block: number
  readonly problem: 'missing' | 'differs'
}

export interface ReachCheck {
  /** Takes the next record as it is, with what its block holds. Between two comparisons. */
  readonly pass: (seq: number) => void
  /** Follows the next record of the log. Throws what the blocks have for damage where one before is not readable. */
  readonly follow: (node: ReachNode) => void
  /** Compares the blocks of what was followed since the last call. `isHead`: nothing comes after. */
  readonly compare: (isHead: boolean) => readonly ReachProblem[]
}

/** A check of what `blocks` holds of the records from `fromSeq` on. */
export function createReachCheck(
  blocks: Pick<BlockStore, 'read' | 'damaged'>,
  { fromSeq = 1, anchors }: { readonly fromSeq?: number; readonly anchors?: ReachAnchors } = {},
): ReachCheck {
  let nextSeq = fromSeq
  let isWhole = false
  let problems: ReachProblem[] = []
  const shadow = createReachIndex(
    {
      read: (lane, block) => cutBefore(blocks.read(lane, block), block, nextSeq),
      write: (lane, block, expected) => {
        const found = blocks.read(lane, block)
        const compared = isWhole ? found : cutBefore(found, block, nextSeq)
        if (compared === undefined) problems.push({ lane, block, problem: 'missing' })
        else if (!equalBytes(compared, expected)) problems.push({ lane, block, problem: 'differs' })
      },
      damaged: blocks.damaged,
    },
    anchors,
  )

  return {
    pass: (seq) => {
      nextSeq = seq + 1
    },
    follow: (node) => {
      shadow.advance(node)
      nextSeq = node.seq + 1
    },
    compare: (isHead) => {
      isWhole = isHead
      problems = []
      shadow.checkpoint()
      // What comes next builds on what is there, so that one mistake is not found in all that follows it.
      shadow.load()
      return problems
    },
  }
}

/** The block without its records from `seq` on; undefined when none is left. */
function cutBefore(bytes: Uint8Array | undefined, block: number, seq: number): Uint8Array | undefined {
  if (bytes === undefined) return undefined
  const walk = walkBlock({ bytes, length: bytes.length }, block)
  let end = 0
  while (nextRecord(walk) && walk.seq < seq) end = walk.at
  return end === 0 ? undefined : bytes.subarray(0, Math.min(end, bytes.length))
}
