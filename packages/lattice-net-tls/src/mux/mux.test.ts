import { concatBytes, equalBytes, utf8Encode } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FRAME, type FrameHeader, HEADER_BYTES, MAX_DATA_BYTES, MAX_REASON_BYTES, writeHeader } from './frame.ts'
import { createMux, type Mux } from './mux.ts'
import { MAX_OPEN_STREAMS } from './mux-state.ts'
import { FIRST_WINDOW_BYTES, GROWTH_PER_CONNECTION_BYTES, type MuxStream, STREAM_WINDOW_BYTES } from './mux-stream.ts'

interface End {
  readonly mux: Mux
  readonly opened: MuxStream[]
  readonly closed: string[]
}

function createEnd(outgoing: boolean): End {
  const opened: MuxStream[] = []
  const closed: string[] = []
  const mux = createMux(outgoing, {
    opened: (stream) => opened.push(stream),
    openable: () => undefined,
    welcomed: () => undefined,
    closed: (message) => closed.push(message),
    due: () => undefined,
  })
  return { mux, opened, closed }
}

/** Everything one end has to say reaches the other, cut at the given places; and back, until both are quiet. */
function exchange(a: End, b: End, cutBytes = 1000): void {
  for (let moved = true; moved;) {
    moved = false
    for (const [from, to] of [[a, b] as const, [b, a] as const]) {
      for (let bytes = from.mux.take(64 * 1024); bytes !== undefined; bytes = from.mux.take(64 * 1024)) {
        moved = true
        for (let offset = 0; offset < bytes.length; offset += cutBytes) {
          expect(to.mux.receive(bytes.subarray(offset, offset + cutBytes))).toBeUndefined()
        }
      }
    }
  }
}

function createPair(): { readonly dialler: End; readonly acceptor: End } {
  const pair = { dialler: createEnd(true), acceptor: createEnd(false) }
  exchange(pair.dialler, pair.acceptor)
  return pair
}

function readAll({ mux }: End, stream: MuxStream): Uint8Array {
  const chunks: Uint8Array[] = []
  for (let bytes = mux.read(stream); bytes !== undefined; bytes = mux.read(stream)) chunks.push(bytes)
  return concatBytes(...chunks)
}

function openOn({ mux }: End): MuxStream {
  const stream = mux.open()
  if (stream === undefined) throw new Error('a stream can be opened')
  return stream
}

function frame(header: FrameHeader, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES)
  writeHeader(bytes, 0, header)
  return concatBytes(bytes, payload)
}

const data = (stream: number, length: number): Uint8Array =>
  frame({ kind: FRAME.data, stream, value: length }, new Uint8Array(length))

