import { create, createFileRegistry, type DescMessage, fromBinary, type Message, toBinary } from '@bufbuild/protobuf'
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt'
import { daemon, kv, system } from '@lattice/proto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { kvDescriptor, utf8 } from '../../test/fake-node.ts'
import { messageFromJson, messageToJson } from '../render/message-json.ts'
import { messageToLine, messageToText } from '../render/message-text.ts'
import { PLAIN_STYLE } from '../render/style.ts'
import { buildRequest, fieldAt } from './arguments.ts'
import { commandName, findMethod, readStoreInterface, type StoreMethod, usageOf } from './store-methods.ts'

const store = readStoreInterface(kvDescriptor())
const request = (line: readonly string[]): Message => {
  const [name = '', ...words] = line
  return buildRequest(findMethod(store, name), words, store.formatOf)
}
const asJson = (line: readonly string[]): unknown => {
  const method = findMethod(store, line[0] ?? '')
  return messageToJson(method.input, request(line), store.formatOf)
}

describe('a store, read from its descriptor', () => {
  test('methods are found in any case; an unknown one is answered with those there are', () => {
    expect(findMethod(store, 'PUT').name).toBe('Put')
    expect(() => findMethod(store, 'frob')).toThrow(
      'put, delete, batch, resolve, get, list, inspect, history, count, watch',
    )
  })

  test('a method of several words is written with hyphens, and found without them, too', () => {
    const upload: StoreMethod = { ...findMethod(store, 'put'), name: 'UploadBundle2Now' }
    expect(commandName(upload)).toBe('upload-bundle2-now')
    for (const name of ['upload-bundle2-now', 'uploadbundle2now', 'UploadBundle2Now']) {
      expect(findMethod({ ...store, methods: [...store.methods, upload] }, name)).toBe(upload)
    }
  })

  test('usage names what must be given', () => {
    expect(usageOf(findMethod(store, 'put'))).toBe('put KEY VALUE')
    expect(usageOf(findMethod(store, 'resolve'))).toBe('resolve KEY [value]')
    expect(usageOf(findMethod(store, 'batch'))).toBe('batch [operations]…')
  })

  test('a descriptor that is none is refused', () => {
    const broken = create(daemon.StoreDescriptorSchema, {
      storeType: 'x:y',
      service: 'x.Y',
      fileDescriptorSet: new Uint8Array([9, 9]),
    })
    expect(() => readStoreInterface(broken)).toThrow('cannot read')
    expect(() => readStoreInterface({ ...kvDescriptor(), service: 'no.Such' })).toThrow('cannot read')
  })
})

