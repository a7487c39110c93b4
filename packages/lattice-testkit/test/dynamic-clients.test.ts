/** A client that knows a store by its description alone can do everything that a typed one can. */
import { createFileRegistry, type DescService, fromBinary, type JsonValue, fromJson, toJson } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { kvStore } from '@lattice/kvstore'
import { logStore } from '@lattice/logstore'
import { createAbortController, utf8Encode } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { createClient, describeMachine, type StateMachine } from '@lattice/store-base'
import { createMachineHost } from '@lattice/store-base/testing'
import { describe, expect, test } from 'vitest'

const base64 = (text: string): string => Buffer.from(utf8Encode(text)).toString('base64')

/** One call of each method, in order; what of the answer has to be so. */
const calls: readonly (readonly [StateMachine, readonly (readonly [string, JsonValue, JsonValue])[]])[] = [
  [
    kvStore as StateMachine,
    [
      ['put', { key: base64('a'), value: base64('1') }, {}],
      [
        'batch',
        {
          operations: [
            { key: base64('b'), put: base64('2') },
            { key: base64('c'), delete: {} },
          ],
        },
        {},
      ],
      ['delete', { key: base64('b') }, {}],
      ['resolve', { key: base64('a'), value: base64('3') }, {}],
      ['get', { key: base64('a') }, { value: base64('3') }],
      ['list', {}, { items: [{ key: base64('a'), value: base64('3') }] }],
      ['inspect', { key: base64('a') }, { exists: true }],
      ['history', { key: base64('a') }, { entries: [{ wins: true }, { value: base64('1') }] }],
      ['count', {}, { count: '1' }],
      ['watch', { snapshot: true }, { put: { key: base64('a') } }],
    ],
  ],
  [
    logStore as StateMachine,
    [
      ['append', { content: base64('1') }, {}],
      ['appendBatch', { contents: [base64('2'), base64('3')] }, {}],
      ['read', { tail: 1 }, { entries: [{ content: base64('3'), position: 1 }] }],
      ['get', { id: Buffer.alloc(32).toString('base64') }, {}],
      ['count', {}, { count: '3' }],
      ['follow', { tail: 1 }, { entry: { content: base64('3') } }],
    ],
  ],
]

function serviceOf(machine: StateMachine): DescService {
  const { fileDescriptorSet, service } = describeMachine(machine)
  const found = createFileRegistry(fromBinary(FileDescriptorSetSchema, fileDescriptorSet)).getService(service)
  if (found === undefined) throw new Error('a description holds its service')
  return found
}

describe('a client made of a description alone', () => {
  test.each(calls)('calls every method (%#)', async (machine, methods) => {
    const service = serviceOf(machine)
    expect(methods.map(([name]) => name).toSorted()).toEqual(service.methods.map((each) => each.localName).toSorted())
    const host = createMachineHost({ machine, table: createMemoryTable() })
    // As over a socket: nothing but bytes.
    const { query: _, ...remote } = host
    const client = createClient({ service }, remote)
    for (const [name, json, expected] of methods) {
      const method = service.methods.find((each) => each.localName === name)
      const call = client[name]
      if (method === undefined || call === undefined) throw new Error(`${name} is a method`)
      const request = fromJson(method.input, json)
      const controller = createAbortController()
      const answer = call(request, controller.signal)
      if (Symbol.asyncIterator in answer) {
        for await (const item of answer) {
          expect(toJson(method.output, item)).toMatchObject(expected as object)
          break
        }
      } else {
        expect(toJson(method.output, await Promise.resolve(answer))).toMatchObject(expected as object)
      }
      controller.abort()
    }
  })
})
