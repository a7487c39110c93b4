/**
 * What a stream carries, and how it ends.
 *
 * @module
 */
import { assert } from '@lattice/model'
import type { BiStream, Connection } from '../transport.ts'
import {
  assertBytes,
  assertLost,
  nextStream,
  openStream,
  pattern,
  readAll,
  sendAll,
  type TransportCase,
} from './mesh.ts'

const LARGE_BYTES: number = 8 * 1024 * 1024
const PARALLEL_STREAMS = 8
/** More than any sound window: what an unread stream takes stays below. */
const MAX_UNREAD_BYTES: number = 16 * 1024 * 1024
/** A writer that makes no progress over so many round trips of another stream has been made to wait. */
const STALLED_ROUND_TRIPS = 64

/** Opens a stream, sends, and checks that it comes back. */
async function echoThrough(connection: Connection, bytes: Uint8Array): Promise<void> {
  const stream = await connection.open()
  const [back] = await Promise.all([readAll(stream), sendAll(stream, bytes)])
  assertBytes(back, bytes)
}

/** Answers `count` streams with what they sent, as it comes. */
async function serveEcho(connection: Connection, count: number): Promise<void> {
  const echoes: Promise<void>[] = []
  for (let served = 0; served < count; served += 1) echoes.push(echo(await nextStream(connection)))
  await Promise.all(echoes)
}

async function echo(stream: BiStream): Promise<void> {
  for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) await stream.write(chunk)
  await stream.finish()
}

/** Writes until told to stop; the count is of the bytes the transport has taken. */
function floodOf(stream: BiStream): { readonly written: () => number; readonly stop: () => Promise<void> } {
  const chunk = pattern(64 * 1024)
  let written = 0
  let stopped = false
  const run = async (): Promise<void> => {
    while (!stopped && written <= MAX_UNREAD_BYTES) {
      await stream.write(chunk)
      written += chunk.length
    }
    await stream.finish()
  }
  const running = run()
  // Its failure is the caller's to see, at the end.
  running.catch(() => undefined)
  return {
    written: () => written,
    stop: () => {
      stopped = true
      return running
    },
  }
}

async function roundTrip(near: BiStream, far: BiStream): Promise<void> {
  await Promise.all([near.write(pattern(1)), far.read()])
  await Promise.all([far.write(pattern(1)), near.read()])
}

/** Makes round trips until the writer has stood still for many of them. */
async function untilStalled(written: () => number, near: BiStream, far: BiStream): Promise<void> {
  let last = -1
  for (let still = 0; still < STALLED_ROUND_TRIPS; still += 1) {
    await roundTrip(near, far)
    if (written() !== last) still = 0
    last = written()
    assert(last <= MAX_UNREAD_BYTES, 'an unread stream does not buffer without bound')
  }
}

