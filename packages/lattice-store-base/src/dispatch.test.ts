import { create, createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import {
  createAbortController,
  isLatticeError,
  type IntentionId,
  parseStoreType,
  sym,
  toIntentionId,
  utf8Encode,
} from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { kv } from '@lattice/proto'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { createClient, type StreamCall, type UnaryCall } from './client.ts'
import { defineCommand, defineQuery, defineStateMachine, defineStream, defineWrite } from './define.ts'
import { describeMachine } from './describe-machine.ts'
import { execMethod } from './dispatch.ts'
import { InvalidArgument } from './errors.ts'
import { MAX_REQUEST_BYTES } from './limits.ts'
import type { StateMachine } from './state-machine.ts'
import { createMachineHost } from './testing/machine-host.ts'

const type = parseStoreType('test:echo')
if (!type.ok) throw new Error('the store type is well-formed')

const write = (name: string) => ({ description: `${name} writes`, response: kv.WriteResponseSchema })

/** Keeps the last payload under one key; its events are the payloads. */
const machine = defineStateMachine({
  storeType: type.value,
  schemaVersion: 1,
  tableVersion: 1,
  service: kv.KvStore,
  commands: {
    Put: defineCommand({
      ...write('Put'),
      request: kv.PutRequestSchema,
      run: async (context, { value }) => {
        if (value.length === 0) throw new InvalidArgument('the value is empty: give one')
        return create(kv.WriteResponseSchema, { id: await context.submit(value, () => []) })
      },
    }),
    Delete: defineWrite({
      ...write('Delete'),
      request: kv.DeleteRequestSchema,
      plan: ({ key }) => {
        if (key.length === 0) throw new InvalidArgument('the key is empty: give one')
        return { payload: key, deps: () => [] }
      },
      respond: (id) => create(kv.WriteResponseSchema, { id }),
    }),
    Batch: defineCommand({
      ...write('Batch'),
      request: kv.BatchRequestSchema,
      run: async () => create(kv.WriteResponseSchema),
    }),
    Resolve: defineCommand({
      ...write('Resolve'),
      request: kv.ResolveRequestSchema,
      run: async () => create(kv.WriteResponseSchema),
    }),
  },
  queries: {
    Get: defineQuery({
      description: 'Reads the last payload.',
      request: kv.GetRequestSchema,
      response: kv.GetResponseSchema,
      run: ({ read }) => create(kv.GetResponseSchema, { value: read.get(utf8Encode('last')) ?? new Uint8Array() }),
    }),
    List: defineQuery({
      description: 'l',
      request: kv.ListRequestSchema,
      response: kv.ListResponseSchema,
      run: () => create(kv.ListResponseSchema),
    }),
    Inspect: defineQuery({
      description: 'i',
      request: kv.InspectRequestSchema,
      response: kv.InspectResponseSchema,
      run: () => create(kv.InspectResponseSchema),
    }),
    History: defineQuery({
      description: 'h',
      request: kv.HistoryRequestSchema,
      response: kv.HistoryResponseSchema,
      run: () => create(kv.HistoryResponseSchema),
    }),
    Count: defineQuery({
      description: 'c',
      request: kv.CountRequestSchema,
      response: kv.CountResponseSchema,
      run: () => create(kv.CountResponseSchema),
    }),
  },
  streams: {
    Watch: defineStream<Uint8Array>()({
      description: 'Follows the payloads.',
      params: kv.WatchRequestSchema,
      item: kv.WatchEventSchema,
      open: (context) => {
        const changes = context.changes()
        return (async function* () {
          for await (const change of changes)
            if (change.kind === 'lagged')
              yield create(kv.WatchEventSchema, { event: { case: 'lagged', value: BigInt(change.count) } })
            else
              for (const key of change.events)
                yield create(kv.WatchEventSchema, { event: { case: 'deleted', value: { key } } })
        })()
      },
    }),
  },
  apply: (table, op) => {
    table.set(utf8Encode('last'), op.payload)
    return { kind: 'applied' as const, events: [op.payload] }
  },
  summarize: () => sym('echo'),
  fieldFormats: { 'lattice.kv.v1.PutRequest.value': 'hex' as const, 'lattice.kv.v1.PutRequest.key': 'utf8' as const },
  referencedBlobs: () => [],
})

const open = (streamCapacity = 8) =>
  createMachineHost<Uint8Array>({ machine, table: createMemoryTable(), streamCapacity })
const signal = createAbortController().signal
const put = (value: Uint8Array): Uint8Array => toBinary(kv.PutRequestSchema, create(kv.PutRequestSchema, { value }))

async function failure(attempt: Promise<unknown>): Promise<unknown> {
  return attempt.then(
    () => undefined,
    (error: unknown) => (isLatticeError(error) ? error.code : error),
  )
}

describe('dispatch', () => {
  test('runs commands and queries by name, bytes in and bytes out', async () => {
    const host = open()
    const { id } = fromBinary(kv.WriteResponseSchema, await host.exec('Put', put(Uint8Array.of(7)), signal))
    expect(id).toHaveLength(32)
    const { value } = fromBinary(kv.GetResponseSchema, await host.exec('Get', new Uint8Array(), signal))
    expect(value).toEqual(Uint8Array.of(7))
  })

  test('a command that is one write runs alone and many times at once, and does the same', async () => {
    const remove = (key: number): Uint8Array =>
      toBinary(kv.DeleteRequestSchema, create(kv.DeleteRequestSchema, { key: Uint8Array.of(key) }))
    const [one, many] = [open(), open()]
    for (const key of [1, 2, 3]) {
      const { id } = fromBinary(kv.WriteResponseSchema, await one.exec('Delete', remove(key), signal))
      expect(id).toHaveLength(32)
    }
    expect(await many.execMany('Delete', [remove(1), remove(2), remove(3)], {})).toEqual({ written: 3 })
    expect(many.applied().map(({ payload }) => payload)).toEqual(one.applied().map(({ payload }) => payload))
  })

  test('writes in the schema that is activated, alone and many at once, whatever the machine knows', async () => {
    const asked: number[] = []
    const newer = {
      ...machine,
      schemaVersion: 3,
      commands: {
        ...machine.commands,
        Delete: defineWrite({
          ...write('Delete'),
          request: kv.DeleteRequestSchema,
          plan: ({ key }, schema) => {
            asked.push(schema)
            return { payload: key, deps: () => [] }
          },
          respond: (id) => create(kv.WriteResponseSchema, { id }),
        }),
      },
    }
    const host = createMachineHost<Uint8Array>({ machine: newer, table: createMemoryTable(), schema: 2 })
    await host.exec('Delete', new Uint8Array(), signal)
    await host.execMany('Delete', [new Uint8Array()], {})
    expect(asked).toEqual([2, 2])
    expect(host.applied().map(({ schema }) => schema)).toEqual([2, 2])
  })

  test('what is not one write cannot be run many times at once: a typed error that says what can', async () => {
    for (const method of ['Put', 'Get']) {
      const error: unknown = await open()
        .execMany(method, [], {})
        .catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: 'NOT_SUPPORTED', detail: { method, available: ['Delete'] } })
    }
    expect(await failure(open().execMany('constructor', [], {}))).toBe('METHOD_NOT_FOUND')
    expect(await failure(open().execMany('Delete', [new Uint8Array(MAX_REQUEST_BYTES + 1)], {}))).toBe('LIMIT_EXCEEDED')
    expect(await failure(open().execMany('Delete', [Uint8Array.of(0xff)], {}))).toBe('INVALID_ARGUMENT')
  })

  test('a name it does not have is a typed error, also one that every object has', async () => {
    for (const name of ['put', 'Watch', '', 'constructor', '__proto__', 'toString'])
      expect(await failure(open().exec(name, new Uint8Array(), signal))).toBe('METHOD_NOT_FOUND')
    for (const name of ['Put', 'constructor'])
      expect(() => open().subscribe(name, new Uint8Array(), signal)).toThrow(`there is no stream '${name}'`)
  })

  test('a request that does not decode, or is too long, is the caller’s error', async () => {
    const host = open()
    expect(await failure(host.exec('Put', Uint8Array.of(0xff, 0xff), signal))).toBe('INVALID_ARGUMENT')
    expect(await failure(host.exec('Put', new Uint8Array(MAX_REQUEST_BYTES + 1), signal))).toBe('LIMIT_EXCEEDED')
    expect(() => host.subscribe('Watch', Uint8Array.of(0xff), signal)).toThrow('is not a lattice.kv.v1.WatchRequest')
    expect(host.applied()).toEqual([])
  })

  test('what a method throws arrives as it is', async () => {
    expect(await failure(open().exec('Put', put(new Uint8Array()), signal))).toBe('INVALID_ARGUMENT')
  })

  test('an aborted call does nothing and rejects with the reason', async () => {
    const controller = createAbortController()
    controller.abort('enough')
    const host = open()
    expect(await failure(host.exec('Put', put(Uint8Array.of(1)), controller.signal))).toBe('enough')
    expect(host.applied()).toEqual([])
  })

  test('a stream is subscribed when it is opened, not when it is first read', async () => {
    const host = open()
    const stream = host.subscribe('Watch', new Uint8Array(), signal)
    await host.exec('Put', put(Uint8Array.of(9)), signal)
    for await (const item of stream) {
      expect(fromBinary(kv.WatchEventSchema, item).event).toMatchObject({
        case: 'deleted',
        value: { key: Uint8Array.of(9) },
      })
      break
    }
  })

  test('a stream that falls behind is told', async () => {
    const host = open(2)
    const client = createClient(machine, host)
    const stream = client.watch({})
    for (const value of [1, 2, 3, 4, 5]) await client.put({ value: Uint8Array.of(value) })
    const seen: unknown[] = []
    for await (const { event } of stream) if (seen.push(event.case) === 3) break
    expect(seen).toEqual(['lagged', 'deleted', 'deleted'])
  })
})

