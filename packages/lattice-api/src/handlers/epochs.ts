/**
 * Epochs: what they are, who has acknowledged them, and what they cut.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { formatSExpr, readIntentionId } from '@lattice/model'
import type { StoreHandle } from '@lattice/node'
import { daemon } from '@lattice/proto'
import { InvalidArgument } from '@lattice/store-base'
import type { ServiceHandlers } from '../service-types.ts'
import { toEpoch } from './epoch-message.ts'
import { toPeerInfo } from './messages.ts'
import { pageLimit } from './request.ts'

type StoreService = ServiceHandlers<typeof daemon.StoreService>
type At = (request: { readonly storeId: Uint8Array }) => StoreHandle
type EpochPageOptions = Parameters<StoreHandle['epochPage']>[0]

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
        ...(next && { nextPageToken: Uint8Array.of(next.counts ? COUNTS : FAULTY, ...next.id) }),
      })
    },
    followEpoch: async function* (request, signal) {
      const id = readIntentionId(request.epoch)
      if (id === undefined)
        throw new InvalidArgument('an epoch is named by the 32 bytes of its id: list the epochs', {})
      for await (const epoch of at(request).followEpoch(id, signal)) yield toEpoch(epoch)
    },
    listExcluded: async (request) => listExcluded(at(request), request),
  }
}

/** First byte of a page token, by whether its epoch counted. */
const [FAULTY, COUNTS] = [0, 1]

/** A page goes on after the last epoch of the one before, where that was told. */
function readPageToken(token: Uint8Array): Pick<EpochPageOptions, 'after'> {
  if (token.length === 0) return {}
  const [kind, id] = [token[0], readIntentionId(token.subarray(1))]
  if (id === undefined || (kind !== COUNTS && kind !== FAULTY)) {
    throw new InvalidArgument('the page token is none that a page of epochs came with', {})
  }
  return { after: { id, counts: kind === COUNTS } }
}

function listExcluded(
  store: StoreHandle,
  { limit, pageToken }: daemon.ListExcludedRequest,
): daemon.ListExcludedResponse {
  const after = readIntentionId(pageToken)
  if (after === undefined && pageToken.length > 0) {
    throw new InvalidArgument('the page token is none that a page of what is excluded came with', {})
  }
  const { entries, next } = store.excludedPage({ limit: pageLimit(limit, PAGE), ...(after && { after }) })
  const kernel = store.kernel()
  return create(daemon.ListExcludedResponseSchema, {
    entries: entries.map(({ id, author, timestamp, epoch, isLink }) => {
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
    ...(next && { nextPageToken: next }),
  })
}
