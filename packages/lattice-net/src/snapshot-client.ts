/**
 * The asking side of a pruned store at one peer: its base, what a log over it begins with, and rows of the state.
 *
 * What comes is checked as far as it can be by itself: it is what was asked for, within its bounds and in order. What it is
 * worth, whoever takes it in says.
 *
 * @module
 */
import {
  concatBytes,
  equalBytes,
  type Hash,
  HASH_BYTES,
  type IntentionId,
  type NumberedEpoch,
  readIntentionId,
  toHash,
} from '@lattice/model'
import type { StoreId } from '@lattice/model'
import type { RowPlace, SnapshotRow, WriterSnapshot } from '@lattice/net-types'
import type { net } from '@lattice/proto'
import { type Frame, type FrameInit, readCount } from './frame.ts'
import {
  FOUNDATION_PAGE_ITEMS_MAX,
  OUTLINE_PAGES,
  SNAPSHOT_PAGE_ROWS_MAX,
  SNAPSHOT_PART_BYTES,
  SNAPSHOT_ROW_BYTES_MAX,
} from './limits.ts'
import { type AnswerPart, createRequestClient, type RequestClient } from './request-client.ts'
import { comparePlaces, placeFields, readPlace } from './row-places.ts'
import { readBase } from './session-base.ts'
import { broken, type Effect, type Fail, violation } from './session.ts'

/** What a peer can be asked for. */
export type SnapshotRequest =
  | { readonly kind: 'base' }
  | { readonly kind: 'items'; readonly base: IntentionId; readonly after: number }
  | RowsRequest
  | { readonly kind: 'outline'; readonly target: WriterSnapshot; readonly after: RowPlace | undefined }

export interface RowsRequest {
  readonly kind: 'rows'
  readonly target: WriterSnapshot
  /** Rows above this place, up to the other. */
  readonly after: RowPlace | undefined
  readonly through: RowPlace | undefined
}

/** What a peer says that it serves. */
export interface BaseOffer {
  /** Undefined where it has the whole history. */
  readonly base: NumberedEpoch | undefined
  readonly snapshot: (WriterSnapshot & { readonly rows: number }) | undefined
}

/** A whole answer. */
export type SnapshotAnswer =
  | { readonly kind: 'base'; readonly offer: BaseOffer }
  | { readonly kind: 'items'; readonly items: readonly Uint8Array[]; readonly after: number; readonly total: number }
  | { readonly kind: 'rows'; readonly rows: readonly SnapshotRow[]; readonly isLast: boolean }
  | { readonly kind: 'outline'; readonly ends: readonly RowPlace[] }

export interface SnapshotClientOptions {
  readonly storeId: StoreId
  /** Sent with the opening; at least one. */
  readonly requests: readonly SnapshotRequest[]
  readonly onAnswer: (answer: SnapshotAnswer) => readonly (Effect<never> & { readonly kind: 'call' | 'fail' })[]
}

/** Finishes as soon as everything that was asked for has been answered and taken in. */
export function createSnapshotClient({
  storeId,
  requests,
  onAnswer,
}: SnapshotClientOptions): RequestClient<SnapshotRequest> {
  const parts = createRowParts()
  return createRequestClient<SnapshotRequest, SnapshotAnswer>({
    requests,
    toFrame: (request) => requestFrame(storeId, request),
    read: (request, frame) => readAnswer(request, frame, parts),
    onAnswer,
    held: parts.held,
  })
}

function requestFrame(storeId: StoreId, request: SnapshotRequest): FrameInit {
  const placed = (place: RowPlace | undefined, name: 'after' | 'through') =>
    place === undefined ? {} : { [name]: placeFields(place) }
  switch (request.kind) {
    case 'base':
      return { case: 'baseRequest', value: { storeId } }
    case 'items':
      return { case: 'foundationRequest', value: { storeId, base: request.base, after: BigInt(request.after) } }
    case 'rows': {
      const { target, after, through } = request
      const value = { storeId, epoch: target.epoch, ...placed(after, 'after'), ...placed(through, 'through') }
      return { case: 'snapshotRequest', value }
    }
    case 'outline': {
      const { target, after } = request
      return { case: 'outlineRequest', value: { storeId, epoch: target.epoch, ...placed(after, 'after') } }
    }
  }
}

type Part = AnswerPart<SnapshotAnswer> | Fail | undefined

function readAnswer(request: SnapshotRequest, frame: Frame, parts: RowParts): Part {
  if (request.kind === 'base' && frame.case === 'baseOffer') return readOffer(frame.value)
  if (request.kind === 'items' && frame.case === 'foundationPage') return readItems(request, frame.value)
  if (request.kind === 'rows' && frame.case === 'snapshotPage') return readRows(request, frame.value, parts)
  if (request.kind === 'outline' && frame.case === 'outline') return readOutline(request, frame.value)
  return undefined
}

function whole(answer: SnapshotAnswer): AnswerPart<SnapshotAnswer> {
  return { answer, isWhole: true }
}

function readOffer(frame: net.BaseOffer): Part {
  const base = readBase(frame)
  const epoch = readIntentionId(frame.snapshot)
  const rows = readCount(frame.rows)
  if (base === 'malformed' || rows === undefined) return violation('offer_malformed')
  if (epoch === undefined) {
    if (frame.snapshot.length + frame.root.length > 0) return violation('offer_malformed')
    return whole({ kind: 'base', offer: { base, snapshot: undefined } })
  }
  if (frame.root.length !== HASH_BYTES) return violation('offer_malformed')
  return whole({ kind: 'base', offer: { base, snapshot: { epoch, root: toHash(frame.root), rows } } })
}

