/**
 * Sends what was written on a stream before its first answer a second time, on a stream of its own, as a network may replay
 * data that was sent before a handshake was over.
 *
 * @module
 */
import type { Random, Scheduler } from '@lattice/model'
import type { BiStream } from '@lattice/net-types'
import { type Conditions, REPEATED_WITHIN_MS } from './conditions.ts'
import { drawBelow } from './draw.ts'

/** What is kept of one stream: as much as the first packets of a connection hold. */
export const MAX_REPLAY_BYTES: number = 64 * 1024

export interface Replayer {
  /** The opening side wrote. */
  readonly wrote: (bytes: Uint8Array) => void
  /** It was answered, or the stream is over: what is written from here on is not replayed. */
  readonly answered: () => void
}

export interface ReplayerDeps {
  readonly random: Random
  readonly scheduler: Scheduler
  readonly conditions: () => Conditions
  /** Opens the stream of the replay. */
  readonly open: () => BiStream
  readonly isLive: () => boolean
}

/** Undefined for a stream that is not drawn. */
export function createReplayer({ random, scheduler, conditions, open, isLive }: ReplayerDeps): Replayer | undefined {
  const { replayOneIn } = conditions()
  if (replayOneIn === undefined || drawBelow(random, replayOneIn) > 0) return undefined
  const kept: Uint8Array[] = []
  let room = MAX_REPLAY_BYTES
  let isOver = false
  scheduler.after(drawBelow(random, REPEATED_WITHIN_MS), () => {
    isOver = true
    if (!isLive() || kept.length === 0) return
    // The stream may be refused or lost meanwhile, and nobody waits for it.
    send(open(), kept.splice(0)).catch(() => undefined)
  })
  return {
    wrote: (bytes) => {
      if (isOver || bytes.length > room) {
        room = 0
        return
      }
      room -= bytes.length
      kept.push(bytes)
    },
    answered: () => {
      room = 0
    },
  }
}

async function send(stream: BiStream, chunks: readonly Uint8Array[]): Promise<void> {
  const answers = drain(stream)
  for (const bytes of chunks) await stream.write(bytes)
  await stream.finish()
  await answers
}

async function drain(stream: BiStream): Promise<void> {
  let bytes: Uint8Array | undefined = new Uint8Array()
  while (bytes !== undefined) bytes = await stream.read()
}
