/**
 * Serves what a pruned log stands on, and the state at an epoch, to who makes the store anew.
 *
 * One request at a time per stream, read only as fast as the peer takes what came before; a few more may wait. Every request
 * names its store, and what it is about: where that is no more, it is refused, and the peer begins anew. Nothing is kept for
 * a peer between two requests, so it may go on with any, after any break.
 *
 * @module
 */
import { assert, type IntentionId, readIntentionId, readStoreId } from '@lattice/model'
import type { RowPlace, SnapshotRead, SnapshotRow } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { type Frame, type FrameInit, readCount } from './frame.ts'
import { LOG_REQUESTS_AHEAD, OUTLINE_PAGES, SNAPSHOT_PART_BYTES, SNAPSHOT_ROW_BYTES_MAX } from './limits.ts'
import { comparePlaces, placeFields, readOptionalPlace } from './row-places.ts'
import type { SessionAnswer, SessionCall, SessionStore } from './session-call.ts'
import {
  type Effects,
  type Fail,
  finish,
  noSuchStore,
  refuse,
  send,
  type SessionMachine,
  snapshotGone,
  unexpected,
  violation,
} from './session.ts'

/** What was served on one stream. */
export interface ServedPages {
  readonly items: number
  readonly rows: number
}

export interface ServeSnapshotOptions {
  /** The store as the peer may use it; undefined for any other. */
  readonly resolve: (storeId: Uint8Array) => SessionStore | undefined
  /** What is answered of a store that the peer may not use. */
  readonly refusal?: (storeId: Uint8Array) => Fail
}

/** Waits for requests until the peer ends its side. */
export function createSnapshotServer(options: ServeSnapshotOptions): SessionMachine<ServedPages> {
  const server = new SnapshotServer(options)
  return {
    start: () => [],
    receive: (frame) => server.receive(frame),
    answered: (answer) => server.answered(answer),
    ended: () => [finish(server.served())],
  }
}

/** The request being answered. */
type Serving = { readonly store: SessionStore } & (
  | { readonly kind: 'items'; readonly base: IntentionId; readonly after: number }
  | { readonly kind: 'rows'; readonly epoch: IntentionId; readonly through: RowPlace | undefined }
  /** Of a row that does not fit a frame, from a byte on. */
  | { readonly kind: 'parts'; readonly read: SnapshotRead; readonly row: SnapshotRow; readonly from: number }
  | { readonly kind: 'outline'; readonly epoch: IntentionId; readonly ends: RowPlace[] }
)

class SnapshotServer {
  readonly #options: ServeSnapshotOptions
  #serving: Serving | undefined
  /** Requests that came meanwhile, oldest first. */
  readonly #waiting: Frame[] = []
  #items = 0
  #rows = 0

  constructor(options: ServeSnapshotOptions) {
    this.#options = options
  }