export const streamCases: readonly TransportCase[] = [
  {
    name: 'streams opened by both sides run in parallel',
    run: async (mesh) => {
      const { outgoing, incoming } = await mesh.pair()
      const salts = Array.from({ length: PARALLEL_STREAMS }, (_, salt) => salt)
      await Promise.all([
        serveEcho(incoming, PARALLEL_STREAMS),
        serveEcho(outgoing, PARALLEL_STREAMS),
        ...salts.map((salt) => echoThrough(outgoing, pattern(20_000 + salt, salt))),
        ...salts.map((salt) => echoThrough(incoming, pattern(20_000 + salt, 100 + salt))),
      ])
    },
  },
  {
    name: 'a large transfer arrives intact, in both directions at once',
    run: async (mesh) => {
      const { outgoing, incoming } = await mesh.pair()
      const [near, far] = await openStream(outgoing, incoming)
      const [there, back] = [pattern(LARGE_BYTES, 1), pattern(LARGE_BYTES, 2)]
      const [atFar, atNear] = await Promise.all([readAll(far), readAll(near), sendAll(near, there), sendAll(far, back)])
      assertBytes(atFar, there)
      assertBytes(atNear, back)
    },
  },
  {
    name: 'only the order of bytes is kept, whatever the sizes of the writes',
    run: async (mesh) => {
      const { outgoing, incoming } = await mesh.pair()
      const [near, far] = await openStream(outgoing, incoming)
      const bytes = pattern(200_000)
      const write = async (): Promise<void> => {
        let offset = 0
        for (const length of [1, 0, 2, 3, 65_537, 0, 1, 16_384, 100_000, bytes.length]) {
          await near.write(bytes.subarray(offset, offset + length))
          offset += length
        }
        await near.finish()
      }
      const [received] = await Promise.all([readAll(far), write()])
      assertBytes(received, bytes)
    },
  },
  {
    name: 'what a write was given may be overwritten once it resolved',
    run: async (mesh) => {
      const { outgoing, incoming } = await mesh.pair()
      const [near, far] = await openStream(outgoing, incoming)
      const bytes = pattern(10_000)
      await near.write(bytes)
      bytes.fill(0)
      await near.finish()
      assertBytes(await readAll(far), pattern(10_000))
    },
  },
  {
    name: 'a side that has finished can still be written to',
    run: async (mesh) => {
      const { outgoing, incoming } = await mesh.pair()
      const near = await outgoing.open()
      await sendAll(near, pattern(500, 1))
      const far = await nextStream(incoming)
      assertBytes(await readAll(far), pattern(500, 1))
      await sendAll(far, pattern(500, 2))
      assertBytes(await readAll(near), pattern(500, 2))
    },
  },
  {
    name: 'a stream that is only finished is seen, and is empty',
    run: async (mesh) => {
      const { outgoing, incoming } = await mesh.pair()
      const near = await outgoing.open()
      await near.finish()
      const far = await nextStream(incoming)
      assertBytes(await readAll(far), new Uint8Array())
      await far.finish()
      assert((await near.read()) === undefined, 'both directions are over')
    },
  },
  {
    name: 'finish is idempotent, and the end stays the end',
    run: async (mesh) => {
      const { outgoing, incoming } = await mesh.pair()
      const [near, far] = await openStream(outgoing, incoming)
      await near.finish()
      await near.finish()
      assert((await far.read()) === undefined, 'the end is read')
      assert((await far.read()) === undefined, 'and read again')
    },
  },
  {
    name: 'a reset is an error at both ends, for reads and writes that wait and for later ones',
    run: async (mesh) => {
      const { outgoing, incoming } = await mesh.pair()
      const [near, far] = await openStream(outgoing, incoming)
      const waiting = Promise.all([assertLost(near.read()), assertLost(far.read())])
      near.reset()
      near.reset()
      await waiting
      await assertLost(near.read())
      await assertLost(near.write(pattern(1)))
      await assertLost(far.read())
      await assertLost(far.write(pattern(1)))
      far.reset()
    },
  },
  {
    name: 'a reset fails a write that waits for the peer to read, and the peer when it reads',
    run: async (mesh) => {
      const { outgoing, incoming } = await mesh.pair()
      const [flooded, unread] = await openStream(outgoing, incoming)
      const [near, far] = await openStream(outgoing, incoming)
      const flood = floodOf(flooded)
      await untilStalled(flood.written, near, far)
      flooded.reset()
      await assertLost(flood.stop())
      await assertLost(readAll(unread))
    },
  },
  {
    name: 'a reset leaves other streams alone',
    run: async (mesh) => {
      const { outgoing, incoming } = await mesh.pair()
      const [doomed, doomedFar] = await openStream(outgoing, incoming)
      const [near, far] = await openStream(outgoing, incoming)
      doomed.reset()
      await assertLost(doomedFar.read())
      await sendAll(near, pattern(5000))
      assertBytes(await readAll(far), pattern(5000))
    },
  },
  {
    name: 'an unread stream makes its writer wait, delays no other, and loses nothing',
    run: async (mesh) => {
      const { outgoing, incoming } = await mesh.pair()
      const [unreadNear, unreadFar] = await openStream(outgoing, incoming)
      const [near, far] = await openStream(outgoing, incoming)
      const flood = floodOf(unreadNear)
      await untilStalled(flood.written, near, far)
      const [received] = await Promise.all([readAll(unreadFar), flood.stop()])
      assert(received.length === flood.written(), 'all that was written arrives')
    },
  },
]
