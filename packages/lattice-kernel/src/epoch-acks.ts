/**
 * Which peers signed which state roots at which epoch.
 *
 * That an epoch was seen follows from the DAG; an ack of it says besides what state its author has there. Kept are those
 * that say something new, so what is kept follows the number of epochs and peers, whatever a peer sends.
 *
 * @module
 */
import {
  equalBytes,
  HASH_BYTES,
  type Hash,
  type IdKey,
  idKey,
  type IntentionId,
  type PublicKey,
  toHash,
  toIntentionId,
  toPublicKey,
} from '@lattice/model'
import type { IntentionMeta, LogEntry } from './log-entry.ts'

/** What one peer signed at an epoch. */
export interface SignedRoots {
  readonly author: PublicKey
  /** None from a peer without state; more than one from a peer that contradicts itself. */
  readonly roots: readonly Hash[]
}

export interface EpochAcks {
  /** By whom an epoch was acknowledged in so many words. */
  readonly of: (epoch: IntentionId) => readonly SignedRoots[]
  readonly by: (epoch: IntentionId, author: PublicKey) => SignedRoots | undefined
  /** Takes an ack in, where it says something new. */
  readonly follow: (entry: LogEntry) => void
  /** Takes the last one back, where it is the record at `seq`. */
  readonly retreat: (seq: number) => void
  /** Seqs of those that are kept, ascending. */
  readonly seqs: () => readonly number[]
  readonly clear: () => void
}

export interface EpochAcksDeps {
  readonly epochOf: (id: IntentionId) => { readonly meta: IntentionMeta } | undefined
  readonly isBefore: (a: IntentionMeta, b: IntentionMeta) => boolean
}

/** Roots kept per peer and epoch: two that differ are a contradiction already. */
const ROOTS_MAX = 2

interface Ack {
  readonly seq: number
  readonly epoch: IdKey
  readonly author: IdKey
  readonly before: SignedRoots | undefined
}

export function createEpochAcks({ epochOf, isBefore }: EpochAcksDeps): EpochAcks {
  const byEpoch = new Map<IdKey, Map<IdKey, SignedRoots>>()
  const kept: Ack[] = []

  function find(epoch: IdKey, author: IdKey): SignedRoots | undefined {
    return byEpoch.get(epoch)?.get(author)
  }

  return {
    of: (epoch) => [...(byEpoch.get(idKey(epoch))?.values() ?? [])],
    by: (epoch, author) => find(idKey(epoch), idKey(author)),
    follow: ({ parsed, meta }) => {
      if (parsed.op.kind !== 'epochAck') return
      const { epoch: named, stateRoot } = parsed.op.value
      if (named.length !== HASH_BYTES) return
      const id = toIntentionId(named)
      const acknowledged = epochOf(id)
      if (acknowledged === undefined || !isBefore(acknowledged.meta, meta)) return
      const { author } = parsed.intention
      const [epoch, by] = [idKey(id), idKey(author)]
      const before = find(epoch, by)
      const after = withRoot(before ?? { author: toPublicKey(author.slice()), roots: [] }, stateRoot)
      if (before !== undefined && after === before) return
      const acks = byEpoch.get(epoch) ?? new Map<IdKey, SignedRoots>()
      byEpoch.set(epoch, acks.set(by, after))
      kept.push({ seq: meta.seq, epoch, author: by, before })
    },
    retreat: (seq) => {
      const last = kept.at(-1)
      if (last?.seq !== seq) return
      kept.pop()
      const acks = byEpoch.get(last.epoch)
      if (last.before === undefined) acks?.delete(last.author)
      else acks?.set(last.author, last.before)
    },
    seqs: () => kept.map(({ seq }) => seq),
    clear: () => {
      byEpoch.clear()
      kept.length = 0
    },
  }
}

/** With one more root; the same object where that is nothing new. What is no hash is no root. */
function withRoot(signed: SignedRoots, root: Uint8Array): SignedRoots {
  const { author, roots } = signed
  if (root.length !== HASH_BYTES || roots.length >= ROOTS_MAX) return signed
  return roots.some((known) => equalBytes(known, root)) ? signed : { author, roots: [...roots, toHash(root.slice())] }
}
