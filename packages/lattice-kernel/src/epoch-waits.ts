/**
 * Whom the newest epochs wait for, whenever that is somebody else.
 *
 * Looked at are those that count and that no other follows: who has seen one of these has seen all before it. Nothing is
 * said of one without effect, nor of one that waits for nobody: that is settled.
 *
 * @module
 */
import { compareBytes, equalBytes, type IdKey, idKey, type PublicKey } from '@lattice/model'
import type { Core } from './core.ts'
import type { BookEpoch } from './epoch-book.ts'
import { inOrder } from './epoch-order.ts'
import type { KernelEvent } from './kernel-types.ts'

/** Epochs looked at. Of more, which are concurrent all, those with the highest numbers: one that joins them follows. */
const EPOCHS_TOLD_MAX = 8
/** Peers that one notice names. It says how many are waited for in all. */
const PEERS_TOLD_MAX = 64

/** What is to be told since this was asked before. The first time, nothing. */
export type EpochWaits = () => readonly Extract<KernelEvent, { kind: 'epoch_waiting' }>[]

export function createEpochWaits({ log, settlement }: Pick<Core, 'log' | 'settlement'>): EpochWaits {
  const { book, excluded } = log
  let known: ReadonlyMap<IdKey, readonly PublicKey[]> | undefined
  let [version, excludedAt] = [-1, -1]

  return () => {
    const isSame = version === book.version() && excludedAt === excluded.version()
    ;[version, excludedAt] = [book.version(), excluded.version()]
    const before = known
    const heads = book.heads().flatMap((id) => book.epochOf(id) ?? [])
    const looked = inOrder(book, heads).slice(0, EPOCHS_TOLD_MAX)
    const now = looked.map((epoch) => {
      const was = before?.get(idKey(epoch.record.id))
      // Without a change of who the peers are nobody comes to be waited for.
      const waitingFor = isSame && was?.length === 0 ? was : settlement.waitingFor(epoch)
      return { epoch, waitingFor, isNews: waitingFor.length > 0 && !isSameKeys(waitingFor, was ?? []) }
    })
    known = new Map(now.map(({ epoch, waitingFor }) => [idKey(epoch.record.id), waitingFor]))
    return before === undefined ? [] : now.filter(({ isNews }) => isNews).map(noticeOf)
  }
}

function noticeOf({
  epoch: { record },
  waitingFor,
}: {
  readonly epoch: BookEpoch
  readonly waitingFor: readonly PublicKey[]
}): ReturnType<EpochWaits>[number] {
  return {
    kind: 'epoch_waiting',
    id: record.id,
    seq: record.op.value.seq,
    waitingFor: waitingFor.toSorted(compareBytes).slice(0, PEERS_TOLD_MAX),
    total: waitingFor.length,
  }
}

/** Of one epoch, so in one order. */
function isSameKeys(a: readonly PublicKey[], b: readonly PublicKey[]): boolean {
  return a.length === b.length && a.every((key, index) => equalBytes(key, b[index] ?? new Uint8Array()))
}