/** Items as they were asked for, from `after` on. */
export function readItems(
  request: { readonly base: IntentionId; readonly after: number },
  frame: net.FoundationPage,
): Fail | { readonly answer: Extract<SnapshotAnswer, { kind: 'items' }>; readonly isWhole: true } {
  const [after, total] = [readCount(frame.after), readCount(frame.total)]
  if (after === undefined || total === undefined) return violation('foundation_malformed')
  if (!equalBytes(frame.base, request.base)) return broken('foundation_of_another_base')
  if (after !== request.after) return broken('foundation_reordered')
  const { items } = frame
  if (items.length === 0 && after !== total) return broken('foundation_page_empty')
  if (items.length > FOUNDATION_PAGE_ITEMS_MAX) return violation('foundation_page_too_long')
  if (after + items.length > total) return broken('foundation_longer_than_said')
  return { answer: { kind: 'items', items, after, total }, isWhole: true }
}

function readOutline({ target, after }: Extract<SnapshotRequest, { kind: 'outline' }>, frame: net.Outline): Part {
  if (!equalBytes(frame.epoch, target.epoch)) return broken('snapshot_of_another_epoch')
  if (frame.ends.length > OUTLINE_PAGES) return violation('outline_too_long')
  const ends: RowPlace[] = []
  for (const end of frame.ends) {
    const place = readPlace(end)
    if (place === undefined) return violation('row_malformed')
    const before = ends.at(-1) ?? after
    if (before !== undefined && comparePlaces(place, before) <= 0) return broken('outline_reordered')
    ends.push(place)
  }
  return whole({ kind: 'outline', ends })
}

function readRows(request: RowsRequest, frame: net.SnapshotPage, parts: RowParts): Part {
  const { target } = request
  if (!equalBytes(frame.epoch, target.epoch)) return broken('snapshot_of_another_epoch')
  if (!equalBytes(frame.root, target.root)) return broken('snapshot_of_another_root')
  if (frame.rows.length > SNAPSHOT_PAGE_ROWS_MAX) return violation('snapshot_page_too_long')
  if (frame.rows.length === 0 && !frame.last) return broken('snapshot_page_empty')
  const [first] = frame.rows
  const isPart = first !== undefined && (first.rest > 0n || parts.isBegun())
  if (isPart && frame.rows.length > 1) return violation('row_part_with_others')
  const rows: SnapshotRow[] = []
  for (const row of frame.rows) {
    const place = readPlace(row)
    if (place === undefined || (!isPart && row.rest > 0n)) return violation('row_malformed')
    rows.push({ ...place, value: row.value })
  }
  const fault = placesFault(rows, request)
  if (fault !== undefined) return broken(fault)
  const [part] = rows
  if (!isPart || part === undefined) {
    return parts.isBegun() ? broken('row_cut_short') : whole({ kind: 'rows', rows, isLast: frame.last })
  }
  return parts.take(part, { rest: first.rest, isLast: frame.last })
}

/** What is wrong with the order of rows, or with where they are. */
function placesFault(rows: readonly RowPlace[], { after, through }: RowsRequest): string | undefined {
  let last = after
  for (const row of rows) {
    if (last !== undefined && comparePlaces(row, last) <= 0) return 'rows_reordered'
    last = row
  }
  const isBeyond = rows.length > 0 && last !== undefined && through !== undefined && comparePlaces(last, through) > 0
  return isBeyond ? 'rows_not_asked_for' : undefined
}

/** A row that comes in parts, in frames of its own. */
interface RowParts {
  readonly isBegun: () => boolean
  readonly held: () => number
  readonly take: (
    part: SnapshotRow,
    more: { readonly rest: bigint; readonly isLast: boolean },
  ) => AnswerPart<SnapshotAnswer> | Fail
}

function createRowParts(): RowParts {
  let begun: { readonly place: RowPlace; readonly parts: Uint8Array[]; readonly size: number } | undefined
  let bytes = 0
  return {
    isBegun: () => begun !== undefined,
    held: () => bytes,
    take: (part, { rest, isLast }) => {
      const left = readCount(rest)
      const size = bytes + part.value.length + (left ?? Number.POSITIVE_INFINITY)
      if (left === undefined || size > SNAPSHOT_ROW_BYTES_MAX) return broken('row_too_large')
      if (left > 0 && part.value.length !== SNAPSHOT_PART_BYTES) return broken('row_part_of_another_length')
      begun ??= { place: part, parts: [], size }
      if (comparePlaces(begun.place, part) !== 0 || begun.size !== size) return broken('row_parts_do_not_fit')
      begun.parts.push(part.value)
      bytes += part.value.length
      if (left > 0) return { answer: undefined, isWhole: false }
      const row = { ...begun.place, value: concatBytes(...begun.parts) }
      begun = undefined
      bytes = 0
      return whole({ kind: 'rows', rows: [{ table: row.table, key: row.key, value: row.value }], isLast })
    },
  }
}

/** True for the same state. */
export function sameTarget(a: { readonly epoch: IntentionId; readonly root: Hash }, b: WriterSnapshot): boolean {
  return equalBytes(a.epoch, b.epoch) && equalBytes(a.root, b.root)
}
