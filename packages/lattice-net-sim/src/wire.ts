/**
 * Carries messages from node to node, late, in the injected time.
 *
 * A message that arrives at a blocked direction is held, as QUIC keeps sending it, and travels again when the direction
 * opens. A lane is what keeps an order: a message in it is not delivered before those sent before it, so one that is
 * late, or was lost and sent again, holds up the rest of its lane and nothing else. What is held is bounded by what may be
 * in flight: the windows of the streams and the dials of the callers.
 *
 * @module
 */
import type { IdKey, Random, Scheduler } from '@lattice/model'
import type { Conditions, LatencyRange } from './conditions.ts'
import { drawBelow } from './draw.ts'
import type { TrafficBook } from './traffic.ts'

/** Whoever goes on sending a message until it arrives: one incarnation of a node. */
interface Sender {
  readonly isOpen: boolean
}

/** A message on its way. */
interface Parcel {
  readonly from: IdKey
  readonly to: IdKey
  readonly sender: Sender
  /** Takes time where the link has a rate; nothing when absent. */
  readonly bytes?: number
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
  readonly nowMs: () => number
  readonly conditions: () => Conditions
  readonly traffic: TrafficBook
  readonly isBlocked: (from: IdKey, to: IdKey) => boolean
}

/** A message is lost at most so often in a row: the timeout doubles each time. */
const MAX_RESENDS = 5

export function createWire(deps: WireDeps): Wire {
  const { random, scheduler, isBlocked, traffic } = deps
  const queueMs = createQueues(deps)
  let held: Parcel[] = []

  const latencyMs = (): number => {
    const { latencyMs: range, spikes, resend } = deps.conditions()
    let delayMs = drawFrom(random, range)
    if (spikes !== undefined && drawBelow(random, spikes.oneIn) === 0) {
      traffic.fault('spikes')
      delayMs += drawFrom(random, spikes.latencyMs)
    }
    for (let nth = 0; resend !== undefined && nth < MAX_RESENDS && drawBelow(random, resend.oneIn) === 0; nth += 1) {
      traffic.fault('resends')
      delayMs += resend.timeoutMs * 2 ** nth
    }
    return delayMs
  }
  const travel = (parcel: Parcel): void => {
    scheduler.after(queueMs(parcel) + latencyMs(), () => {
      if (!isBlocked(parcel.from, parcel.to)) parcel.deliver()
      else if (parcel.sender.isOpen) held.push(parcel)
    })
  }

  return {
    carry: (parcel) => {
      traffic.sent(parcel.from, parcel.to, parcel.bytes ?? 0)
      travel(parcel)
    },
    release: () => {
      const parcels = held
      held = []
      for (const parcel of parcels) travel(parcel)
    },
    forget: (sender) => {
      held = held.filter((parcel) => parcel.sender !== sender)
    },
  }
}

/** How long a message waits, and takes, to be put on a link that has a rate. */
function createQueues({ nowMs, conditions }: WireDeps): (parcel: Parcel) => number {
  const freeAtMs = new Map<IdKey, Map<IdKey, number>>()
  return ({ from, to, bytes = 0 }) => {
    const { bytesPerSecond } = conditions()
    if (bytesPerSecond === undefined) return 0
    const targets = freeAtMs.get(from) ?? new Map<IdKey, number>()
    freeAtMs.set(from, targets)
    const now = nowMs()
    const free = Math.max(now, targets.get(to) ?? 0) + (bytes * 1000) / bytesPerSecond
    targets.set(to, free)
    return Math.ceil(free - now)
  }
}

function drawFrom(random: Random, { min, max }: LatencyRange): number {
  return min + drawBelow(random, max - min + 1)
}

/** Sends tasks one way; they run at the other end in the order they were sent. */
export type Lane = (task: () => void, bytes: number) => void

/** A lane over `wire`: what arrives early waits for what was sent before it. */
export function createLane(wire: Wire, ends: Omit<Parcel, 'deliver' | 'bytes'>): Lane {
  const waiting: { readonly task: () => void; arrived: boolean }[] = []
  return (task, bytes) => {
    const item = { task, arrived: false }
    waiting.push(item)
    const deliver = (): void => {
      item.arrived = true
      for (let next = waiting[0]; next?.arrived === true; next = waiting[0]) {
        waiting.shift()
        next.task()
      }
    }
    wire.carry({ ...ends, bytes, deliver })
  }
}
