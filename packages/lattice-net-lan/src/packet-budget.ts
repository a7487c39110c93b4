/**
 * How many packets are looked into: of each sender and of all, per second.
 *
 * What is over is dropped unread. Honest nodes say everything again, so a busy moment delays and loses nothing.
 *
 * @module
 */

/**
 * Of one sender in a second: dozens of nodes may run on one host, each saying little.
 * @beyond The packet is dropped unread.
 */
export const PACKETS_PER_SOURCE = 64
/**
 * Of all senders in a second: a LAN of hundreds of nodes that answer at once; some tens of milliseconds of work.
 * @beyond The packet is dropped unread.
 */
export const PACKETS_PER_SECOND = 512

/** What is counted is forgotten after this: the second that the limits above speak of. */
const WINDOW_MS = 1_000

export interface PacketBudget {
  /** Whether a packet of this sender is looked into. */
  readonly allows: (source: string) => boolean
}

/** What it remembers is at most one number for each packet that it allowed in a second. */
export function createPacketBudget(nowMs: () => number): PacketBudget {
  const bySource = new Map<string, number>()
  let total = 0
  let windowEndsMs = nowMs() + WINDOW_MS
  return {
    allows: (source) => {
      const now = nowMs()
      if (now >= windowEndsMs) {
        bySource.clear()
        total = 0
        windowEndsMs = now + WINDOW_MS
      }
      const count = bySource.get(source) ?? 0
      if (total >= PACKETS_PER_SECOND || count >= PACKETS_PER_SOURCE) return false
      bySource.set(source, count + 1)
      total += 1
      return true
    },
  }
}
