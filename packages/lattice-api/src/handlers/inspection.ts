/**
 * Shows a store's log: intentions, witness records, what floats, tips.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import {
  assert,
  decodeWitnessContent,
  formatSExpr,
  intentionToSExpr,
  isSigned,
  LatticeError,
  type ParsedIntention,
  toHex,
  type WitnessRecord,
} from '@lattice/model'
import type { StoreHandle } from '@lattice/node'
import { daemon } from '@lattice/proto'
import { InvalidArgument } from '@lattice/store-base'
import { pageLimit, position } from './request.ts'

type Kernel = ReturnType<StoreHandle['kernel']>
type Stored = ReturnType<Kernel['getByPrefix']>[number]

/** A page of history or witness records. */
const LOG_PAGE = { fallback: 100, max: 1_000 }
const HISTORY_PAGE = { fallback: 50, max: 1_000 }
/** Shorter prefixes match too much to mean anything. */
const MIN_PREFIX_DIGITS = 4

/** No intention here has that prefix; it may not have arrived. */
export class IntentionNotFound extends LatticeError {
  override readonly name = 'IntentionNotFound'
  readonly code = 'INTENTION_NOT_FOUND'
  override readonly detail: { readonly prefix: string }

  constructor(prefix: string) {
    super(`no intention here begins with ${prefix}: check the id, or sync and look again`)
    this.detail = { prefix }
  }
}

/** Several intentions have that prefix. */
export class IntentionAmbiguous extends LatticeError {
  override readonly name = 'IntentionAmbiguous'
  readonly code = 'INTENTION_AMBIGUOUS'
  override readonly detail: { readonly prefix: string; readonly candidates: readonly string[] }

  constructor(prefix: string, candidates: readonly string[]) {
    super(`${candidates.length} intentions begin with ${prefix}: give more digits`)
    this.detail = { prefix, candidates }
  }
}

interface Place {
  readonly seq: number | undefined
  readonly floating: string | undefined
}

export function toIntentionDetails(store: StoreHandle, parsed: ParsedIntention, place: Place): daemon.IntentionDetails {
  const { id, intention, op, bytes } = parsed
  return create(daemon.IntentionDetailsSchema, {
    id,
    author: intention.author,
    wall: BigInt(intention.timestamp.wall),
    counter: intention.timestamp.counter,
    storePrev: intention.storePrev,
    causalDeps: [...intention.causalDeps],
    summary: formatSExpr(store.summarize(op)),
    seq: BigInt(place.seq ?? 0),
    floating: place.floating ?? '',
    text: formatSExpr(intentionToSExpr(parsed, store.summarize), { pretty: true }),
    signed: isSigned(parsed),
    size: bytes.length,
  })
}

/** The one intention, witnessed or floating, that a prefix names. */
export function findStored(kernel: Pick<Kernel, 'getByPrefix'>, prefix: string): Stored {
  if (!/^[0-9a-fA-F]+$/u.test(prefix) || prefix.length < MIN_PREFIX_DIGITS) {
    throw new InvalidArgument(`an intention is named by ${MIN_PREFIX_DIGITS} or more hex digits of its id`, { prefix })
  }
  const [found, ...others] = kernel.getByPrefix(prefix.toLowerCase())
  if (found === undefined) throw new IntentionNotFound(prefix)
  if (others.length > 0) {
    throw new IntentionAmbiguous(
      prefix,
      [found, ...others].map((one) => toHex(one.parsed.id)),
    )
  }
  return found
}

export function findIntention(store: StoreHandle, prefix: string): daemon.IntentionDetails {
  const found = findStored(store.kernel(), prefix)
  return toIntentionDetails(store, found.parsed, found)
}

export function readHistory(store: StoreHandle, request: daemon.HistoryRequest): daemon.HistoryResponse {
  const before = position(request.beforeSeq)
  const entries = store.kernel().history(before === 0 ? undefined : before, pageLimit(request.limit, HISTORY_PAGE))
  const oldest = entries.at(-1)?.seq ?? 1
  return create(daemon.HistoryResponseSchema, {
    intentions: entries.map(({ parsed, seq }) => toIntentionDetails(store, parsed, { seq, floating: undefined })),
    nextBeforeSeq: BigInt(oldest > 1 ? oldest : 0),
  })
}

export function listWitness(store: StoreHandle, request: daemon.ListWitnessRequest): daemon.ListWitnessResponse {
  const kernel = store.kernel()
  const from = Math.max(1, position(request.fromSeq))
  const entries = kernel.scanWitness(from, pageLimit(request.limit, LOG_PAGE))
  return create(daemon.ListWitnessResponseSchema, {
    entries: entries.map((entry) => ({
      seq: BigInt(entry.seq),
      intentionId: entry.parsed.id,
      wallTime: BigInt(entry.wallTime),
      prevHash: prevHashOf(entry.record),
      hash: entry.chainHash,
      signed: entry.record.signature.length > 0,
    })),
    headSeq: BigInt(kernel.stats().witnessCount),
  })
}

function prevHashOf(record: WitnessRecord): Uint8Array {
  const content = decodeWitnessContent(record.content)
  assert(content.ok, 'a record of our own log decodes')
  return content.value.prevHash
}

export function listFloating(store: StoreHandle, request: daemon.ListFloatingRequest): daemon.ListFloatingResponse {
  const kernel = store.kernel()
  return create(daemon.ListFloatingResponseSchema, {
    entries: kernel.floating(pageLimit(request.limit, LOG_PAGE)).map(({ parsed, reason, missing }) => ({
      intention: toIntentionDetails(store, parsed, { seq: undefined, floating: reason }),
      reason,
      missing: [...missing],
    })),
    total: BigInt(kernel.stats().floatingCount),
  })
}

export function listTips(store: StoreHandle): daemon.ListTipsResponse {
  const kernel = store.kernel()
  const names = new Map(store.peers().map((peer) => [toHex(peer.publicKey), peer.name]))
  const tips = kernel.tips().flatMap(({ author, tips: ends }) =>
    ends.map(({ id, position: place, timestamp, joined }) => ({
      author,
      id,
      position: BigInt(place),
      seq: BigInt(kernel.get(id)?.seq ?? 0),
      wall: BigInt(timestamp.wall),
      authorName: names.get(toHex(author)) ?? '',
      joined,
    })),
  )
  return create(daemon.ListTipsResponseSchema, { tips })
}

export function listRejections(
  store: StoreHandle,
  request: daemon.ListRejectionsRequest,
): daemon.ListRejectionsResponse {
  const kernel = store.kernel()
  const rejections = kernel.rejections(position(request.afterSeq), pageLimit(request.limit, LOG_PAGE))
  return create(daemon.ListRejectionsResponseSchema, {
    entries: rejections.map(({ seq, id, reason }) => ({ seq: BigInt(seq), intentionId: id, reason })),
    total: BigInt(kernel.stats().rejectionCount),
  })
}
