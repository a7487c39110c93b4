/**
 * Turns a frame that is true into one that is not.
 *
 * @module
 */
import {
  type Crypto,
  createSigner,
  decodeIntention,
  equalBytes,
  type KeyPair,
  MAX_SIGNED_INTENTION_BYTES,
  type SignedIntention,
  signIntention,
} from '@lattice/model'
import type { SeededRandom } from '@lattice/model/testing'
import { encodeFrame, type Frame, type FrameInit } from '@lattice/net'
import { graftOrPrune, inventIds, inventPeers, otherTopic } from './corrupt-gossip.ts'
import { lieAboutState } from './corrupt-snapshot.ts'
import { lieAboutTime } from './corrupt-time.ts'
import type { HostileHabit } from './kinds.ts'

export interface HostileOptions {
  readonly habits: readonly HostileHabit[]
  readonly random: SeededRandom
  readonly crypto: Crypto
  readonly keyPair: KeyPair
  /** How far ahead of the truth it says that the time is, at most. */
  readonly lateMs: number
  /** Told of each deed. */
  readonly onDeed: (habit: HostileHabit) => void
  /** Nothing is changed while it answers false. */
  readonly isActive: () => boolean
}

export interface Deed {
  readonly chunks: readonly Uint8Array[]
  readonly thenSilent: boolean
  readonly thenEnd: boolean
}

export interface Corruption {
  readonly of: (frame: Frame) => Deed
}

/** One frame in so many is changed. */
const DEED_ONE_IN = 5
/** Frames kept to be sent again. */
const MAX_KEPT = 32

type Wire = { readonly intention: Uint8Array; readonly signature: Uint8Array }

export function createCorruption(options: HostileOptions): Corruption {
  const { habits, random, lateMs, onDeed, isActive } = options
  const kept: Uint8Array[] = []
  const forge = createForker(options)

  const deed = (habit: HostileHabit, frame: Frame): Partial<Deed> | undefined => {
    switch (habit) {
      case 'forge_digest':
        return changed(withDigest(frame, { fingerprint: random.bytes(32) }))
      case 'lie_about_count':
        return changed(withDigest(frame, { witnessCount: BigInt(random.below(2) === 0 ? random.below(5) : 2 ** 31) }))
      case 'withhold':
        return changed(withIntentions(frame, (all) => all.filter(() => random.below(2) === 0)))
      case 'bad_signature':
        return changed(withIntentions(frame, (all) => all.map((each) => spoil(each, random))))
      case 'garbage':
        return { chunks: [random.bytes(1 + random.below(300))] }
      case 'oversized':
        return oversized(frame, random)
      case 'repeat':
        return repeated(frame, kept, random)
      case 'done_early':
        return doneEarly(frame)
      case 'fall_silent':
        return { chunks: [], thenSilent: true }
      case 'end_early':
        return { thenEnd: true }
      case 'fork':
        return changed(withIntentions(frame, forge))
      case 'invent_ids':
        return changed(inventIds(frame, random))
      case 'graft_or_prune':
        return changed(graftOrPrune(frame, random))
      case 'other_topic':
        return changed(otherTopic(frame, random))
      case 'invent_peers':
        return changed(inventPeers(frame, random))
      case 'lie_about_state':
        return changed(lieAboutState(frame, random))
      // Done with every frame that it is of.
      case 'lie_about_time':
      // Those it signs, and sends as they are.
      case 'forge_epoch':
      case 'forge_ack':
      case 'backdate_epoch':
        return undefined
    }
  }

  return {
    of: (frame) => {
      const bytes = encodeFrame(frame)
      const honest: Deed = { chunks: [bytes], thenSilent: false, thenEnd: false }
      if (!isActive() || habits.length === 0) return honest
      if (kept.length < MAX_KEPT) kept.push(bytes)
      else kept[random.below(MAX_KEPT)] = bytes
      // The next truth would undo it.
      const time = habits.includes('lie_about_time') ? changed(lieAboutTime(frame, random, lateMs)) : undefined
      if (time !== undefined) {
        onDeed('lie_about_time')
        return { ...honest, ...time }
      }
      if (random.below(DEED_ONE_IN) > 0) return honest
      const first = random.below(habits.length)
      // Most habits are of some frames alone: the next that is of this one takes the place of one that is not.
      for (const habit of [...habits.slice(first), ...habits.slice(0, first)]) {
        const done = deed(habit, frame)
        if (done === undefined) continue
        onDeed(habit)
        return { ...honest, ...done }
      }
      return honest
    },
  }
}

function changed(frame: FrameInit | undefined): Partial<Deed> | undefined {
  return frame && { chunks: [encodeFrame(frame)] }
}