describe('describeMachine', () => {
  test('names every method with kind and description, and carries descriptors that stand alone', () => {
    const description = describeMachine(machine)
    expect(description.service).toBe('lattice.kv.v1.KvStore')
    expect(description.methods.map(({ name, kind }) => `${kind} ${name}`)).toEqual([
      'command Put',
      'command Delete',
      'command Batch',
      'command Resolve',
      'query Get',
      'query List',
      'query Inspect',
      'query History',
      'query Count',
      'stream Watch',
    ])
    expect(description.methods[0]).toMatchObject({ description: 'Put writes', input: 'lattice.kv.v1.PutRequest' })
    expect(description.formats.map(({ field }) => field)).toEqual([
      'lattice.kv.v1.PutRequest.key',
      'lattice.kv.v1.PutRequest.value',
    ])
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, description.fileDescriptorSet))
    expect(registry.getService(description.service)?.methods).toHaveLength(10)
  })
})

describe('defineStateMachine', () => {
  test('a method too few, too many or of the wrong kind is a bug', () => {
    const { Put: first, ...others } = machine.commands
    expect(() => defineStateMachine<StateMachine>({ ...machine, commands: others })).toThrow('Put')
    expect(() =>
      defineStateMachine<StateMachine>({ ...machine, commands: { ...machine.commands, More: first } }),
    ).toThrow('More')
    const wrong = { ...machine.queries, Count: machine.queries.Get }
    expect(() => defineStateMachine<StateMachine>({ ...machine, queries: wrong })).toThrow(
      'takes what its service says',
    )
    const swapped = { ...machine.commands, Watch: first }
    expect(() => defineStateMachine<StateMachine>({ ...machine, commands: swapped, streams: {} })).toThrow(
      'Watch is unary in its service',
    )
  })
})