describe('words as a request', () => {
  test('positional words fill fields in the order they are declared', () => {
    expect(asJson(['put', 'k', 'v'])).toEqual({ key: 'k', value: 'v' })
    expect(asJson(['list', 'a', 'b', 'c', '5'])).toMatchObject({ prefix: 'a', start: 'b', end: 'c', limit: 5 })
  })

  test('a name fills one field, and the words around it the others', () => {
    expect(asJson(['put', 'value=v', 'k'])).toEqual({ key: 'k', value: 'v' })
    expect(asJson(['list', 'limit=7', 'reverse=true'])).toMatchObject({ limit: 7, reverse: true })
    expect(asJson(['list', 'pageToken=00ff'])).toMatchObject({ pageToken: '00ff' })
  })

  test('a word with = that names no field is a word', () => {
    expect(asJson(['put', 'a=b', 'c=d'])).toEqual({ key: 'a=b', value: 'c=d' })
  })

  test('bytes are text or 0x…; what begins like hex must be hex', () => {
    expect(asJson(['put', '0x00ff', 'é'])).toEqual({ key: '0x00ff', value: 'é' })
    expect(() => request(['put', '0xfg', 'v'])).toThrow("key: '0xfg' is not hex")
  })

  test('bytes in JSON are text, too', () => {
    for (const [json, noun] of [
      ['{"put":{"key":"a"}}', 'an object'],
      ['{"put":["a"]}', 'a list'],
      ['{"put":7}', '7'],
    ] as const) {
      expect(() => request(['batch', json])).toThrow(`put takes text, not ${noun}`)
    }
    expect(asJson(['batch', '{"key":"a","put":null}'])).toEqual({ operations: [{ key: 'a' }] })
  })

  test('lists take JSON, one element a word or all in one', () => {
    const both = {
      operations: [
        { key: 'a', put: '1' },
        { key: 'b', delete: {} },
      ],
    }
    expect(asJson(['batch', '{"key":"a","put":"1"}', '{"key":"b","delete":{}}'])).toEqual(both)
    expect(asJson(['batch', '[{"key":"a","put":"1"},{"key":"b","delete":{}}]'])).toEqual(both)
  })

  test.each([
    [['list', 'limit=ten'], 'limit is a whole number from 0 to 4294967295'],
    [['list', 'limit=-1'], 'limit is a whole number'],
    [['list', 'limit=4294967296'], 'limit is a whole number'],
    [['list', 'limit=1.5'], 'limit is a whole number'],
    [['list', 'limit='], 'limit is a whole number'],
    [['list', 'reverse=maybe'], 'reverse is true or false'],
    [['put', 'k'], 'value is missing'],
    [['put'], 'key is missing'],
    [['put', 'k', 'v', 'w'], "'w' is one argument too many"],
    [['put', 'key=a', 'key=b', 'v'], 'key is given twice'],
    [['batch', '{'], 'operations takes JSON'],
    [['batch', '{"key":"a","frob":1}'], 'frob'],
    [['batch', '{"key":"a","put":"1","delete":{}}'], 'oneof'],
    [['batch', '{"key":"a","put":7}'], 'put'],
  ])('%j is refused', (line, message) => {
    expect(() => request(line)).toThrow(message)
  })

  test('any key and value arrive as they are', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (key, value) => {
        const message = create(kv.PutRequestSchema, { key, value })
        const json = messageToJson(kv.PutRequestSchema, message, store.formatOf) as { key: string; value: string }
        const method = findMethod(store, 'put')
        const built = buildRequest(method, [`key=${json.key}`, `value=${json.value}`], store.formatOf)
        expect(toBinary(method.input, built)).toEqual(toBinary(kv.PutRequestSchema, message))
      }),
    )
  })

  test('completion knows which field the last word fills', () => {
    const put = findMethod(store, 'put')
    expect(fieldAt(put, [''])?.name).toBe('key')
    expect(fieldAt(put, ['k', ''])?.name).toBe('value')
    expect(fieldAt(put, ['value=x', ''])?.name).toBe('key')
    expect(fieldAt(put, ['value=x'])?.name).toBe('value')
    expect(fieldAt(put, ['k', 'v', ''])?.name).toBe('value')
  })
})

/** A type as no store has it yet: every scalar, an enum, a map, nesting. */
function everySort(): DescMessage {
  const { OPTIONAL, REPEATED } = FieldDescriptorProto_Label
  const { INT64, DOUBLE, ENUM, BOOL, SINT32, MESSAGE } = FieldDescriptorProto_Type
  const file = create(FileDescriptorProtoSchema, {
    name: 'every.proto',
    package: 'every',
    syntax: 'proto3',
    enumType: [
      {
        name: 'Colour',
        value: [
          { name: 'COLOUR_UNSPECIFIED', number: 0 },
          { name: 'COLOUR_DARK_RED', number: 1 },
        ],
      },
    ],
    messageType: [
      {
        name: 'Every',
        field: [
          { name: 'big', number: 1, label: OPTIONAL, type: INT64, jsonName: 'big' },
          { name: 'real', number: 2, label: OPTIONAL, type: DOUBLE, jsonName: 'real' },
          { name: 'colour', number: 3, label: OPTIONAL, type: ENUM, typeName: '.every.Colour', jsonName: 'colour' },
          { name: 'flags', number: 4, label: REPEATED, type: BOOL, jsonName: 'flags' },
          { name: 'small', number: 5, label: OPTIONAL, type: SINT32, jsonName: 'small' },
          { name: 'inner', number: 6, label: OPTIONAL, type: MESSAGE, typeName: '.every.Every', jsonName: 'inner' },
        ],
      },
    ],
  })
  const schema = createFileRegistry(file, () => undefined).getMessage('every.Every')
  if (schema === undefined) throw new Error('the type is there')
  return schema
}

