/**
 * Histories by hand of a store whose first two authors are admins: who writes what on top of what.
 *
 * @module
 */
import {
  compareHlc,
  encodeUniversalOp,
  genesisStoreId,
  type Hlc,
  type IntentionId,
  type KnownOp,
  NO_HINTS,
  type ParsedIntention,
  type PublicKey,
  signIntention,
  sortDeps,
  type StoreId,
} from '@lattice/model'
import type { MembershipPolicy } from '@lattice/store-base'
import { createCutoffProjector, cutoffAuthority } from './cutoff-projector.ts'
import { at, crypto, genesisOf, openTestKernel, signerOf, type TestKernel, type TestKernelOptions } from './harness.ts'
import { admitOp, isModelRecord, removeOp, resolveModel } from './membership-model.ts'
import { appOp } from './tracking-projector.ts'

export const modelPolicy: MembershipPolicy = {
  isRecord: isModelRecord,
  resolve: resolveModel,
  permit: () => ({ kind: 'refused', code: 'not_admin' }),
}

/** A kernel that goes by the model's rules. */
export async function openCut(options: TestKernelOptions): Promise<TestKernel> {
  const projector = createCutoffProjector()
  const full = { ackDelayMs: Infinity, ...options, membership: modelPolicy, projector, authority: cutoffAuthority }
  return { ...(await openTestKernel(full)), projector }
}

export const keyOf = (author: number): PublicKey => signerOf(author).publicKey

export interface History {
  readonly storeId: StoreId
  /** All that was written, in order. */
  readonly all: readonly ParsedIntention[]
  /** What `author` writes after its last, having seen these. Unsigned unless `close`. */
  readonly write: (
    author: number,
    op: KnownOp | string,
    seen?: readonly ParsedIntention[],
    close?: boolean,
  ) => ParsedIntention
  /** An epoch of `author` that leaves this of a peer, and names these to acknowledge it. */
  readonly remove: (
    author: number,
    peer: number,
    seen: readonly ParsedIntention[],
    how?: { readonly remains?: 'none' | 'reader' | 'writer'; readonly acks?: readonly number[] },
  ) => ParsedIntention
  readonly admit: (author: number, peer: number, seen: readonly ParsedIntention[]) => ParsedIntention
}

/** Author 1 is the creator and has admitted 2 as an admin, then 3, 4 and 5 as writers. */
export function createHistory(): History & { readonly start: readonly ParsedIntention[] } {
  const genesis = genesisOf(signerOf(1))
  const all: ParsedIntention[] = [genesis]
  const last = new Map<number, ParsedIntention>([[1, genesis]])
  let removed = 0n

  const write: History['write'] = (author, op, seen = [], close = true) => {
    const prev = last.get(author) ?? genesis
    const causes = [prev, ...seen]
    let newest: Hlc = at(0)
    for (const { intention } of causes) if (compareHlc(intention.timestamp, newest) > 0) newest = intention.timestamp
    const parsed = signIntention(crypto, signerOf(author), {
      intention: {
        author: keyOf(author),
        timestamp: { wall: newest.wall, counter: newest.counter + 1 },
        storePrev: prev.id,
        causalDeps: sortDeps(causes.map(({ id }): IntentionId => id)),
        hints: NO_HINTS,
        ops: encodeUniversalOp(typeof op === 'string' ? appOp(op) : op),
      },
      close,
    })
    last.set(author, parsed)
    all.push(parsed)
    return parsed
  }
  const admit = (author: number, peer: number, role: 'admin' | 'writer', seen: readonly ParsedIntention[]) =>
    write(author, admitOp(keyOf(peer), role), seen)
  const admin = admit(1, 2, 'admin', [])
  const writers = [3, 4, 5].map((peer) => admit(1, peer, 'writer', []))
  const admissions = writers.at(-1) ?? admin
  for (const author of [2, 3, 4, 5]) write(author, `set hello ${author}`, [admissions])
  return {
    storeId: genesisStoreId(genesis),
    all,
    start: [...all],
    write,
    remove: (author, peer, seen, { remains = 'none', acks = [] } = {}) => {
      const about = { seq: (removed += 1n), requiredAcks: acks.map(keyOf) }
      return write(author, removeOp([{ peer: keyOf(peer), remains }], about), seen)
    },
    admit: (author, peer, seen) => admit(author, peer, 'writer', seen),
  }
}