describe('createClient', () => {
  test('methods have the messages of the service', () => {
    const client = createClient(machine, open())
    expectTypeOf(client.put).toExtend<UnaryCall<typeof kv.PutRequestSchema, typeof kv.WriteResponseSchema>>()
    expectTypeOf(client.get).returns.resolves.toEqualTypeOf<kv.GetResponse>()
    expectTypeOf(client.watch).toExtend<StreamCall<typeof kv.WatchRequestSchema, typeof kv.WatchEventSchema>>()
    // @ts-expect-error A key is bytes.
    expectTypeOf(client.put).toBeCallableWith({ key: 7 })
    // @ts-expect-error There is no such method.
    expect(client.nothing).toBeUndefined()
  })

  test('a definition infers what its functions are given', () => {
    defineQuery({
      description: 'x',
      request: kv.GetRequestSchema,
      response: kv.GetResponseSchema,
      run: (_context, request) => {
        expectTypeOf(request).toEqualTypeOf<kv.GetRequest>()
        return create(kv.GetResponseSchema)
      },
    })
    expectTypeOf(machine.commands.Put.request).toEqualTypeOf<typeof kv.PutRequestSchema>()
    expectTypeOf(execMethod).returns.resolves.toEqualTypeOf<Uint8Array>()
    expectTypeOf<IntentionId>().not.toEqualTypeOf<Uint8Array>()
    expect(toIntentionId(new Uint8Array(32))).toHaveLength(32)
  })
})
