/**
 * Writes that this node has seen an epoch, and what state it has there.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { equalBytes, type IntentionId, type PublicKey } from '@lattice/model'
import { weaver } from '@lattice/proto'
import type { BookEpoch } from './epoch-book.ts'
import type { SubmitOp, SubmitOptions } from './kernel-types.ts'
import { requiredOf } from './settlement.ts'

export type Submit = (op: SubmitOp, options: SubmitOptions) => Promise<IntentionId>

/** Thrown inside the writer to leave without a write; never leaves this file. */
class NothingToAcknowledge extends Error {}

/** `stateRoot`: empty without state. `isDue` is asked in the writer. Answers false where there was nothing to write by then. */
export async function submitEpochAck(
  submit: Submit,
  { id, stateRoot }: { readonly id: IntentionId; readonly stateRoot: Uint8Array },
  isDue: () => boolean,
): Promise<boolean> {
  const value = create(weaver.EpochAckOpSchema, { epoch: id, stateRoot })
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
