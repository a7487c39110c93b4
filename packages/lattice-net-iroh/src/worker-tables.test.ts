import { createManualScheduler } from '@lattice/model/testing'
import { type BiStream, type Connection, StreamLost } from '@lattice/net-types'
import { describe, expect, test } from 'vitest'
import { createCallTable } from './call-table.ts'
import { createEndingTable } from './ending-table.ts'
import { createNameTable } from './name-table.ts'
import { createWorkerTimers, serveTimers } from './worker-timers.ts'

const stream: BiStream = {
  read: async () => undefined,
  write: async () => undefined,
  finish: async () => undefined,
  reset: () => undefined,
}
const connection: Pick<Connection, 'streams'> = {
  streams: {
    async *[Symbol.asyncIterator]() {
      yield stream
    },
  },
}

describe('calls to the worker', () => {
  test('each gets its own answer, in any order', async () => {
    const calls = createCallTable()
    const numbers: number[] = []
    const start = (): Promise<unknown> => calls.start({ op: 'read', stream: 1 }, (call) => numbers.push(call))
    const [first, second] = [start(), start()]
    calls.answer(numbers[1] ?? -1, new Uint8Array([2]))
    calls.refuse(numbers[0] ?? -1, 'gone')
    expect(await second).toEqual(new Uint8Array([2]))
    await expect(first).rejects.toBeInstanceOf(StreamLost)
  })

  test('all that wait are refused when the worker ends, and so are later ones', async () => {
    const calls = createCallTable()
    const waiting = calls.start({ op: 'accept' }, () => undefined)
    calls.close('the thread ended')
    await expect(waiting).rejects.toThrow('the thread ended')
    let posted = false
    await expect(calls.start({ op: 'accept' }, () => (posted = true))).rejects.toThrow('the thread ended')
    expect(posted).toBe(false)
  })

  test('an answer nobody waits for is a bug', () => {
    expect(() => createCallTable().answer(0, undefined)).toThrow('an answer belongs to a call')
  })
})

describe('names of the worker', () => {
  test('a connection is forgotten with its streams', () => {
    const names = createNameTable()
    const name = names.addConnection(connection as Connection)
    const kept = names.addConnection(connection as Connection)
    const [first, second] = [names.addStream(name, stream), names.addStream(kept, stream)]
    names.dropConnection(name)
    expect(names.findConnection(name)).toBeUndefined()
    expect(names.findStream(first)).toBeUndefined()
    expect(names.findStream(second)).toBe(stream)
    expect(() => names.addStream(name, stream)).toThrow(StreamLost)
    names.dropStream(second)
    expect(names.findStream(second)).toBeUndefined()
  })
})

describe('endings of connections', () => {
  test('are told whether they come before or after they are asked for', async () => {
    const endings = createEndingTable()
    endings.announce(1, { by: 'remote', message: 'early' })
    const late = endings.of(2)
    endings.announce(2, { by: 'local', message: 'late' })
    expect((await endings.of(1)).message).toBe('early')
    expect((await late).message).toBe('late')
  })

  test('come for all when the worker ends', async () => {
    const endings = createEndingTable()
    const waiting = endings.of(1)
    endings.close({ by: 'lost', message: 'the thread ended' })
    expect((await waiting).by).toBe('lost')
    expect((await endings.of(2)).by).toBe('lost')
  })
})

describe('what the worker does in time', () => {
  test('goes by the scheduler on the other side, and nothing that was cancelled happens', () => {
    const scheduler = createManualScheduler()
    const served = serveTimers(scheduler, (command) => command.op === 'due' && timers.due(command.timer))
    const timers = createWorkerTimers((message) => {
      if (message.kind === 'after' || message.kind === 'cancel') served.receive(message)
    })
    const done: string[] = []
    const cancel = timers.after(10, () => done.push('cancelled'))
    timers.after(20, () => done.push('late'))
    timers.after(10, () => done.push('soon'))
    cancel()
    cancel()
    scheduler.advance(10)
    expect(done).toEqual(['soon'])
    scheduler.advance(10)
    expect(done).toEqual(['soon', 'late'])
    timers.after(10, () => done.push('never'))
    served.close()
    expect(scheduler.pending()).toBe(0)
  })

  test('is not done when it was cancelled while the word of it was on its way', () => {
    const done: number[] = []
    const timers = createWorkerTimers(() => undefined)
    const cancel = timers.after(10, () => done.push(1))
    cancel()
    timers.due(0)
    timers.due(7)
    expect(done).toEqual([])
  })
})
