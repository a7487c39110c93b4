/**
 * The foundation from one peer, page after page: its numbering is its own.
 *
 * A page is asked for as the one before came, while the writer takes that in.
 *
 * @module
 */
import type { IdKey, IntentionId } from '@lattice/model'
import type { SnapshotAnswer } from './snapshot-client.ts'
import type { WriterWork } from './snapshot-effect.ts'
import type { Came, FetchView } from './snapshot-member.ts'

/** Pages that may wait for the writer. */
const PAGES_AHEAD = 2

export interface ItemFetch {
  /** Who gives it. */
  readonly server: IdKey
  readonly base: IntentionId
  readonly came: (answer: Extract<SnapshotAnswer, { kind: 'items' }>, came: Came) => void
  /** So many items were taken in. */
  readonly took: (count: number) => void
  readonly askMore: (view: FetchView) => void
  readonly nextWork: (view: FetchView) => WriterWork | undefined
  /** What the peer was asked for does not come. */
  readonly forget: (peer: IdKey) => void
  readonly progress: () => { readonly done: number; readonly total: number }
}

/** Goes on after so many items. */
export function createItemFetch(server: IdKey, base: IntentionId, items: number): ItemFetch {
  let taken = items
  let fetched = items
  let total: number | undefined
  /** Items that the writer is taking in. */
  let writing = 0
  const waiting: (readonly Uint8Array[])[] = []

  return {
    server,
    base,
    came: (answer, { member }) => {
      if (member.key !== server || answer.after !== fetched) return
      // More peers may vouch for it meanwhile: what proves it comes last.
      total = answer.total
      fetched += answer.items.length
      if (answer.items.length > 0) waiting.push(answer.items)
    },
    took: (count) => {
      taken += count
      writing = 0
    },
    askMore: (view) => {
      const member = view.members().find(({ key }) => key === server)
      const isAsked = member?.asks.some(({ request }) => request.kind === 'items') === true
      if (member === undefined || isAsked || fetched === total || waiting.length >= PAGES_AHEAD) return
      view.ask(member, { kind: 'items', base, after: fetched })
    },
    nextWork: () => {
      const next = waiting.shift()
      writing = next?.length ?? 0
      if (next !== undefined) return { kind: 'items', items: next }
      return taken === total ? { kind: 'end_items' } : undefined
    },
    forget: (peer) => {
      if (peer !== server) return
      // What came is good; only what did not is asked for anew.
      fetched = taken + writing + waiting.reduce((sum, page) => sum + page.length, 0)
    },
    progress: () => ({ done: taken, total: total ?? taken }),
  }
}
