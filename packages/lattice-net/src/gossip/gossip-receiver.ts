/**
 * The receiving side of a gossip stream: takes runs in, one after the other, and says what became of each; notes are
 * taken in at once.
 *
 * A run for a store that is not here, or not shared with the sender, is answered by a refusal in its place and the
 * stream goes on: the sender cannot know. A note about a topic that is not here is answered alike.
 *
 * @module
 */
import { assert, type Crypto, type IngestOutcome } from '@lattice/model'
import { net } from '@lattice/proto'
import { claimFields, claimTo } from '../claimed-digest.ts'
import type { Frame, FrameInit } from '../frame.ts'
import type { ArrivedRun } from './gossip-run.ts'
import { readBroadcast, runBytes } from './tree-frames.ts'
import { ANNOUNCED_RUN_BYTES, PUSH_WINDOW } from '../limits.ts'
import { readOptionalClaim } from '../reconcile.ts'
import type { SessionStore } from '../session-call.ts'
import {
  type Effect,
  type Effects,
  type Fail,
  finish,
  noSuchStore,
  refusalFrameOf,
  send,
  type SessionMachine,
  unexpected,
  violation,
} from '../session.ts'

/** What became of a note: taken in, of a topic that is not here, of a store that is not, or broken. */
export type NoteOutcome = 'noted' | 'stranger' | 'unshared' | { readonly violation: string }

export interface GossipReceiverOptions {
  readonly crypto: Crypto
  /** The store as the sender may use it; undefined for any other. */
  readonly resolve: (storeId: Uint8Array) => SessionStore | undefined
  /** What is answered of a store that the sender may not use. */
  readonly refusal?: (storeId: Uint8Array) => Fail
  /** Whether the run is to be taken in, asked as its turn comes: it may be here already. */
  readonly isNew: (arrived: ArrivedRun) => boolean
  /** The sender was told what the store adds up to. */
  readonly onTold: (store: SessionStore) => void
  /** Takes in a frame that is none of a run; undefined for one that is no note. */
  readonly note: (frame: Frame) => NoteOutcome | undefined
}

/** A run that waits for its turn or is being taken in; without a store it waits to be refused. */
type Owed =
  | { readonly kind: 'refusal'; readonly storeId: Uint8Array }
  | { readonly kind: 'run'; readonly store: SessionStore; readonly arrived: ArrivedRun }

/** Waits for frames until the peer ends its side. */
export function createGossipReceiver(options: GossipReceiverOptions): SessionMachine<void> {
  const { isNew } = options
  // In the order of arrival; the first may be under way.
  const owed: Owed[] = []
  let working = false

  function take(frame: net.Push): Effects<void> {
    // An honest sender waits for answers; those owed are kept here.
    if (owed.length >= PUSH_WINDOW) return [violation('push_window_exceeded')]
    const read = readRun(frame, options)
    if ('violation' in read) return [violation(read.violation)]
    owed.push(read)
    return advance()
  }
  /** Answers what can be answered at once, in order, and begins with the first that cannot. */
  function advance(): Effects<void> {
    const effects: Effect<void>[] = []
    while (!working) {
      const [next] = owed
      if (next === undefined) break
      if (next.kind === 'refusal' || !next.store.allowed()) {
        owed.shift()
        effects.push(send(refusal(next.kind === 'refusal' ? next.storeId : next.store.id)))
      } else if (isNew(next.arrived)) {
        working = true
        const { store, arrived } = next
        effects.push({ kind: 'call', call: { kind: 'take_run', store, arrived } })
      } else {
        owed.shift()
        effects.push(result(next, []))
      }
    }
    return effects
  }
  function refusal(storeId: Uint8Array): FrameInit {
    const { failure } = options.refusal?.(storeId) ?? noSuchStore()
    const frame = refusalFrameOf(failure)
    assert(frame !== undefined, 'a refusal is told')
    return frame
  }
  function result(run: Extract<Owed, { kind: 'run' }>, outcomes: readonly IngestOutcome[]): Effect<void> {
    if (isToTell(run)) options.onTold(run.store)
    return send(resultFrame(run, outcomes))
  }
  function note(frame: Frame): Effects<void> {
    const outcome = options.note(frame)
    if (outcome === undefined) return [unexpected(frame)]
    if (typeof outcome === 'object') return [violation(outcome.violation)]
    return [send({ case: 'noted', value: { refused: REFUSED[outcome] } })]
  }

  return {
    start: () => [],
    receive: (frame) => (frame.case === 'push' ? take(frame.value) : note(frame)),
    answered: (answer) => {
      assert(answer.kind === 'ingested', 'a gossip receiver takes in only')
      const done = owed.shift()
      assert(working && done?.kind === 'run', 'an answer is to the run under way')
      working = false
      return [result(done, answer.outcomes), ...advance()]
    },
    ended: () => [finish(undefined)],
    held: () => owed.slice(working ? 1 : 0).reduce((sum, each) => sum + bytesOf(each), 0),
    idle: () => true,
    lasting: () => true,
  }
}

const REFUSED: Readonly<Record<Extract<NoteOutcome, string>, net.RefusalCode>> = {
  noted: net.RefusalCode.UNSPECIFIED,
  stranger: net.RefusalCode.NO_SUCH_TOPIC,
  unshared: net.RefusalCode.NO_SUCH_STORE,
}

function readRun(frame: net.Push, { crypto, resolve }: GossipReceiverOptions): Owed | { readonly violation: string } {
  const claim = readOptionalClaim(frame)
  if (claim === 'malformed') return { violation: 'push_malformed' }
  const read = readBroadcast(frame, crypto)
  if (!read.ok) return { violation: read.error }
  const { message, topic } = read.value
  if (message.kind !== 'gossip') return { violation: 'push_malformed' }
  const { payload } = message
  if (payload.kind === 'announced' && payload.bytes > ANNOUNCED_RUN_BYTES) return { violation: 'announced_too_large' }
  const store = resolve(frame.storeId)
  if (store === undefined || !store.allowed()) return { kind: 'refusal', storeId: frame.storeId }
  return { kind: 'run', store, arrived: { message, topic, claim } }
}

function bytesOf(each: Owed): number {
  if (each.kind === 'refusal') return 0
  const { payload } = each.arrived.message
  return payload.kind === 'run' ? runBytes(payload.intentions) : 0
}

/** What the run brought may have ended the sender's part in the store. */
function isToTell({ store, arrived }: Extract<Owed, { kind: 'run' }>): boolean {
  return arrived.claim !== undefined && store.allowed()
}

function resultFrame(run: Extract<Owed, { kind: 'run' }>, outcomes: readonly IngestOutcome[]): FrameInit {
  const { store } = run
  const count = (kind: IngestOutcome['kind']): number => outcomes.filter((outcome) => outcome.kind === kind).length
  const counts = { witnessed: count('witnessed'), floating: count('floating'), invalid: count('invalid') }
  // Over that of the sender, where it is here.
  const claim = isToTell(run) ? claimFields(claimTo(store, run.arrived.claim?.base)) : {}
  return { case: 'pushResult', value: { storeId: store.id, ...counts, ...claim } }
}
