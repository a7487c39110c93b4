/**
 * Which peers signed which states at which epoch.
 *
 * That an epoch was seen follows from the DAG; an ack of it says besides what state its author has there. An ack that is
 * beyond a cutoff says nothing, and which are may change with every record. Kept is what may come to say something new: of
 * two on one chain, with the same admissions of their author in their past, the later counts only where the earlier does.
 * So what is kept follows the number of epochs, peers and admissions, whatever a peer sends. Of an epoch below the base
 * nothing is: the first acks are gone with it, and what comes after them would say something new where they are.
 *
 * @module
 */
import {
  HASH_BYTES,
  type IdKey,
  idKey,
  type IntentionId,
  type PublicKey,
  toIntentionId,
  toPublicKey,
} from '@lattice/model'
import type { FindMeta } from './lane-book.ts'
import type { IntentionMeta, LogEntry } from './log-entry.ts'
import { type SignedState, signedStateOf, withState } from './signed-state.ts'

/** What one peer signed at an epoch. */
export interface SignedStates {
  readonly author: PublicKey
  /** None from a peer without state; more than one from a peer that contradicts itself. */
  readonly states: readonly SignedState[]
}

/** Whether what stands there counts; see `counting-acks.ts`. */
export type Counts = (place: Pick<IntentionMeta, 'lane' | 'position'>) => boolean

export interface EpochAcks {
  /** By whom an epoch was acknowledged in so many words, by the acks that count. */
  readonly of: (epoch: IntentionId, counts: Counts) => readonly SignedStates[]
  readonly by: (epoch: IntentionId, author: PublicKey, counts: Counts) => SignedStates | undefined
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
  /** True for what lies below the base. */
  readonly isBelow: (place: Pick<IntentionMeta, 'lane' | 'position'>) => boolean
  /** How many admissions of an author are in the past of what it wrote. */
  readonly admissionsBefore: (author: PublicKey, place: IntentionMeta) => number
}

/** Acks of one epoch kept of one peer. More has only who forks its chain, or is invited, again and again. */
const KEPT_MAX = 64

interface Ack {
  readonly meta: IntentionMeta
  readonly epoch: IdKey
  readonly author: PublicKey
  /** None from a peer without state. */
  readonly state: SignedState | undefined
  readonly admissions: number
}

/** Where the epoch lies that a kept ack is of. Undefined where that is not here, and for anything else. */
export function acknowledgedPlace({ op }: LogEntry['parsed'], find: FindMeta): IntentionMeta | undefined {
  return op.kind === 'epochAck' ? find(toIntentionId(op.value.epoch)) : undefined
}

export function createEpochAcks({ epochOf, isBefore, isBelow, admissionsBefore }: EpochAcksDeps): EpochAcks {
  const byEpoch = new Map<IdKey, Map<IdKey, Ack[]>>()
  const kept: Ack[] = []

  function listOf(epoch: IdKey, author: PublicKey): Ack[] {
    const ofEpoch = byEpoch.get(epoch) ?? new Map<IdKey, Ack[]>()
    const list = ofEpoch.get(idKey(author)) ?? []
    byEpoch.set(epoch, ofEpoch.set(idKey(author), list))
    return list
  }

  return {
    of: (epoch, counts) =>
      [...(byEpoch.get(idKey(epoch))?.values() ?? [])].flatMap((acks) => signedStates(acks, counts) ?? []),
    by: (epoch, author, counts) => signedStates(byEpoch.get(idKey(epoch))?.get(idKey(author)) ?? [], counts),
    follow: ({ parsed, meta }) => {
      if (parsed.op.kind !== 'epochAck') return
      const { epoch: named } = parsed.op.value
      if (named.length !== HASH_BYTES) return
      const id = toIntentionId(named)
      const acknowledged = epochOf(id)
      if (acknowledged === undefined || isBelow(acknowledged.meta) || !isBefore(acknowledged.meta, meta)) return
      const author = toPublicKey(parsed.intention.author.slice())
      const state = signedStateOf(parsed.op.value)
      const ack: Ack = { meta, epoch: idKey(id), author, state, admissions: admissionsBefore(author, meta) }
      const acks = listOf(ack.epoch, author)
      if (acks.length >= KEPT_MAX || !saysMore(acks, ack)) return
      acks.push(ack)
      kept.push(ack)
    },
    retreat: (seq) => {
      const last = kept.at(-1)
      if (last?.meta.seq !== seq) return
      kept.pop()
      listOf(last.epoch, last.author).pop()
    },
    seqs: () => kept.map(({ meta }) => meta.seq),
    clear: () => {
      byEpoch.clear()
      kept.length = 0
    },
  }
}

/** False where others, which count wherever it does, say as much. */
function saysMore(acks: readonly Ack[], { meta, state, admissions }: Ack): boolean {
  const alike = acks.filter((other) => other.meta.lane === meta.lane && other.admissions === admissions)
  if (state === undefined) return alike.length === 0
  const states = alike.flatMap((other) => other.state ?? [])
  return withState(states, state) !== states
}

/** What the acks of one peer that count say; undefined where none does. */
function signedStates(acks: readonly Ack[], counts: Counts): SignedStates | undefined {
  const counting = acks.filter(({ meta }) => counts(meta))
  const [first] = counting
  if (first === undefined) return undefined
  const states = counting.reduce<readonly SignedState[]>(
    (known, { state }) => (state === undefined ? known : withState(known, state)),
    [],
  )
  return { author: first.author, states }
}
