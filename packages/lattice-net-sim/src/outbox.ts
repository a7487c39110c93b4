/**
 * The writing half of a stream's end: cuts writes into pieces and waits while the window is full.
 *
 * @module
 */
import { assert, type Random } from '@lattice/model'
import { StreamLost } from '@lattice/net-types'
import { createDeferred, type Deferred } from './deferred.ts'
import { drawBelow } from './draw.ts'

export interface Outbox {
  readonly write: (bytes: Uint8Array) => Promise<void>
  readonly finish: () => void
  /** The peer has read so many bytes. */
  readonly grant: (bytes: number) => void
  /** The write that waits rejects, and any that would have to. */
  readonly fail: (message: string) => void
  readonly isFinished: () => boolean
}

export interface OutboxDeps {
  readonly random: Random
  readonly windowBytes: number
  readonly send: (bytes: Uint8Array) => void
}

/** Largest piece of a write that travels as one: several packets' worth, small enough that windows fill in steps. */
const MAX_SEGMENT_BYTES: number = 16 * 1024

/** One piece in this many is cut short. */
const CUT_ONE_IN = 8

export function createOutbox({ random, windowBytes, send }: OutboxDeps): Outbox {
  let credit = windowBytes
  let finished = false
  let writing = false
  let writer: Deferred<void> | undefined
  let failure: string | undefined

  const segmentLength = (available: number): number => {
    const length = Math.min(available, credit, MAX_SEGMENT_BYTES)
    return drawBelow(random, CUT_ONE_IN) === 0 ? 1 + drawBelow(random, length) : length
  }
  const sendAll = async (bytes: Uint8Array): Promise<void> => {
    for (let offset = 0; offset < bytes.length;) {
      // Room for a whole segment is waited for: sent into less, segments would get smaller with every round.
      const wanted = Math.min(bytes.length - offset, MAX_SEGMENT_BYTES, Math.ceil(windowBytes / 2))
      while (credit < wanted) {
        // What failed between a grant and its notice is waited for by nobody else.
        if (failure !== undefined) throw new StreamLost(failure)
        writer = createDeferred()
        await writer.promise
      }
      const length = segmentLength(bytes.length - offset)
      credit -= length
      send(bytes.slice(offset, offset + length))
      offset += length
    }
  }

  return {
    write: async (bytes) => {
      assert(!writing, 'a stream has one writer at a time')
      assert(!finished, 'nothing is written after finish')
      writing = true
      try {
        await sendAll(bytes)
      } finally {
        writing = false
      }
    },
    finish: () => {
      assert(!writing, 'a stream is finished after its last write')
      finished = true
    },
    grant: (bytes) => {
      credit += bytes
      const waiting = writer
      writer = undefined
      waiting?.resolve()
    },
    fail: (message) => {
      failure = message
      const waiting = writer
      writer = undefined
      waiting?.reject(new StreamLost(message))
    },
    isFinished: () => finished,
  }
}
