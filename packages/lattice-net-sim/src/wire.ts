/**
 * Carries messages from node to node, late, in the injected time.
 *
 * A message that arrives at a blocked direction is held, as QUIC keeps sending it, and travels again when the direction
 * opens. Within a lane messages keep their order whatever latency each one draws. What is held is bounded by what may be in
 * flight: the windows of the streams and the dials of the callers.
 *
 * @module
 */
import { assert, type IdKey, type Random, type Scheduler } from '@lattice/model'
import { drawBelow } from './draw.ts'

/** One-way delay of a message: whole milliseconds, both ends included. */
export interface LatencyRange {
  readonly min: number
  readonly max: number
}

/** Whoever goes on sending a message until it arrives: one incarnation of a node. */
interface Sender {
  readonly isOpen: boolean
}

/** A message on its way. */
interface Parcel {
  readonly from: IdKey
  readonly to: IdKey
  readonly sender: Sender
  readonly deliver: () => void
}

export interface Wire {
  /** Calls `deliver` after a latency, later if the direction is blocked then, never if the sender is gone by then. */
  readonly carry: (parcel: Parcel) => void
  /** Sends held messages on; those still blocked are held again. */
  readonly release: () => void
  /** Forgets what the sender would have gone on sending. */
  readonly forget: (sender: Sender) => void
}

export interface WireDeps {
  readonly random: Random
  readonly scheduler: Scheduler
  readonly latencyMs: LatencyRange
  readonly isBlocked: (from: IdKey, to: IdKey) => boolean
}

export function createWire({ random, scheduler, latencyMs, isBlocked }: WireDeps): Wire {
  assert(Number.isSafeInteger(latencyMs.min) && latencyMs.min >= 0, 'a latency is a whole number of milliseconds')
  assert(Number.isSafeInteger(latencyMs.max) && latencyMs.max >= latencyMs.min, 'the latency range is not empty')
  let held: Parcel[] = []

  const carry = (parcel: Parcel): void => {
    const delayMs = latencyMs.min + drawBelow(random, latencyMs.max - latencyMs.min + 1)
    scheduler.after(delayMs, () => {
      if (!isBlocked(parcel.from, parcel.to)) parcel.deliver()
      else if (parcel.sender.isOpen) held.push(parcel)
    })
  }

  return {
    carry,
    release: () => {
      const parcels = held
      held = []
      for (const parcel of parcels) carry(parcel)
    },
    forget: (sender) => {
      held = held.filter((parcel) => parcel.sender !== sender)
    },
  }
}

/** Sends tasks one way; they run at the other end in the order they were sent. */
export type Lane = (task: () => void) => void

/**
 * A lane over `wire`. Each arrival runs the oldest task that waits, so a message with a short latency speeds up those
 * before it instead of overtaking them.
 */
export function createLane(wire: Wire, ends: Omit<Parcel, 'deliver'>): Lane {
  const waiting: (() => void)[] = []
  return (task) => {
    waiting.push(task)
    wire.carry({ ...ends, deliver: () => waiting.shift()?.() })
  }
}
