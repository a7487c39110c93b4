import { create, toBinary } from '@bufbuild/protobuf'
import { kvStore } from '@lattice/kvstore'
import { logStore } from '@lattice/logstore'
import { compareBytes, utf8Encode } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { kv, log, system, weaver } from '@lattice/proto'
import type { StateMachine } from '@lattice/store-base'
import { createSystemLayer } from '@lattice/systemstore'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  convergesUnderAnyOrder,
  type DagPayload,
  projectorConvergesUnderAnyOrder,
} from './converges-under-any-order.ts'
import { DAG_AUTHORS } from './op-dag.ts'

// Few keys and values, so that operations meet.
const keys = fc.constantFrom('a', 'b', 'c').map(utf8Encode)
const kvOperations = fc
  .record({ key: keys, value: fc.option(fc.constantFrom('1', '2').map(utf8Encode), { nil: undefined }) })
  .map(({ key, value }) =>
    create(kv.KvOperationSchema, {
      key,
      operation: value === undefined ? { case: 'delete', value: {} } : { case: 'put', value },
    }),
  )
const kvPayloads = fc
  .array(kvOperations, { maxLength: 4 })
  .map((operations) => toBinary(kv.KvPayloadSchema, create(kv.KvPayloadSchema, { operations })))

const deletions = keys.map((key) =>
  toBinary(
    kv.KvPayloadSchema,
    create(kv.KvPayloadSchema, { operations: [{ key, operation: { case: 'delete', value: {} } }] }),
  ),
)

/** Purges of a few keys, of what any operations of the history may have left. */
const kvPurges: fc.Arbitrary<DagPayload> = fc
  .uniqueArray(fc.record({ key: keys, places: fc.array(fc.nat({ max: 23 }), { minLength: 1, maxLength: 8 }) }), {
    minLength: 1,
    selector: ({ key }) => key[0],
  })
  .map((named) => (all) => {
    const purges = named.map(({ key, places }) => ({
      key,
      tombstones: [...new Set(places.map((place) => all[place % all.length] ?? new Uint8Array()))].sort(compareBytes),
    }))
    return toBinary(kv.KvPayloadSchema, create(kv.KvPayloadSchema, { purges }))
  })

/** Good ones as they are, cut short, changed in a byte, or with something behind them. */
function hostile(payloads: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    { weight: 3, arbitrary: payloads },
    fc.tuple(payloads, fc.nat({ max: 4 })).map(([bytes, cut]) => bytes.subarray(0, Math.max(0, bytes.length - cut))),
    fc.tuple(payloads, fc.nat(), fc.nat({ max: 255 })).map(([bytes, at, byte]) => {
      const changed = bytes.slice()
      if (changed.length > 0) changed[at % changed.length] = byte
      return changed
    }),
    fc.tuple(payloads, fc.uint8Array({ maxLength: 4 })).map(([bytes, rest]) => Uint8Array.of(...bytes, ...rest)),
  )
}
const logPayloads = fc
  .array(fc.constantFrom('a', 'b', '').map(utf8Encode), { maxLength: 3 })
  .map((contents) => toBinary(log.LogPayloadSchema, create(log.LogPayloadSchema, { contents })))

const peers = fc.constantFrom(...DAG_AUTHORS)
const ids = fc.constantFrom(1, 2).map((fill) => new Uint8Array(32).fill(fill))
const names = fc.constantFrom('x', 'y', '')
const peerOps = fc
  .record({
    peer: peers,
    op: fc.oneof(
      fc.record({
        case: fc.constant('admit' as const),
        value: fc.record({ status: fc.constantFrom(1, 2), role: fc.constantFrom(1, 2, 3), addedAt: fc.constant(5n) }),
      }),
      fc.record({ case: fc.constant('setRole' as const), value: fc.constantFrom(1, 2, 3) }),
      fc.record({ case: fc.constant('setStatus' as const), value: fc.constantFrom(0, 2, 3, 4) }),
      fc.record({ case: fc.constant('setName' as const), value: names }),
    ),
  })
  .map((value) => create(system.SystemOpSchema, { op: { case: 'peer', value } }))
const inviteOps = fc
  .record({
    tokenHash: ids,
    op: fc.oneof(
      fc.constant({ case: 'create' as const, value: { expiresAt: 9n, uses: 2, role: 2 } }),
      peers.map((claimedBy) => ({ case: 'claim' as const, value: { claimedBy, usesLeft: 1 } })),
      fc.constant({ case: 'cancel' as const, value: {} }),
    ),
  })
  .map((value) => create(system.SystemOpSchema, { op: { case: 'invite', value } }))
const childOps = fc
  .record({
    child: ids,
    op: fc.oneof(
      names.map((alias) => ({ case: 'add' as const, value: { alias, storeType: 'core:kvstore' } })),
      fc.constantFrom(1, 2, 3).map((value) => ({ case: 'setStatus' as const, value })),
      fc.constant({ case: 'destroyAck' as const, value: {} }),
    ),
  })
  .map((value) => create(system.SystemOpSchema, { op: { case: 'child', value } }))
const storeOps = fc
  .oneof(
    names.map((value) => ({ case: 'setName' as const, value })),
    fc.constantFrom(0, 1, 2).map((version) => ({ case: 'activateSchema' as const, value: { version } })),
  )
  .map((op) => create(system.SystemOpSchema, { op: { case: 'store', value: { op } } }))
