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
  /** What the session holds in memory now; answers why it is to end, where the peer holds too much in all. */
  readonly holds: (bytes: number) => FrameRefusal | undefined
  /** It holds nothing any more. */
  readonly ended: () => void
  /** Milliseconds for which no more is read; 0 when reading may go on. */
  readonly owedMs: () => number
}

export interface FrameGuardOptions {
  readonly meter: PeerMeter
  /** Of a stream that the peer opened: what this side asked for is taken from a muted peer, too. */
  readonly isServing: boolean
  readonly standing: () => Standing
  /** The peer was refused for asking too much. */
  readonly onOveruse: (kind: OverusedKind) => void
  /** The peer was refused for being muted. */
  readonly onMuted: () => void
}

/** The same for whatever is asked for: what was done before decides, not what is here. */
const MUTED: FrameRefusal = { code: net.RefusalCode.BUSY, message: 'not served for a while after misbehaving' }

export function createFrameGuard(options: FrameGuardOptions): FrameGuard {
  const { meter, isServing, standing, onOveruse, onMuted } = options
  const share = meter.held.begin()
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
      if (share.set(bytes)) return undefined
      onOveruse('memory')
      return { code: net.RefusalCode.LIMIT_EXCEEDED, message: 'too much is held at once (memory): try again later' }
    },
    ended: share.end,
    owedMs: () => meter.owedMs(used),
  }
}