/** The frame with another digest; undefined for one that has none. */
function withDigest(
  frame: Frame,
  changes: { readonly fingerprint?: Uint8Array; readonly witnessCount?: bigint },
): FrameInit | undefined {
  switch (frame.case) {
    case 'hello':
      return { case: 'hello', value: { ...frame.value, ...changes } }
    case 'done':
      return { case: 'done', value: { ...frame.value, ...changes } }
    case 'push':
      return { case: 'push', value: { ...frame.value, ...changes } }
    case 'pushResult':
      return { case: 'pushResult', value: { ...frame.value, ...changes } }
    case 'digests':
      return {
        case: 'digests',
        value: { ...frame.value, stores: frame.value.stores.map((store) => ({ ...store, ...changes })) },
      }
    case 'heartbeat':
      return {
        case: 'heartbeat',
        value: { ...frame.value, stores: frame.value.stores.map((store) => ({ ...store, ...changes })) },
      }
    default:
      return undefined
  }
}

/** The frame with other intentions; undefined for one that has none. */
function withIntentions(frame: Frame, change: (all: readonly Wire[]) => readonly Wire[]): FrameInit | undefined {
  if (frame.case !== 'intentions' && frame.case !== 'push') return undefined
  if (frame.value.intentions.length === 0) return undefined
  const intentions = change(frame.value.intentions).map(({ intention, signature }) => ({ intention, signature }))
  if (frame.case === 'intentions') return { case: 'intentions', value: { intentions, last: frame.value.last } }
  const { topic, round, storeId, witnessCount, fingerprint } = frame.value
  return { case: 'push', value: { topic, round, storeId, intentions, witnessCount, fingerprint } }
}

/** Flips a bit of the intention, or of its signature. */
function spoil({ intention, signature }: Wire, random: SeededRandom): Wire {
  if (signature.length > 0 && random.below(2) === 0) return { intention, signature: flipped(signature, random) }
  return { intention: flipped(intention, random), signature }
}

function flipped(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const copy = bytes.slice()
  const at = random.below(copy.length)
  copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8))
  return copy
}

function oversized(frame: Frame, random: SeededRandom): Partial<Deed> {
  const large = withIntentions(frame, (all) => [
    ...all,
    { intention: random.bytes(MAX_SIGNED_INTENTION_BYTES + 1), signature: new Uint8Array() },
  ])
  // The length of a frame of 2 MiB, and nothing of it.
  return large === undefined ? { chunks: [new Uint8Array([0x80, 0x80, 0x80, 0x01])] } : { chunks: [encodeFrame(large)] }
}

function repeated(frame: Frame, kept: readonly Uint8Array[], random: SeededRandom): Partial<Deed> {
  const bytes = encodeFrame(frame)
  const other = random.below(2) === 0 ? bytes : (kept[random.below(kept.length)] ?? bytes)
  return { chunks: [bytes, other] }
}

/** Says `Done`, or that nothing follows, instead of what was to follow. */
function doneEarly(frame: Frame): Partial<Deed> | undefined {
  if (frame.case === 'intentions') return changed({ case: 'intentions', value: { intentions: [], last: true } })
  const done = encodeFrame({ case: 'done', value: { witnessCount: 1n, fingerprint: new Uint8Array(32) } })
  if (frame.case === 'hello') return { chunks: [encodeFrame(frame), done] }
  return frame.case === 'reconcile' || frame.case === 'want' ? { chunks: [done] } : undefined
}

/** Adds to each signed intention of its own another one after the same predecessor. */
function createForker({
  crypto,
  keyPair,
  random,
}: Pick<HostileOptions, 'crypto' | 'keyPair' | 'random'>): (all: readonly Wire[]) => readonly Wire[] {
  const signer = createSigner(crypto, keyPair)
  return (all) =>
    all.flatMap((each) => {
      const twin = twinOf(each, { crypto, keyPair, signer })
      if (twin === undefined) return [each]
      return random.below(2) === 0 ? [each, twin] : [twin, each]
    })
}

function twinOf(
  { intention, signature }: Wire,
  {
    crypto,
    keyPair,
    signer,
  }: { readonly crypto: Crypto; readonly keyPair: KeyPair; readonly signer: ReturnType<typeof createSigner> },
): Wire | undefined {
  const decoded = decodeIntention(intention)
  if (!decoded.ok || signature.length === 0 || !equalBytes(decoded.value.author, keyPair.publicKey)) return undefined
  const { timestamp } = decoded.value
  const twin: SignedIntention = signIntention(crypto, signer, {
    intention: { ...decoded.value, timestamp: { wall: timestamp.wall, counter: timestamp.counter + 1 } },
    close: true,
  })
  return { intention: twin.bytes, signature: twin.signature }
}