  served(): ServedPages {
    return { items: this.#items, rows: this.#rows }
  }
  receive(frame: Frame): Effects<ServedPages> {
    if (this.#serving === undefined) return this.#begin(frame)
    if (this.#waiting.length >= LOG_REQUESTS_AHEAD) return [violation('too_many_requests')]
    this.#waiting.push(frame)
    return []
  }
  answered(answer: SessionAnswer): Effects<ServedPages> {
    const effects = [...this.#answer(answer)]
    // What is answered at once leaves room for the next.
    while (this.#serving === undefined && !effects.some(({ kind }) => kind === 'fail')) {
      const next = this.#waiting.shift()
      if (next === undefined) break
      effects.push(...this.#begin(next))
    }
    return effects
  }

  #begin(frame: Frame): Effects<ServedPages> {
    switch (frame.case) {
      case 'baseRequest':
        return this.#withStore(frame.value, (store) => [send({ case: 'baseOffer', value: offerOf(store) })])
      case 'foundationRequest':
        return this.#withStore(frame.value, (store) => this.#foundation(store, frame.value))
      case 'snapshotRequest':
        return this.#withStore(frame.value, (store) => this.#snapshot(store, frame.value))
      case 'outlineRequest':
        return this.#withStore(frame.value, (store) => this.#outline(store, frame.value))
      default:
        return [unexpected(frame)]
    }
  }
  #withStore(
    { storeId: bytes }: { readonly storeId: Uint8Array },
    serve: (store: SessionStore) => Effects<ServedPages>,
  ): Effects<ServedPages> {
    const storeId = readStoreId(bytes)
    const store = storeId === undefined ? undefined : this.#options.resolve(storeId)
    if (store?.allowed() === true) return serve(store)
    return [(storeId && this.#options.refusal?.(storeId)) ?? noSuchStore()]
  }
  #pull(serving: Serving, call: SessionCall): Effects<ServedPages> {
    this.#serving = serving
    return [{ kind: 'pull', call }]
  }

  #foundation(store: SessionStore, request: net.FoundationRequest): Effects<ServedPages> {
    const base = readIntentionId(request.base)
    const after = readCount(request.after)
    if (base === undefined || after === undefined) return [violation('foundation_request_malformed')]
    return this.#pull({ kind: 'items', store, base, after }, { kind: 'read_foundation', store, base, after })
  }
  #snapshot(store: SessionStore, request: net.SnapshotRequest): Effects<ServedPages> {
    const epoch = readIntentionId(request.epoch)
    const [after, through] = [readOptionalPlace(request.after), readOptionalPlace(request.through)]
    if (epoch === undefined || after === 'malformed' || through === 'malformed') {
      return [violation('snapshot_request_malformed')]
    }
    return this.#pull({ kind: 'rows', store, epoch, through }, { kind: 'read_snapshot', store, epoch, after })
  }
  #outline(store: SessionStore, request: net.OutlineRequest): Effects<ServedPages> {
    const epoch = readIntentionId(request.epoch)
    const after = readOptionalPlace(request.after)
    if (epoch === undefined || after === 'malformed') return [violation('snapshot_request_malformed')]
    return this.#pull({ kind: 'outline', store, epoch, ends: [] }, { kind: 'read_snapshot', store, epoch, after })
  }

  #answer(answer: SessionAnswer): Effects<ServedPages> {
    const serving = this.#serving
    assert(serving !== undefined, 'a read answers a request')
    this.#serving = undefined
    if (!serving.store.allowed()) return [noSuchStore()]
    if (serving.kind === 'items') return this.#foundationPage(serving, answer)
    if (serving.kind === 'parts') return this.#part(serving)
    assert(answer.kind === 'snapshot', 'rows are read')
    if (answer.read === undefined) return [snapshotGone()]
    return serving.kind === 'rows' ? this.#snapshotPage(serving, answer.read) : this.#outlinePage(serving, answer.read)
  }
  #foundationPage({ base, after }: Extract<Serving, { kind: 'items' }>, answer: SessionAnswer): Effects<ServedPages> {
    assert(answer.kind === 'foundation', 'items are read')
    if (answer.read === undefined) return [snapshotGone()]
    const { items, total } = answer.read
    if (after > total) return [violation('foundation_after_its_end')]
    this.#items += items.length
    const value = { base, after: BigInt(after), items: [...items], total: BigInt(total) }
    return [send({ case: 'foundationPage', value })]
  }
  #snapshotPage({ store, through }: Extract<Serving, { kind: 'rows' }>, read: SnapshotRead): Effects<ServedPages> {
    const rows = read.rows.filter((row) => through === undefined || comparePlaces(row, through) <= 0)
    const end = rows.at(-1)
    const isThrough = end !== undefined && through !== undefined && comparePlaces(end, through) === 0
    const page: SnapshotRead = { ...read, rows, isLast: read.isLast || rows.length < read.rows.length || isThrough }
    this.#rows += rows.length
    const [first] = rows
    if (first !== undefined && first.value.length > SNAPSHOT_ROW_BYTES_MAX) {
      return [refuse(net.RefusalCode.LIMIT_EXCEEDED, 'a row of the state is larger than what is sent')]
    }
    if (rows.length === 1 && first !== undefined && first.value.length > SNAPSHOT_PART_BYTES) {
      return this.#part({ kind: 'parts', store, read: page, row: first, from: 0 })
    }
    const fields = rows.map((row) => ({ ...placeFields(row), value: row.value }))
    return [send(pageFrame(page, fields))]
  }
  /** The next part of a row; the one after it once this is on its way. */
  #part({ store, read, row, from }: Extract<Serving, { kind: 'parts' }>): Effects<ServedPages> {
    const value = row.value.subarray(from, from + SNAPSHOT_PART_BYTES)
    const rest = row.value.length - from - value.length
    const frame = send(pageFrame(read, [{ ...placeFields(row), value, rest: BigInt(rest) }]))
    if (rest === 0) return [frame]
    const next: Serving = { kind: 'parts', store, read, row, from: from + value.length }
    return [frame, ...this.#pull(next, { kind: 'next_turn' })]
  }
  #outlinePage(serving: Extract<Serving, { kind: 'outline' }>, read: SnapshotRead): Effects<ServedPages> {
    const { store, epoch, ends } = serving
    const end = read.rows.at(-1)
    if (!read.isLast && end !== undefined) ends.push({ table: end.table, key: end.key })
    if (!read.isLast && end !== undefined && ends.length < OUTLINE_PAGES) {
      return this.#pull(serving, { kind: 'read_snapshot', store, epoch, after: end })
    }
    return [send({ case: 'outline', value: { epoch, ends: ends.map(placeFields) } })]
  }
}

function offerOf(store: SessionStore): Extract<FrameInit, { case: 'baseOffer' }>['value'] {
  const base = store.base()
  const served = store.snapshot()
  return {
    ...(base === undefined ? {} : { base: base.epoch, baseSeq: base.seq }),
    ...(served === undefined ? {} : { snapshot: served.epoch, root: served.root, rows: BigInt(served.rows) }),
  }
}

interface RowFields {
  readonly table: net.RowTable
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly rest?: bigint
}

function pageFrame({ epoch, root, isLast }: SnapshotRead, rows: RowFields[]): FrameInit {
  return { case: 'snapshotPage', value: { epoch, root, rows, last: isLast } }
}
