/**
 * What stands between a peer's frames and the machines of its sessions: what it uses is counted, and a peer that is muted or
 * asks for far too much is refused.
 *
 * One for each connection, asked with every frame of every protocol.
 *
 * @module
 */
import { net } from '@lattice/proto'
import type { Frame } from './frame.ts'
import type { HeldShare } from './held-memory.ts'
import type { Standing } from './peer-ledger.ts'
import type { MeteredKind, OverusedKind, PeerMeter } from './peer-meter.ts'

/** Why a frame is not handed on; the session ends with it. */
export interface FrameRefusal {
  readonly code: net.RefusalCode
  readonly message: string
}

/** What a session asks of each frame. */
export interface FrameGuard {
  /** Counts a frame; answers why it is refused, if it is. */
  readonly frame: (frame: Frame) => FrameRefusal | undefined
  /** What the session holds in memory now; answers why it is to end, where that is too much. */
  readonly holds: (bytes: number) => FrameRefusal | undefined
  /** Told why the session is to end after all, for the sake of others, once: what it cannot let go of it tells by `ended`. */
  readonly onRecalled: (listener: (refusal: FrameRefusal) => void) => void
  /** It takes nothing in any more, and holds so much at most. */
  readonly ended: (bytes: number) => void
  /** Milliseconds for which no more is read; 0 when reading may go on. */
  readonly owedMs: () => number
}

export interface FrameGuardOptions {
  readonly meter: PeerMeter
  /** Begins to count what the session holds. */
  readonly beginHeld: (onRecalled: () => void) => HeldShare
  /** Of a stream that the peer opened: what this side asked for is taken from a muted peer, too. */
  readonly isServing: boolean
  readonly standing: () => Standing
  /** The peer was refused for asking too much. */
  readonly onOveruse: (kind: OverusedKind) => void
  /** The peer was refused for being muted. */
  readonly onMuted: () => void
}

const FULL: FrameRefusal = {
  code: net.RefusalCode.LIMIT_EXCEEDED,
  message: 'too much is held at once (memory): try again later',
}

/** The same for whatever is asked for: what was done before decides, not what is here. */
const MUTED: FrameRefusal = { code: net.RefusalCode.BUSY, message: 'not served for a while after misbehaving' }

export function createFrameGuard(options: FrameGuardOptions): FrameGuard {
  const { meter, beginHeld, isServing, standing, onOveruse, onMuted } = options
  // Begun with the first bytes: who begins has to tell the end.
  let share: HeldShare | undefined
  let recalled: ((refusal: FrameRefusal) => void) | undefined
  // What was used on this stream: it does not wait for what others of the peer owe.
  const used = new Set<MeteredKind>(['bytes', 'messages'])
  return {
    frame: (frame) => {
      const stands = isServing ? standing() : 'good'
      // Of one that is shut out the connection is about to end.
      if (stands === 'muted') onMuted()
      if (stands !== 'good') return MUTED
      const { kinds, refused } = meter.frame(frame)
      for (const kind of kinds) used.add(kind)
      if (refused === undefined) return undefined
      onOveruse(refused)
      return { code: net.RefusalCode.LIMIT_EXCEEDED, message: `too much at once (${refused}): try again later` }
    },
    holds: (bytes) => {
      share ??= beginHeld(() => recalled?.(FULL))
      const verdict = share.set(bytes)
      if (verdict === 'held') return undefined
      if (verdict === 'too_much') onOveruse('memory')
      return FULL
    },
    onRecalled: (listener) => {
      recalled = listener
    },
    ended: (bytes) => share?.keep(bytes),
    owedMs: () => meter.owedMs(used),
  }
}
