/**
 * What a session asks its peer for, of all that turned out to be lacking: looked up some ids at a time, sent in frames.
 *
 * @module
 */
import type { IntentionId } from '@lattice/model'
import { READ_SLICE_IDS, WANT_IDS_MAX } from './limits.ts'
import type { SessionStore } from './session-call.ts'
import { type Effect, type Effects, send } from './session.ts'

export interface WantList {
  /** Looks up as many as one turn of the event loop takes; answers the frames that are complete. */
  readonly next: () => Effects<never>
  /** All frames were answered, the empty one that ends them too. */
  readonly isAsked: () => boolean
}

export function createWantList(store: Pick<SessionStore, 'wanted'>, ids: readonly IntentionId[]): WantList {
  let wanted: readonly IntentionId[] = []
  let lookedUp = 0
  let isAsked = false
  return {
    next: () => {
      wanted = [...wanted, ...store.wanted(ids.slice(lookedUp, lookedUp + READ_SLICE_IDS))]
      lookedUp += READ_SLICE_IDS
      isAsked = lookedUp >= ids.length
      const frames: Effect<never>[] = []
      while (wanted.length >= WANT_IDS_MAX || (isAsked && wanted.length > 0)) {
        frames.push(wantFrame(wanted.slice(0, WANT_IDS_MAX)))
        wanted = wanted.slice(WANT_IDS_MAX)
      }
      return isAsked ? [...frames, wantFrame([])] : frames
    },
    isAsked: () => isAsked,
  }
}

function wantFrame(ids: readonly IntentionId[]): Effect<never> {
  return send({ case: 'want', value: { ids: [...ids] } })
}
