/**
 * State machines that do as little as possible, so that a test sees the machinery around them.
 *
 * @module
 */
import { create, createFileRegistry, type DescService } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { assert, concatBytes, parseStoreType, raw, type StoreType, toHex } from '@lattice/model'
import type { AppliedOp, StateMachine } from '@lattice/store-base'

/** Accepts everything and keeps nothing. Its type is `test:null`. */
export const nullMachine: StateMachine = machineOf('test:null', () => ({ kind: 'applied', events: [] }))

/** What a tracking machine noticed that must never happen. */
export interface TrackedViolation {
  readonly kind: 'applied_twice' | 'applied_too_early'
  readonly op: string
}

export interface Tracker {
  /** Opens the machine; its type is `test:tracking`. */
  readonly open: () => StateMachine
  /** Over every machine this tracker opened. */
  readonly violations: readonly TrackedViolation[]
  readonly appliedCount: () => number
}

/** The payload of an author's `position`th operation, from 0. */
export function trackedPayload(position: number): Uint8Array {
  const payload = new Uint8Array(4)
  new DataView(payload.buffer).setUint32(0, position)
  return payload
}

/**
 * Makes machines that check the order in which they are given operations: each once, and an author's one after another,
 * as {@link trackedPayload} numbers them. What was applied is in the table, so a rebuild begins anew and a crash forgets
 * what it has to.
 */
export function createTracker(): Tracker {
  const violations: TrackedViolation[] = []
  let count = 0
  const open = (): StateMachine =>
    machineOf('test:tracking', (table, op) => {
      const position = positionOf(op)
      const report = (kind: TrackedViolation['kind']): void => {
        violations.push({ kind, op: `${toHex(op.id)} ${position}` })
      }
      if (table.get(rowOf(op, position)) !== undefined) report('applied_twice')
      if (position > 0 && table.get(rowOf(op, position - 1)) === undefined) report('applied_too_early')
      table.set(rowOf(op, position), op.id)
      count += 1
      return { kind: 'applied', events: [position] }
    })
  return { open, violations, appliedCount: () => count }
}

function positionOf({ payload }: AppliedOp): number {
  assert(payload.length === 4, 'a tracked payload has four bytes')
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0)
}

function rowOf({ author }: AppliedOp, position: number): Uint8Array {
  return concatBytes(author, trackedPayload(position))
}

export function machineOf(name: string, apply: StateMachine['apply']): StateMachine {
  return {
    storeType: storeType(name),
    schemaVersion: 1,
    tableVersion: 1,
    service: emptyService(),
    commands: {},
    queries: {},
    streams: {},
    apply,
    summarize: raw,
    fieldFormats: {},
    referencedBlobs: () => [],
  }
}

/** A service without methods, made from its descriptor: there is no schema file behind it. */
function emptyService(): DescService {
  const file = create(FileDescriptorProtoSchema, {
    name: 'lattice/test/empty.proto',
    package: 'lattice.test',
    syntax: 'proto3',
    service: [{ name: 'Empty' }],
  })
  const service = createFileRegistry(file, () => undefined).getService('lattice.test.Empty')
  assert(service !== undefined, 'the registry has the service it was made of')
  return service
}

function storeType(name: string): StoreType {
  const parsed = parseStoreType(name)
  assert(parsed.ok, 'the types of test machines are valid')
  return parsed.value
}