const singleOps = fc.oneof({ weight: 3, arbitrary: peerOps }, inviteOps, childOps, storeOps)
const systemOps = fc.oneof(
  { weight: 3, arbitrary: singleOps },
  fc
    .array(singleOps, { maxLength: 4 })
    .map((ops) => create(system.SystemOpSchema, { op: { case: 'batch', value: { ops } } })),
)
const envelopes = fc.oneof(
  {
    weight: 4,
    arbitrary: systemOps.map((value) => create(weaver.UniversalOpSchema, { op: { case: 'system', value } })),
  },
  fc
    .record({ schema: fc.constantFrom(0, 1, 1, 2), payload: kvPayloads })
    .map(({ schema, payload }) =>
      create(weaver.UniversalOpSchema, { schema, op: { case: 'appData', value: payload } }),
    ),
  fc.constant(undefined),
)

// Three peers that make each other ADMIN, and what counts only from one.
const grantOps = fc.oneof(
  fc.constantFrom(...DAG_AUTHORS.slice(0, 3)).map((peer) =>
    create(system.SystemOpSchema, {
      op: { case: 'peer', value: { peer, op: { case: 'admit', value: { status: 2, role: 3, addedAt: 5n } } } },
    }),
  ),
  fc
    .constantFrom('x', 'y')
    .map((value) =>
      create(system.SystemOpSchema, { op: { case: 'store', value: { op: { case: 'setName', value } } } }),
    ),
)
const grantEnvelopes = grantOps.map((value) => create(weaver.UniversalOpSchema, { op: { case: 'system', value } }))
// A schema that is activated, and payloads that use it.
const activation = create(system.SystemOpSchema, {
  op: { case: 'store', value: { op: { case: 'activateSchema', value: { version: 2 } } } },
})
const upgradeEnvelopes = fc.oneof(
  fc.constant(create(weaver.UniversalOpSchema, { op: { case: 'system', value: activation } })),
  kvPayloads.map((value) => create(weaver.UniversalOpSchema, { schema: 2, op: { case: 'appData', value } })),
)

describe('convergesUnderAnyOrder', () => {
  test('the key-value store converges', () => {
    convergesUnderAnyOrder(kvStore, kvPayloads, { runs: 400 })
    convergesUnderAnyOrder(kvStore, hostile(kvPayloads), { runs: 400 })
  })

  test('the key-value store converges where tombstones are purged', () => {
    let dropped = 0
    const counting: StateMachine = {
      ...(kvStore as StateMachine),
      apply: (table, op) => {
        const before = [...table.scan({})].length
        const outcome = kvStore.apply(table, op)
        dropped += Math.max(0, before - [...table.scan({})].length)
        return outcome
      },
    }
    const payloads = fc.oneof(
      { weight: 2, arbitrary: kvPayloads },
      { weight: 1, arbitrary: deletions },
      { weight: 2, arbitrary: kvPurges },
    )
    convergesUnderAnyOrder(counting, payloads, { runs: 600 })
    expect(dropped).toBeGreaterThan(100)
  })

  test('the log store converges', () => {
    convergesUnderAnyOrder(logStore, hostile(logPayloads), { runs: 400 })
  })

  test('the system layer converges, with a machine inside', () => {
    const upgraded: StateMachine = { ...kvStore, schemaVersion: 2 }
    projectorConvergesUnderAnyOrder(createSystemLayer({ machine: upgraded }), envelopes, { runs: 400 })
  })

  test('a log whose keys hold less than the whole id is caught', () => {
    const short: StateMachine = {
      ...(logStore as StateMachine),
      apply: (table, op) => {
        const rows = createMemoryTable()
        const outcome = logStore.apply(rows, op)
        for (const { key, value } of rows.entries()) table.set(key.subarray(0, 44), value)
        return outcome
      },
    }
    expect(() => convergesUnderAnyOrder(short, logPayloads, { runs: 2000 })).toThrow('two orders end differently')
  })

  test('a grant counts for what follows it, in any order', () => {
    projectorConvergesUnderAnyOrder(createSystemLayer(), grantEnvelopes, { authors: 3, maxOps: 12 })
  })

  test('an activated schema counts for what follows it, in any order', () => {
    const upgraded: StateMachine = { ...kvStore, schemaVersion: 2 }
    projectorConvergesUnderAnyOrder(createSystemLayer({ machine: upgraded }), upgradeEnvelopes, {
      authors: 2,
      maxOps: 8,
    })
  })

  test('the headless system layer converges', () => {
    projectorConvergesUnderAnyOrder(createSystemLayer(), envelopes, { runs: 100 })
  })

  test('a machine in which the last to arrive wins is caught', () => {
    const arrival: StateMachine = {
      ...kvStore,
      apply: (table, op) => {
        table.set(utf8Encode('last'), op.payload)
        return { kind: 'applied', events: [] }
      },
    }
    expect(() => convergesUnderAnyOrder(arrival, kvPayloads)).toThrow('two orders end differently')
  })

  test('a machine that judges by what has arrived is caught', () => {
    const racing: StateMachine = {
      ...kvStore,
      apply: (table, op) => {
        if (table.get(utf8Encode('taken')) !== undefined) return { kind: 'rejected', reason: 'taken' }
        table.set(utf8Encode('taken'), Uint8Array.of(1))
        return { kind: 'applied', events: op.deps }
      },
    }
    expect(() => convergesUnderAnyOrder(racing, kvPayloads)).toThrow('in one order an operation is')
  })

  test('dropping what was not cited is caught: the reason why only deps replace', () => {
    const hidden: StateMachine = {
      ...kvStore,
      apply: (table, op) => {
        const rows = Array.from(table.scan({}))
        for (const { key } of rows) table.delete(key)
        return kvStore.apply(table, op)
      },
    }
    expect(() => convergesUnderAnyOrder(hidden, kvPayloads)).toThrow('two orders end differently')
  })
})
