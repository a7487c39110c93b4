/**
 * Writes that this node has seen an epoch, and what state it has there.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { equalBytes, type Hash, type IntentionId, type PublicKey } from '@lattice/model'
import { weaver } from '@lattice/proto'
import { chainEndsAt } from './chain-ends.ts'
import type { Core } from './core.ts'
import type { BookEpoch } from './epoch-book.ts'
import type { SubmitOp, SubmitOptions } from './kernel-types.ts'
import { requiredOf } from './settlement.ts'

export type Submit = (op: SubmitOp, options: SubmitOptions) => Promise<IntentionId>

export interface EpochAckDeps {
  readonly core: Pick<Core, 'log' | 'options'>
  readonly submit: Submit
}

/** Thrown inside the writer to leave without a write; never leaves this file. */
class NothingToAcknowledge extends Error {}

/** `root`: undefined without state. `isDue` is asked in the writer. Answers false where there was nothing to write by then. */
export async function submitEpochAck(
  { core, submit }: EpochAckDeps,
  { epoch, root }: { readonly epoch: BookEpoch; readonly root: Hash | undefined },
  isDue: () => boolean,
): Promise<boolean> {
  const { id } = epoch.record
  const value = create(weaver.EpochAckOpSchema, { epoch: id })
  if (root !== undefined) {
    const { crypto, scheduler } = core.options
    const breathe = async (): Promise<void> => new Promise((resolve) => void scheduler.soon(resolve))
    value.stateRoot = root
    value.chainEnds = await chainEndsAt(core.log, crypto, { epoch, breathe })
  }
  const deps = (): readonly IntentionId[] => {
    if (!isDue()) throw new NothingToAcknowledge()
    return [id]
  }
  try {
    await submit({ kind: 'epochAck', schema: 0, value }, { deps })
    return true
  } catch (error) {
    if (error instanceof NothingToAcknowledge) return false
    throw error
  }
}

/** True for its author and those it names: what state they sign there counts. */
export function isConcerned(epoch: BookEpoch, self: PublicKey): boolean {
  return equalBytes(epoch.record.author, self) || requiredOf(epoch).some((key) => equalBytes(key, self))
}
