/**
 * What a store can do, read from its descriptor: nothing here knows a store type.
 *
 * @module
 */
import {
  createFileRegistry,
  type DescField,
  type DescMessage,
  type DescMethod,
  type FileRegistry,
  fromBinary,
  ScalarType,
} from '@bufbuild/protobuf'
import { FeatureSet_FieldPresence, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { daemon } from '@lattice/proto'
import { MethodNotFound } from '@lattice/store-base'
import { CommandFailed } from '../errors.ts'
import type { DisplayFormat } from '../render/bytes-text.ts'
import type { FormatOf } from '../render/message-json.ts'

export type StoreMethodKind = 'command' | 'query' | 'stream'

export interface StoreMethod {
  /** As the service has it: `Put`. */
  readonly name: string
  readonly kind: StoreMethodKind
  readonly description: string
  readonly input: DescMessage
  readonly output: DescMessage
}

export interface StoreInterface {
  readonly storeType: string
  /** Full name of the protobuf service. */
  readonly service: string
  readonly methods: readonly StoreMethod[]
  readonly formatOf: FormatOf
  /** A message of the store by its full or last name. */
  readonly findMessage: (name: string) => DescMessage | undefined
}

/** Reads what a node says about a store. Throws when it is not a description. */
export function readStoreInterface(descriptor: daemon.StoreDescriptor): StoreInterface {
  const registry = readRegistry(descriptor)
  const service = registry.getService(descriptor.service)
  if (service === undefined) throw unreadable(descriptor)
  const byName = new Map<string, DescMethod>(service.methods.map((method) => [method.name, method]))
  const methods = descriptor.methods.flatMap(({ name, kind, description }) => {
    const method = byName.get(name)
    const known = kindOf(kind)
    if (method === undefined || known === undefined) return []
    return [{ name, kind: known, description, input: method.input, output: method.output }]
  })
  const formats = new Map(descriptor.formats.map(({ field, format }) => [field, readFormat(format)]))
  return {
    storeType: descriptor.storeType,
    service: descriptor.service,
    methods,
    formatOf: (field: DescField) => formats.get(`${field.parent.typeName}.${field.name}`),
    findMessage: (name) => {
      const full = registry.getMessage(name)
      if (full !== undefined) return full
      for (const type of registry)
        if (type.kind === 'message' && type.name.toLowerCase() === name.toLowerCase()) return type
      return undefined
    },
  }
}

/** The method of that name, in any case, with hyphens or without. Throws {@link MethodNotFound}, which lists the store's methods. */
export function findMethod(store: StoreInterface, name: string): StoreMethod {
  const method = store.methods.find((each) => each.name.toLowerCase() === name.replaceAll('-', '').toLowerCase())
  if (method !== undefined) return method
  throw new MethodNotFound(
    name,
    store.methods.map((each) => commandName(each)),
  )
}

/** How a method is written on the command line: `register-app`. */
export function commandName(method: StoreMethod): string {
  return method.name.replace(/(?<=[a-z0-9])(?=[A-Z])/gu, '-').toLowerCase()
}

/** `put KEY VALUE`, `list [prefix] [start] …`: what a method takes, in order. */
export function usageOf(method: StoreMethod): string {
  const fields = method.input.fields.map((field) => {
    const name = isRequired(method, field) ? field.name.toUpperCase() : `[${field.name}]`
    return field.fieldKind === 'list' ? `${name}…` : name
  })
  return [commandName(method), ...fields].join(' ')
}

/**
 * A command's text and bytes must be given unless they are `optional`: leaving
 * one out is a slip of the hand far more often than a wish to write nothing.
 */
export function isRequired(method: StoreMethod, field: DescField): boolean {
  if (method.kind !== 'command' || field.fieldKind !== 'scalar' || field.presence !== FeatureSet_FieldPresence.IMPLICIT)
    return false
  return field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES
}

function readRegistry(descriptor: daemon.StoreDescriptor): FileRegistry {
  try {
    return createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptor.fileDescriptorSet))
  } catch {
    throw unreadable(descriptor)
  }
}

function unreadable({ storeType }: daemon.StoreDescriptor): CommandFailed {
  return new CommandFailed(
    'PROTOCOL_VIOLATION',
    `the node describes the store type ${storeType} in a way this version cannot read: update lattice`,
  )
}

function kindOf(kind: daemon.MethodKind): StoreMethodKind | undefined {
  switch (kind) {
    case daemon.MethodKind.COMMAND:
      return 'command'
    case daemon.MethodKind.QUERY:
      return 'query'
    case daemon.MethodKind.STREAM:
      return 'stream'
    default:
      return undefined
  }
}

function readFormat(format: string): DisplayFormat | undefined {
  return format === 'utf8' || format === 'hex' || format === 'json' || format === 'timestamp' ? format : undefined
}
