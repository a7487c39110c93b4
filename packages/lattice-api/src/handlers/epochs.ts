/**
 * Epochs: what they are, who has acknowledged them, and what they cut.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { formatSExpr, type IntentionId, readIntentionId } from '@lattice/model'
import type { StoreHandle } from '@lattice/node'
import { daemon, system } from '@lattice/proto'
import { InvalidArgument, mayComeToCount } from '@lattice/store-base'
import type { ServiceHandlers } from '../service-types.ts'
import { toPeerInfo } from './messages.ts'
import { pageLimit } from './request.ts'

type StoreService = ServiceHandlers<typeof daemon.StoreService>
type At = (request: { readonly storeId: Uint8Array }) => StoreHandle
type EpochStatus = ReturnType<StoreHandle['epochPage']>['epochs'][number]

const PAGE = { fallback: 100, max: 1_000 }

export function epochHandlers(
  at: At,
): Pick<StoreService, 'revokePeer' | 'listEpochs' | 'followEpoch' | 'listExcluded'> {
  return {
    revokePeer: async (request, signal) => {
      const { peer: reference, self, force } = request
      if (self !== (reference === '')) {
        throw new InvalidArgument('a peer is revoked by name, this node as itself: ask for one of the two', {})
      }
      const store = at(request)
      const { peer, epoch } = await (self ? store.revokeSelf({ force, signal }) : store.revokePeer(reference))
      return create(daemon.RevokePeerResponseSchema, { peer: toPeerInfo(peer), epoch: toEpoch(epoch) })
    },
    listEpochs: async (request) => {
      const after = readPageToken(request.pageToken)
      const { epochs, total, next } = at(request).epochPage({ limit: pageLimit(request.limit, PAGE), ...after })
      return create(daemon.ListEpochsResponseSchema, {
        epochs: epochs.map(toEpoch),
        total: BigInt(total),
        ...(next && { nextPageToken: next }),
      })
    },
    followEpoch: async function* (request, signal) {
      const id = readIntentionId(request.epoch)
      if (id === undefined)
        throw new InvalidArgument('an epoch is named by the 32 bytes of its id: list the epochs', {})
      for await (const epoch of at(request).followEpoch(id, signal)) yield toEpoch(epoch)
    },
    listExcluded: async (request) => listExcluded(at(request), pageLimit(request.limit, PAGE)),
  }
}

/** A page goes on after the last epoch of the one before. */
function readPageToken(token: Uint8Array): { readonly after?: IntentionId } {
  if (token.length === 0) return {}
  const after = readIntentionId(token)
  if (after === undefined) throw new InvalidArgument('the page token is none that a page of epochs came with', {})
  return { after }
}

function listExcluded(store: StoreHandle, limit: number): daemon.ListExcludedResponse {
  // Asked for one more: that there are more is told.
  const excluded = store.excluded(limit + 1)
  const kernel = store.kernel()
  return create(daemon.ListExcludedResponseSchema, {
    entries: excluded.slice(0, limit).map(({ id, author, timestamp, epoch, isLink }) => {
      const stored = kernel.get(id)
      return {
        id,
        author,
        wall: BigInt(timestamp.wall),
        ...(epoch === undefined ? {} : { epoch }),
        link: isLink,
        summary: stored === undefined ? '' : formatSExpr(store.summarize(stored.parsed.op)),
      }
    }),
    more: excluded.length > limit,
  })
}

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
