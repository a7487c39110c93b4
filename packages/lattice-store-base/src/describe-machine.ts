/**
 * A machine as data, for clients that meet it at run time: the descriptors of
 * its messages, its methods and how to show its fields.
 *
 * @module
 */
import { create, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import type { StoreType } from '@lattice/model'
import { collectFiles } from './file-descriptors.ts'
import type { FieldFormat, StateMachine } from './state-machine.ts'

export type MethodKind = 'command' | 'query' | 'stream'

export interface MethodDescription {
  /** As in the service: `Put`. */
  readonly name: string
  readonly kind: MethodKind
  readonly description: string
  /** Full names of the messages. */
  readonly input: string
  readonly output: string
}

export interface FieldFormatDescription {
  /** Full field name. */
  readonly field: string
  readonly format: FieldFormat
}

export interface MachineDescription {
  readonly storeType: StoreType
  readonly schemaVersion: number
  /** Full name of the protobuf service. */
  readonly service: string
  /** An encoded google.protobuf.FileDescriptorSet, every file after those it imports. */
  readonly fileDescriptorSet: Uint8Array
  /** In the order of the service. */
  readonly methods: readonly MethodDescription[]
  /** In order of field name. */
  readonly formats: readonly FieldFormatDescription[]
}

export function describeMachine(machine: StateMachine): MachineDescription {
  const file = collectFiles([machine.service.file]).map((desc) => desc.proto)
  return {
    storeType: machine.storeType,
    schemaVersion: machine.schemaVersion,
    service: machine.service.typeName,
    fileDescriptorSet: toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file })),
    methods: machine.service.methods.flatMap(({ name, input, output }) => {
      const definition = machine.commands[name] ?? machine.queries[name] ?? machine.streams[name]
      if (definition === undefined) return []
      const { kind, description } = definition
      return [{ name, kind, description, input: input.typeName, output: output.typeName }]
    }),
    formats: Object.entries(machine.fieldFormats)
      .map(([field, format]) => ({ field, format }))
      .toSorted((a, b) => (a.field < b.field ? -1 : 1)),
  }
}
