/**
 * How a command ends that waited for an epoch which stays without effect.
 *
 * @module
 */
import { toHex } from '@lattice/model'
import type { daemon } from '@lattice/proto'
import { CommandFailed } from '../errors.ts'
import { formatId } from '../render/bytes-text.ts'
import { faultText } from '../render/epoch-text.ts'

/** `what` is what the epoch was made for. With --json the epoch has been printed. */
export function withoutEffect(epoch: daemon.Epoch, what: string): CommandFailed {
  const { id, seq, fault } = epoch
  return new CommandFailed(
    'WRONG_STATE',
    `${what} has no effect: ${faultText(epoch)} (epoch ${seq}, ${formatId(id)})`,
    {
      hint: "'peer list' shows who is an admin now: one of them can do it again",
      detail: { epoch: toHex(id), fault },
    },
  )
}
