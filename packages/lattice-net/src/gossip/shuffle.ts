/**
 * Shuffles of one node: its own now and then, and those of others that pass or end here.
 *
 * @module
 */
import { equalBytes, type PublicKey, type Random } from '@lattice/model'
import { ACTIVE_WALK, SHUFFLE_SAMPLE_MAX, SHUFFLE_TICKS } from '../limits.ts'
import { drawBelow, drawOne } from './draw.ts'
import type { MembershipEffect, MembershipEffects, MembershipMessage } from './membership.ts'
import type { PassiveView } from './passive-view.ts'
import type { PeerSet } from './peer-set.ts'
import { ShuffleTrails } from './shuffle-trails.ts'

export interface ShuffleDeps {
  readonly self: PublicKey
  readonly random: Random
  readonly active: PeerSet
  readonly passive: PassiveView
  /** Whether a peer may be taken in as a replacement. */
  readonly isReplacement: (peer: PublicKey) => boolean
  /** A neighbour for a walk to go on with: neither where it came from nor whom it is about. */
  readonly nextHop: (from: PublicKey, subject: PublicKey) => PublicKey | undefined
}

type Walk = Extract<MembershipMessage, { readonly kind: 'shuffle' }>
type Reply = Extract<MembershipMessage, { readonly kind: 'shuffle_reply' }>

/** Starts without a shuffle out. */
export class Shuffle {
  readonly #deps: ShuffleDeps
  readonly #trails = new ShuffleTrails()
  #ticksLeft: number
  /** What the shuffle named that is out; undefined when none is. */
  #sample: readonly PublicKey[] | undefined

  constructor(deps: ShuffleDeps) {
    this.#deps = deps
    this.#ticksLeft = drawBelow(deps.random, SHUFFLE_TICKS)
  }

  /** Begins one when it is time. */
  tick(): MembershipEffects {
    if (this.#ticksLeft > 0) {
      this.#ticksLeft -= 1
      return []
    }
    this.#ticksLeft = SHUFFLE_TICKS - 1
    const { self, random, active, passive } = this.#deps
    const target = drawOne(random, active.list())
    if (target === undefined) return []
    const sample = [self, ...passive.shuffleSample(active.list().filter((peer) => !equalBytes(peer, target)))]
    this.#sample = sample
    return [send(target, { kind: 'shuffle', origin: self, ttl: ACTIVE_WALK, sample })]
  }
  walk(from: PublicKey, { origin, ttl, sample }: Walk): MembershipEffects {
    const { self, passive, nextHop } = this.#deps
    if (equalBytes(origin, self)) return []
    const hops = Math.min(ttl, ACTIVE_WALK)
    const next = hops > 0 ? nextHop(from, origin) : undefined
    if (next !== undefined) {
      this.#trails.add(origin, from)
      return [send(next, { kind: 'shuffle', origin, ttl: hops - 1, sample })]
    }
    const given = passive.sample(Math.min(sample.length, SHUFFLE_SAMPLE_MAX))
    this.#takeIn(sample, given)
    return [send(from, { kind: 'shuffle_reply', origin, sample: given })]
  }
  /** The answer to a shuffle from here, or one on its way back to another. */
  reply({ origin, sample }: Reply): MembershipEffects {
    const { self, active } = this.#deps
    if (!equalBytes(origin, self)) {
      const back = this.#trails.take(origin)
      return back !== undefined && active.has(back) ? [send(back, { kind: 'shuffle_reply', origin, sample })] : []
    }
    const given = this.#sample
    this.#sample = undefined
    if (given !== undefined) this.#takeIn(sample, given)
    return []
  }
  clear(): void {
    this.#trails.clear()
    this.#sample = undefined
  }

  /** What was given for it makes room first. */
  #takeIn(sample: readonly PublicKey[], given: readonly PublicKey[]): void {
    const { passive, isReplacement } = this.#deps
    passive.exchange(sample.slice(0, SHUFFLE_SAMPLE_MAX).filter(isReplacement), given)
  }
}

function send(peer: PublicKey, message: MembershipMessage): MembershipEffect {
  return { kind: 'send', peer, message }
}