describe('streams over one connection', () => {
  test('carry any bytes, in any writes, cut anywhere, both ways', () => {
    const writes = fc.array(fc.tuple(fc.nat({ max: 3 }), fc.uint8Array({ minLength: 1, maxLength: 300 })), {
      maxLength: 20,
    })
    fc.assert(
      fc.property(writes, fc.integer({ min: 1, max: 40 }), (script, cutBytes) => {
        const { dialler, acceptor } = createPair()
        const ends = [dialler, acceptor] as const
        const sent = new Map<MuxStream, Uint8Array[]>()
        const order: [MuxStream[], MuxStream[]] = [[], []]
        const streams = [0, 1, 2, 3].map((index) => ({ index, stream: openOn(index < 2 ? dialler : acceptor) }))
        for (const [index, bytes] of script) {
          const entry = streams[index]
          if (entry === undefined) continue
          const end = index < 2 ? 0 : 1
          if (!sent.has(entry.stream)) order[end].push(entry.stream)
          sent.set(entry.stream, [...(sent.get(entry.stream) ?? []), bytes])
          ends[end].mux.write(entry.stream, bytes)
          exchange(dialler, acceptor, cutBytes)
        }
        for (const [end, far] of [[0, acceptor] as const, [1, dialler] as const]) {
          for (const [place, near] of order[end].entries()) {
            ends[end].mux.finish(near)
            exchange(dialler, acceptor, cutBytes)
            const there = far.opened[place]
            expect(there?.ended).toBe(true)
            if (there === undefined) continue
            expect(equalBytes(readAll(far, there), concatBytes(...(sent.get(near) ?? [])))).toBe(true)
          }
        }
      }),
      { numRuns: 60 },
    )
  })

  test('take turns: one with much to send does not hold up the others', () => {
    const { dialler, acceptor } = createPair()
    const [bulk, small] = [openOn(dialler), openOn(dialler)]
    dialler.mux.write(bulk, new Uint8Array(STREAM_WINDOW_BYTES))
    dialler.mux.write(small, Uint8Array.of(1))
    const first = dialler.mux.take(64 * 1024)
    const second = dialler.mux.take(64 * 1024)
    expect(first?.length).toBeLessThanOrEqual(HEADER_BYTES + 64 * 1024)
    for (const bytes of [first, second]) acceptor.mux.receive(bytes ?? new Uint8Array(0))
    expect(acceptor.opened.map((stream) => stream.inbox.isEmpty())).toEqual([false, false])
  })

  test('hold one window each, and go on as it is read', () => {
    const { dialler, acceptor } = createPair()
    const near = openOn(dialler)
    let written = false
    near.events.written = () => {
      written = true
    }
    dialler.mux.write(near, new Uint8Array(2 * STREAM_WINDOW_BYTES))
    exchange(dialler, acceptor, 64 * 1024)
    const [far] = acceptor.opened
    if (far === undefined) throw new Error('the stream is seen')
    expect(written).toBe(false)
    expect(far.inbox.heldBytes()).toBeLessThanOrEqual(2 * STREAM_WINDOW_BYTES)
    let read = 0
    while (read < 2 * STREAM_WINDOW_BYTES) {
      read += readAll(acceptor, far).length
      exchange(dialler, acceptor, 64 * 1024)
    }
    expect(written).toBe(true)
  })

  test('hold together what a connection may, however they were read before, and give it back as they end', () => {
    const { dialler, acceptor } = createPair()
    const fill = (): number => {
      const near = Array.from({ length: MAX_OPEN_STREAMS }, () => openOn(dialler))
      const from = acceptor.opened.length
      // All are read for long, which makes their windows grow, and then no more.
      for (const stream of near) dialler.mux.write(stream, new Uint8Array(4 * STREAM_WINDOW_BYTES))
      for (let turn = 0; turn < 12; turn += 1) {
        exchange(dialler, acceptor, 64 * 1024)
        if (turn < 6) for (const stream of acceptor.opened.slice(from)) readAll(acceptor, stream)
      }
      const held = acceptor.opened.slice(from).reduce((sum, { inbox }) => sum + inbox.heldBytes(), 0)
      for (const stream of near) dialler.mux.reset(stream)
      exchange(dialler, acceptor, 64 * 1024)
      return held
    }
    const mostBytes = MAX_OPEN_STREAMS * FIRST_WINDOW_BYTES + GROWTH_PER_CONNECTION_BYTES
    const held = fill()
    expect(held).toBeGreaterThan(MAX_OPEN_STREAMS * FIRST_WINDOW_BYTES)
    expect(held).toBeLessThanOrEqual(2 * mostBytes)
    expect(fill()).toBe(held)
  })

  test('are as many as may be open, and one more for each that is over at the peer', () => {
    const { dialler, acceptor } = createPair()
    const streams = Array.from({ length: MAX_OPEN_STREAMS }, () => openOn(dialler))
    expect(dialler.mux.open()).toBeUndefined()
    for (const stream of streams) dialler.mux.finish(stream)
    exchange(dialler, acceptor)
    expect(dialler.mux.open()).toBeUndefined()
    const [first, second] = acceptor.opened
    if (first === undefined || second === undefined) throw new Error('the streams are seen')
    acceptor.mux.finish(first)
    acceptor.mux.reset(second)
    exchange(dialler, acceptor)
    openOn(dialler)
    openOn(dialler)
    expect(dialler.mux.open()).toBeUndefined()
  })

  test('that were reset before the peer saw them cost nothing', () => {
    const { dialler, acceptor } = createPair()
    for (let count = 0; count < 3 * MAX_OPEN_STREAMS; count += 1) dialler.mux.reset(openOn(dialler))
    exchange(dialler, acceptor)
    expect(acceptor.opened).toEqual([])
    dialler.mux.write(openOn(dialler), Uint8Array.of(1))
    exchange(dialler, acceptor)
    expect(acceptor.opened).toHaveLength(1)
  })

  test('a close says why, whatever else is due, and is cut between characters', () => {
    const { dialler, acceptor } = createPair()
    dialler.mux.write(openOn(dialler), new Uint8Array(5000))
    dialler.mux.close('ü'.repeat(MAX_REASON_BYTES))
    exchange(dialler, acceptor, 7)
    expect(acceptor.closed).toEqual(['ü'.repeat(MAX_REASON_BYTES / 2)])
    expect(acceptor.opened).toEqual([])
  })
})

