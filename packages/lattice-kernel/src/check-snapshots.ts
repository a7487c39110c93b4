/**
 * Looks whether snapshots are what they say: their rows come to the root that they keep, and to the one that was signed.
 *
 * @module
 */
import { equalBytes, toHex } from '@lattice/model'
import { createOverlayTable, createRootScan } from '@lattice/storage'
import type { Core } from './core.ts'
import { shortId } from './errors.ts'
import type { WholeSnapshot } from './snapshot-files.ts'
import type { Slicer } from './verify.ts'

/** Rows hashed per step: about twenty microseconds each. */
const ROWS_PER_STEP = 64

/** Sentences that say what is wrong. A snapshot whose place another takes meanwhile is none any more. */
export async function checkSnapshots(
  { log, options }: Core,
  whole: () => readonly WholeSnapshot[],
  slicer: Slicer,
): Promise<readonly string[]> {
  const problems: string[] = []
  for (const snapshot of whole()) {
    const { epoch, root, state } = snapshot
    const scan = createRootScan(options.crypto, {
      system: createOverlayTable(state.system).visible,
      app: createOverlayTable(state.app).visible,
    })
    let isThere = true
    for (let isEnd = false; !isEnd && isThere;) {
      await slicer.breathe()
      isThere = whole().includes(snapshot)
      if (isThere) isEnd = scan.step(ROWS_PER_STEP)
    }
    if (!isThere) continue
    const name = `the snapshot at epoch ${shortId(epoch)}`
    if (!equalBytes(scan.root().hash, root.hash)) problems.push(`${name} has rows that its root is not of`)
    const own = log.book.acks.by(epoch, options.signer.publicKey, () => true)?.states ?? []
    if (own.length > 0 && !own.some((signed) => equalBytes(signed.root, root.hash))) {
      problems.push(`${name} has another root than the one this node signed, ${toHex(own[0]?.root ?? root.hash)}`)
    }
  }
  return problems
}
