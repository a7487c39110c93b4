/**
 * One end of a stream: reading, writing, and the window between them.
 *
 * The writer may be ahead of the reader by the window and no further, counting what is on its way, so an unread stream costs
 * a bounded amount of memory and the writer waits. Writes are cut at drawn places: nobody above may rely on the boundaries.
 *
 * @module
 */
import { assert, type Random } from '@lattice/model'
import { type BiStream, StreamLost } from '@lattice/net-types'
import { drawBelow } from './draw.ts'

/** What travels between the two ends of a stream. */
export type StreamMessage =
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'credit'; readonly bytes: number }
  | { readonly kind: 'finish' }
  | { readonly kind: 'reset' }

export interface StreamEnd {
  readonly stream: BiStream
  readonly receive: (message: StreamMessage) => void
  /** The connection ended: reads and writes reject from now on. */
  readonly fail: (message: string) => void
}

export interface StreamEndDeps {
  readonly random: Random
  readonly windowBytes: number
  readonly send: (message: StreamMessage) => void
  /** Called once, when both directions are over. */
  readonly onDone: () => void
}

/** Largest piece of a write that travels as one: several packets' worth, small enough that windows fill in steps. */
export const MAX_SEGMENT_BYTES: number = 16 * 1024

/** One piece in this many is cut short. */
const CUT_ONE_IN = 8

interface Waiter<T> {
  readonly resolve: (value: T) => void
  readonly reject: (error: StreamLost) => void
}

export function createStreamEnd({ random, windowBytes, send, onDone }: StreamEndDeps): StreamEnd {
  const received: Uint8Array[] = []
  let receivedBytes = 0
  let peerFinished = false
  let finished = false
  let writing = false
  let credit = windowBytes
  let lost: string | undefined
  let done = false
  let reader: Waiter<Uint8Array | undefined> | undefined
  let writer: Waiter<undefined> | undefined

  const settleDone = (): void => {
    const over = lost !== undefined || (finished && peerFinished && received.length === 0)
    if (!over || done) return
    done = true
    onDone()
  }
  const fail = (message: string): void => {
    if (lost !== undefined || done) return
    lost = message
    received.length = 0
    receivedBytes = 0
    const waiting = [reader, writer]
    reader = undefined
    writer = undefined
    for (const waiter of waiting) waiter?.reject(new StreamLost(message))
    settleDone()
  }
  const throwIfLost = (): void => {
    if (lost !== undefined) throw new StreamLost(lost)
  }
  const take = (): Uint8Array | undefined => {
    const bytes = received.shift()
    if (bytes !== undefined) {
      receivedBytes -= bytes.length
      send({ kind: 'credit', bytes: bytes.length })
    }
    settleDone()
    return bytes
  }
  const wakeReader = (): void => {
    const waiter = reader
    reader = undefined
    if (waiter === undefined) settleDone()
    else waiter.resolve(take())
  }
  const segmentLength = (available: number): number => {
    const length = Math.min(available, credit, MAX_SEGMENT_BYTES)
    return drawBelow(random, CUT_ONE_IN) === 0 ? 1 + drawBelow(random, length) : length
  }
  const write = async (bytes: Uint8Array): Promise<void> => {
    assert(!writing, 'a stream has one writer at a time')
    throwIfLost()
    assert(!finished, 'nothing is written after finish')
    writing = true
    try {
      for (let offset = 0; offset < bytes.length;) {
        if (credit === 0) await new Promise<undefined>((resolve, reject) => (writer = { resolve, reject }))
        const length = segmentLength(bytes.length - offset)
        credit -= length
        send({ kind: 'data', bytes: bytes.slice(offset, offset + length) })
        offset += length
      }
    } finally {
      writing = false
    }
  }
  const receive = (message: StreamMessage): void => {
    if (lost !== undefined || done) return
    switch (message.kind) {
      case 'data':
        receivedBytes += message.bytes.length
        assert(receivedBytes <= windowBytes, 'the writer stays within the window')
        received.push(message.bytes)
        return wakeReader()
      case 'finish':
        peerFinished = true
        return wakeReader()
      case 'credit': {
        credit += message.bytes
        const waiter = writer
        writer = undefined
        return waiter?.resolve(undefined)
      }
      case 'reset':
        return fail('the peer reset the stream')
    }
  }

  return {
    receive,
    fail,
    stream: {
      read: async () => {
        assert(reader === undefined, 'a stream has one reader at a time')
        throwIfLost()
        if (received.length > 0 || peerFinished) return take()
        return new Promise((resolve, reject) => (reader = { resolve, reject }))
      },
      write,
      finish: async () => {
        if (finished) return
        throwIfLost()
        assert(!writing, 'a stream is finished after its last write')
        finished = true
        send({ kind: 'finish' })
        settleDone()
      },
      reset: () => {
        if (lost !== undefined || done) return
        send({ kind: 'reset' })
        fail('the stream was reset here')
      },
    },
  }
}