describe('a peer that does not follow the protocol', () => {
  const beginnings: readonly (readonly [what: string, bytes: Uint8Array, code: string])[] = [
    ['a kind there is not', frame({ kind: 9 as 0, stream: 1, value: 1 }), 'bad_frame'],
    ['data of no stream', frame({ kind: FRAME.data, stream: 0, value: 1 }), 'bad_frame'],
    ['data of no bytes', frame({ kind: FRAME.data, stream: 1, value: 0 }), 'bad_frame'],
    ['a frame too long', frame({ kind: FRAME.data, stream: 1, value: MAX_DATA_BYTES + 1 }), 'bad_frame'],
    ['a frame longer than there are numbers', frame({ kind: FRAME.data, stream: 1, value: 2 ** 32 - 1 }), 'bad_frame'],
    ['a reason too long', frame({ kind: FRAME.close, stream: 0, value: MAX_REASON_BYTES + 1 }), 'bad_frame'],
    ['a close of a stream', frame({ kind: FRAME.close, stream: 1, value: 1 }), 'bad_frame'],
    ['credit of nothing', frame({ kind: FRAME.credit, stream: 1, value: 0 }), 'bad_frame'],
    ['a finish with a value', frame({ kind: FRAME.finish, stream: 1, value: 1 }), 'bad_frame'],
    ['a stream out of turn', data(3, 1), 'unknown_stream'],
    ['a stream of ours', data(2, 1), 'unknown_stream'],
    ['credit for a stream never opened', frame({ kind: FRAME.credit, stream: 1, value: 1 }), 'unknown_stream'],
    ['a reset of a stream never opened', frame({ kind: FRAME.reset, stream: 1, value: 0 }), 'unknown_stream'],
    ['streams nobody opened', frame({ kind: FRAME.streams, stream: 0, value: 1 }), 'too_much_credit'],
    ['a welcome by who dialled', frame({ kind: FRAME.welcome, stream: 0, value: 1 }), 'unexpected_welcome'],
    [
      'data after its end',
      concatBytes(data(1, 1), frame({ kind: FRAME.finish, stream: 1, value: 0 }), data(1, 1)),
      'data_after_finish',
    ],
    [
      'more credit than the largest window',
      concatBytes(
        data(1, 1),
        frame({ kind: FRAME.credit, stream: 1, value: STREAM_WINDOW_BYTES - FIRST_WINDOW_BYTES + 1 }),
      ),
      'too_much_credit',
    ],
    [
      'more than the window',
      concatBytes(...Array.from({ length: FIRST_WINDOW_BYTES / 1024 + 1 }, () => data(1, 1024))),
      'beyond_window',
    ],
    [
      'too many streams',
      concatBytes(...Array.from({ length: MAX_OPEN_STREAMS + 1 }, (_, index) => data(2 * index + 1, 1))),
      'too_many_streams',
    ],
  ]
  test.each(beginnings)('is refused: %s', (_, bytes, code) => {
    for (const cutBytes of [1, 5, bytes.length]) {
      const { mux } = createEnd(false)
      let violation
      for (let offset = 0; offset < bytes.length && violation === undefined; offset += cutBytes) {
        violation = mux.receive(bytes.subarray(offset, offset + cutBytes))
      }
      expect(violation?.code).toBe(code)
      // Nothing is taken in after it.
      expect(mux.receive(data(1, 1))?.code).toBe(code)
    }
  })

  test('is refused by who dialled, too, when it says anything before it has taken the connection in', () => {
    expect(createEnd(true).mux.receive(frame({ kind: FRAME.ping, stream: 0, value: 0 }))?.code).toBe('not_welcomed')
    expect(createEnd(true).mux.receive(frame({ kind: FRAME.welcome, stream: 0, value: 2 }))?.code).toBe('wrong_version')
  })

  test('may go on sending for a moment on a stream that was reset here, but for the window and no more', () => {
    const { mux, opened } = createEnd(false)
    mux.receive(data(1, 1))
    const [stream] = opened
    if (stream === undefined) throw new Error('the stream is seen')
    mux.reset(stream)
    for (let sent = 1; sent + 1024 <= FIRST_WINDOW_BYTES; sent += 1024) {
      expect(mux.receive(data(1, 1024))).toBeUndefined()
    }
    expect(mux.receive(data(1, 1024))?.code).toBe('beyond_window')
  })

  test('gets one answer to many pings, and makes nothing grow by not reading', () => {
    const { mux } = createEnd(false)
    for (let count = 0; count < 5000; count += 1) mux.receive(frame({ kind: FRAME.ping, stream: 0, value: count }))
    expect(mux.take(64 * 1024)?.length).toBe(2 * HEADER_BYTES)
  })

  test('cannot make a window of tiny frames cost more than a few windows', () => {
    const { mux, opened } = createEnd(false)
    const tiny = concatBytes(...Array.from({ length: 1000 }, () => data(1, 1)))
    // Each in memory of its own, as they come from a socket.
    for (let count = 0; count < 100; count += 1) mux.receive(tiny.slice())
    expect(opened[0]?.inbox.heldBytes()).toBeLessThanOrEqual(2 * 100_000)
  })

  test('cannot make the machine throw, whatever it sends', () => {
    const kinds = fc.constantFrom(...Object.values(FRAME))
    const numbers = fc.oneof(
      fc.nat({ max: 5 }),
      fc.nat({ max: MAX_DATA_BYTES }),
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    )
    const frames = fc.record({ kind: kinds, stream: fc.nat({ max: 6 }), value: numbers })
    const script = fc.array(
      fc.oneof(
        frames.map((header) => frame(header)),
        fc.uint8Array({ maxLength: 40 }),
      ),
      { maxLength: 30 },
    )
    fc.assert(
      fc.property(fc.boolean(), script, (outgoing, parts) => {
        const end = createEnd(outgoing)
        for (const part of parts) {
          end.mux.receive(part)
          for (const stream of end.opened) readAll(end, stream)
          end.mux.take(1000)
        }
        end.mux.fail('over')
      }),
      { numRuns: 300 },
    )
  })
})

test('a reason is shown without what would spoil a screen', () => {
  const { mux, closed } = createEnd(false)
  const reason = utf8Encode('a\u001b[2Jb')
  mux.receive(frame({ kind: FRAME.close, stream: 0, value: reason.length }, reason))
  expect(closed).toEqual(['a [2Jb'])
})
