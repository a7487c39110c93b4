/**
 * Peers with a common past or a fork between them, and sessions of theirs.
 *
 * @module
 */
import { equalBytes, type SignedIntention } from '@lattice/model'
import { expect } from 'vitest'
import type { Frame } from '../src/frame.ts'
import type { ReconcileOutcome } from '../src/reconcile.ts'
import { createReconcileInitiator } from '../src/reconcile-initiator.ts'
import { createReconcileResponder } from '../src/reconcile-responder.ts'
import type { SessionStore } from '../src/session-call.ts'
import { viewFor } from '../src/store-registry.ts'
import type { Unasked } from '../src/unasked.ts'
import { converse, type Conversation, type ConversationOptions } from './drive.ts'
import type { ModelStore } from './model-store.ts'
import { createPair, type Pair, type Peer } from './pair.ts'

export type Session = Conversation<ReconcileOutcome, ReconcileOutcome>

export interface SessionOptions extends ConversationOptions {
  readonly unaskedOfA?: Unasked
  readonly unaskedOfB?: Unasked
  readonly viewOfA?: Partial<SessionStore>
}

export const view = (store: ModelStore, peer: Peer): SessionStore => viewFor(store, peer.signer.publicKey, () => true)

export function session(
  a: Peer,
  b: Peer,
  { unaskedOfA, unaskedOfB, viewOfA, ...options }: SessionOptions = {},
): Promise<Session> {
  const initiator = createReconcileInitiator({ ...view(a.store, b), ...viewOfA }, unaskedOfA)
  const responder = createReconcileResponder({
    resolve: () => view(b.store, a),
    ...(unaskedOfB === undefined ? {} : { unaskedOf: () => unaskedOfB }),
  })
  return converse(initiator, responder, options)
}

export const casesOf = (frames: readonly Frame[]): string[] => frames.map((frame) => frame.case)
export const same = (a: Peer, b: Peer): boolean =>
  equalBytes(a.store.digest().fingerprint, b.store.digest().fingerprint)
export const whyOf = (failure: unknown): unknown => (failure as { why?: string } | undefined)?.why

/** A shared past of three authors. */
export async function threePeers(): Promise<Pair & { readonly c: Peer }> {
  const pair = await createPair()
  const c = pair.peer(2)
  for (const peer of [pair.a, pair.b, c]) peer.store.write(4)
  for (let round = 0; round < 2; round += 1) {
    await session(pair.a, pair.b)
    await session(pair.b, c)
  }
  expect(same(pair.a, c)).toBe(true)
  return { ...pair, c }
}

/** Replicas of one author, such as a node and its backup, that wrote apart: a fork that neither side knows of. */
export async function forkedPeers(): Promise<{ readonly a: Peer; readonly b: Peer }> {
  const pair = await createPair()
  const [backup, other] = [pair.peer(0), pair.peer(0)]
  backup.store.write(3)
  // Of another size, and so another intention at the same moment.
  other.store.write(3, 30)
  return { a: backup, b: other }
}

/** Everything a store holds, as it travels. */
export function signedOf(store: ModelStore): SignedIntention[] {
  return [...store.read(store.ids(), Number.MAX_SAFE_INTEGER).intentions]
}
