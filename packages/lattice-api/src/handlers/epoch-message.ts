/**
 * An epoch as the API tells it.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import type { StoreHandle } from '@lattice/node'
import { daemon, system } from '@lattice/proto'
import { mayComeToCount } from '@lattice/store-base'

type EpochStatus = ReturnType<StoreHandle['epochPage']>['epochs'][number]

const CAUSES: Readonly<Record<EpochStatus['cause']['kind'], daemon.EpochCause>> = {
  initial: daemon.EpochCause.INITIAL,
  membership: daemon.EpochCause.MEMBERSHIP,
  prune: daemon.EpochCause.PRUNE,
  key: daemon.EpochCause.KEY,
  join_of_epochs: daemon.EpochCause.JOIN_OF_EPOCHS,
  parent: daemon.EpochCause.PARENT,
  set_aside: daemon.EpochCause.SET_ASIDE,
  unknown: daemon.EpochCause.UNSPECIFIED,
}

const REMAINS = {
  none: system.Role.UNSPECIFIED,
  reader: system.Role.READER,
  writer: system.Role.WRITER,
} as const

export function toEpoch(epoch: EpochStatus): daemon.Epoch {
  const { id, seq, author, timestamp, cause, fault = '', isHead, required, acked, waitingFor } = epoch
  return create(daemon.EpochSchema, {
    id,
    seq,
    author,
    wall: BigInt(timestamp.wall),
    cause: CAUSES[cause.kind],
    removals:
      cause.kind === 'membership'
        ? cause.removals.map(({ peer, remains }) => ({ peer, remains: REMAINS[remains] }))
        : [],
    ...(cause.kind === 'parent' ? { parentStore: cause.store, parentEpoch: cause.epoch } : {}),
    fault,
    head: isHead,
    required: [...required],
    acked: [...acked],
    waitingFor: [...waitingFor],
    settled: epoch.isSettled,
    final: epoch.isFinal,
    diverged: epoch.isDiverged,
    mayCount: epoch.fault !== undefined && mayComeToCount(epoch.fault),
  })
}
