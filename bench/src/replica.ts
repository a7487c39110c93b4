/**
 * Kernels as the network sees them, and new intentions for them.
 *
 * @module
 */
import type { Kernel } from '@lattice/kernel'
import { assert, encodeUniversalOp, NO_HINTS, type ParsedIntention, signIntention, toIntentionId } from '@lattice/model'
import type { SessionStore } from '@lattice/net'
import type { PrunedReplica, ReplicatedStore } from '@lattice/net-types'
import { kvStore } from '@lattice/kvstore'
import { schemaOfCommands } from '@lattice/store-base'
import { keyOf, putPayload, valueOf } from './entries.ts'
import { crypto, signerOf } from './world.ts'

/** Of a store that is never pruned. */
const WHOLE: PrunedReplica = {
  base: () => undefined,
  over: () => undefined,
  readFoundation: () => undefined,
  snapshot: () => undefined,
  readSnapshot: () => undefined,
  onPruned: () => () => undefined,
}

/** A store that everybody may use. */
export function replicaOf(kernel: Kernel): ReplicatedStore {
  return {
    id: kernel.storeId,
    storeType: kvStore.storeType,
    access: () => 'full',
    revokedBy: kernel.revokedBy,
    recordsAbout: kernel.recordsAbout,
    readmittedBy: kernel.readmittedBy,
    juniorsAgainst: kernel.juniorsAgainst,
    isOutForGood: kernel.isOutForGood,
    readPast: kernel.readPast,
    tipIds: kernel.tipIds,
    isEpochSettled: kernel.isEpochSettled,
    digest: kernel.digest,
    rangeIndex: kernel.rangeIndex,
    missing: kernel.missing,
    wanted: kernel.missing,
    read: kernel.read,
    tipOf: kernel.tipOf,
    readChain: kernel.readChain,
    chainTips: kernel.chainTips,
    chainId: kernel.chainId,
    readSpans: kernel.readSpans,
    witnessPage: kernel.witnessPage,
    ingest: kernel.ingest,
    onWitnessed: kernel.onWitnessed,
    removalFoundation: kernel.removalFoundation,
    openRemovalProof: kernel.openRemovalProof,
    ...WHOLE,
  }
}

/** The same for machines that are driven by hand. */
export function sessionStoreOf(kernel: Kernel, change: Partial<SessionStore> = {}): SessionStore {
  return {
    ...replicaOf(kernel),
    ingest: (batch) => kernel.ingest(batch, undefined),
    allowed: () => true,
    isRevoked: () => false,
    ...change,
  }
}

/** Writes of one more author, in one run after the other: what one side of a session has and the other lacks. */
export function createNews(author: number): (kernel: Kernel, count: number) => readonly ParsedIntention[] {
  const signer = signerOf(author)
  let prev: ParsedIntention['id'] | undefined
  let written = 0
  const startMs = Date.now() - AGE_MS
  return (kernel, count) => {
    const news = Array.from({ length: count }, (_, index) => {
      written += 1
      const storePrev = prev ?? toIntentionId(kernel.storeId)
      const value = putPayload(keyOf(written), valueOf(written))
      const parsed = signIntention(crypto, signer, {
        intention: {
          author: signer.publicKey,
          timestamp: { wall: startMs + written, counter: 0 },
          storePrev,
          causalDeps: [storePrev],
          hints: NO_HINTS,
          ops: encodeUniversalOp({ kind: 'appData', schema: schemaOfCommands(kvStore), value }),
        },
        close: index % RUN_LENGTH === RUN_LENGTH - 1 || index === count - 1,
      })
      prev = parsed.id
      return parsed
    })
    assert(news.length === count, 'so many are new')
    return news
  }
}

const RUN_LENGTH = 256
/** After histories, which began an hour ago with an intention each millisecond, and early enough for many. */
const AGE_MS = 600_000