describe('fields of every sort', () => {
  const schema = everySort()
  const method = { name: 'Do', kind: 'query', description: '', input: schema, output: schema } as const
  const build = (...words: string[]): unknown =>
    messageToJson(
      schema,
      buildRequest(method, words, () => undefined),
      () => undefined,
    )

  test('values read by their type', () => {
    expect(
      build(
        'big=-9223372036854775808',
        'real=-1.5e3',
        'colour=dark-red',
        'small=-7',
        'inner={"big":"5"}',
        'flags=true',
        'flags=false',
      ),
    ).toMatchObject({
      big: '-9223372036854775808',
      real: -1500,
      colour: 'COLOUR_DARK_RED',
      small: -7,
      flags: [true, false],
      inner: { big: '5' },
    })
    expect(build('colour=1')).toMatchObject({ colour: 'COLOUR_DARK_RED' })
    expect(build('colour=COLOUR_DARK_RED')).toMatchObject({ colour: 'COLOUR_DARK_RED' })
  })

  test.each([
    'big=9223372036854775808',
    'real=NaN',
    'real=',
    'real=0x10',
    'colour=green',
    'small=2147483648',
    'inner=5',
  ])('%s is refused', (word) => {
    expect(() => build(word)).toThrow(/^(?:big|real|colour|small) is|cannot decode message every.Every/u)
  })

  test('text names enum values without their prefix', () => {
    const message = buildRequest(method, ['colour=1', 'small=3'], () => undefined)
    expect(
      messageToLine(schema, message, { style: PLAIN_STYLE, formatOf: () => undefined, width: undefined, full: false }),
    ).toBe('colour=dark-red small=3')
  })
})

describe('answers', () => {
  const options = { style: PLAIN_STYLE, formatOf: store.formatOf, width: undefined, full: false }

  test('a value alone is bare, so that a script can use it', () => {
    const message = create(kv.GetResponseSchema, { value: utf8('line 1\nline 2') })
    expect(messageToText(kv.GetResponseSchema, message, options)).toBe('line 1\nline 2')
    expect(messageToText(kv.GetResponseSchema, message, { ...options, width: 80 })).toBe(String.raw`line 1\nline 2`)
    expect(messageToText(kv.CountResponseSchema, create(kv.CountResponseSchema), options)).toBe('0')
  })

  test('several values are named', () => {
    const message = create(kv.GetResponseSchema, { value: utf8('v'), conflicted: true })
    expect(messageToText(kv.GetResponseSchema, message, options)).toMatchInlineSnapshot(`
      "value       v
      conflicted  yes"
    `)
  })

  test('lists are tables of what is set, followed by what belongs to the whole', () => {
    const message = create(kv.ListResponseSchema, {
      items: [
        { key: utf8('a'), value: utf8('1') },
        { key: utf8('b'), value: new Uint8Array([255]), conflicted: true },
      ],
      nextPageToken: new Uint8Array([1, 2]),
    })
    expect(messageToText(kv.ListResponseSchema, message, options)).toMatchInlineSnapshot(`
      "KEY  VALUE  CONFLICTED
      a    1
      b    0xff   yes

      next_page_token  0102"
    `)
  })

  test('events are one line, the variant by its name', () => {
    const put = create(kv.WatchEventSchema, {
      event: { case: 'put', value: create(kv.KeyValueSchema, { key: utf8('a b'), value: utf8('1\n2') }) },
    })
    expect(messageToLine(kv.WatchEventSchema, put, options)).toBe(String.raw`put key="a b" value="1\n2"`)
    const end = create(kv.WatchEventSchema, { event: { case: 'snapshotEnd', value: create(kv.SnapshotEndSchema) } })
    expect(messageToLine(kv.WatchEventSchema, end, options)).toBe('snapshot_end')
  })

  test('JSON follows the protobuf mapping, with ids as hex and bytes as text', () => {
    const message = create(daemon.StoreInfoSchema, {
      id: new Uint8Array(32).fill(0xab),
      storeType: 'core:kvstore',
      name: 'n',
    })
    expect(messageToJson(daemon.StoreInfoSchema, message, () => 'hex')).toMatchObject({
      id: 'ab'.repeat(32),
      storeType: 'core:kvstore',
      name: 'n',
      parentId: '',
    })
    const response = create(kv.GetResponseSchema, { value: new Uint8Array([0xff]) })
    expect(messageToJson(kv.GetResponseSchema, response, store.formatOf)).toEqual({ value: '0xff', conflicted: false })
    expect(
      messageToJson(
        daemon.PeerInfoSchema,
        create(daemon.PeerInfoSchema, { role: system.Role.ADMIN, lastSeen: 5n }),
        () => 'hex',
      ),
    ).toMatchObject({ role: 'ROLE_ADMIN', lastSeen: '5' })
  })

  test('JSON reads back as the message', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), fc.boolean(), (key, value, conflicted) => {
        const message = create(kv.KeyValueSchema, { key, value, conflicted })
        const json = messageToJson(kv.KeyValueSchema, message, store.formatOf)
        const read = messageFromJson(kv.KeyValueSchema, json, store.formatOf)
        expect(fromBinary(kv.KeyValueSchema, toBinary(kv.KeyValueSchema, read as kv.KeyValue))).toEqual(message)
      }),
    )
  })
})
