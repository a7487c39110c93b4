import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { formatSExpr, toHex, utf8Encode } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { log } from '@lattice/proto'
import { createMachineHost, type MachineHost } from '@lattice/store-base/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LogEvent } from './apply-payload.ts'
import { MAX_BATCH_ENTRIES } from './limits.ts'
import { logStore } from './log-store.ts'
import { decodePayload, encodePayload } from './payload.ts'

const open = (): { readonly host: MachineHost<LogEvent> } => ({
  host: createMachineHost({ machine: logStore, table: createMemoryTable() }),
})
const payload = (...contents: readonly string[]): Uint8Array => encodePayload(contents.map((text) => utf8Encode(text)))

describe('a payload', () => {
  test('keeps its bytes (golden)', () => {
    expect(toHex(payload('hi', 'x'.repeat(200)))).toBe(`0a0268690ac801${'78'.repeat(200)}`)
  })

  test('is what the generated codec makes of it, and of a batch request', () => {
    const contents = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(contents, (list) => {
        const bytes = encodePayload(list)
        expect(bytes).toEqual(toBinary(log.LogPayloadSchema, create(log.LogPayloadSchema, { contents: list })))
        expect(fromBinary(log.AppendBatchRequestSchema, bytes).contents).toEqual(list)
        expect(decodePayload(bytes)).toEqual({ ok: true, value: list })
      }),
    )
  })

  test.each([
    ['garbage', Uint8Array.of(0xff, 0xff), 'payload_malformed'],
    ['a truncated content', payload('abc').subarray(0, 4), 'payload_malformed'],
    ['a length without an end', Uint8Array.of(0x0a, 0x80, 0x80), 'payload_malformed'],
    ['a length that is longer than it must be', Uint8Array.of(0x0a, 0x81, 0x00, 0x61), 'payload_malformed'],
    ['a field of a later version', Uint8Array.of(...payload('a'), 0x12, 0x01, 0x00), 'payload_malformed'],
    ['a varint field', Uint8Array.of(0x08, 0x01), 'payload_malformed'],
    ['nothing', new Uint8Array(), 'payload_empty'],
    ['an empty entry after a good one', Uint8Array.of(...payload('a'), 0x0a, 0x00), 'content_empty'],
    ['too many entries', payload(...Array.from({ length: MAX_BATCH_ENTRIES + 1 }, () => 'a')), 'too_many_entries'],
  ])('%s is rejected and touches no row', (_name, bytes, reason) => {
    const { host } = open()
    expect(host.deliver({ payload: bytes }).outcome).toEqual({ kind: 'rejected', reason })
    expect([...host.table.scan({})]).toEqual([])
    expect(host.deliver({ payload: payload('good') }).outcome.kind).toBe('applied')
  })

  test('of any bytes is applied whole or rejected without a trace, and is shown', () => {
    const mutated = fc
      .tuple(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 4 }),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }),
        fc.nat({ max: 10 }),
      )
      .map(([list, changes, cut]) => {
        const bytes = encodePayload(list)
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte
        return bytes.subarray(0, Math.max(0, bytes.length - cut))
      })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), mutated), (bytes) => {
        const { host } = open()
        const { outcome } = host.deliver({ payload: bytes })
        const rows = [...host.table.scan({})]
        expect(rows.length > 0).toBe(outcome.kind === 'applied')
        if (outcome.kind === 'applied') {
          expect(encodePayload(rows.map(({ value }) => value))).toEqual(bytes)
          expect(outcome.events).toHaveLength(rows.length)
        }
        expect(() => formatSExpr(logStore.summarize(bytes))).not.toThrow()
      }),
      { numRuns: 1000 },
    )
  })

  test('reads for people', () => {
    const show = (bytes: Uint8Array): string => formatSExpr(logStore.summarize(bytes))
    expect(show(payload('one', 'two'))).toBe('(append "one" "two")')
    expect(show(encodePayload([Uint8Array.of(0xff)]))).toBe('(append 0xff)')
    expect(show(payload('x'.repeat(100)))).toBe(`(append "${'x'.repeat(64)}…")`)
    expect(show(payload(`${'x'.repeat(63)}€`))).toBe(`(append "${'x'.repeat(63)}…")`)
    expect(show(payload(...Array.from({ length: 20 }, () => 'a')))).toBe(
      `(append ${Array.from({ length: 16 }, () => '"a"').join(' ')} (more 4))`,
    )
    expect(show(Uint8Array.of(0xff))).toBe('(rejected payload_malformed 0xff)')
  })
})
