import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { concatBytes, formatSExpr, utf8Encode } from '@lattice/model'
import { system, weaver } from '@lattice/proto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeSystemKey, encodeSystemKey } from '../src/keys.ts'
import { setName } from '../src/store-writes.ts'
import { createSystemLayer } from '../src/system-layer.ts'
import { anna, child, creator, openTestStore, rejected, tokenHash } from './open-test-store.ts'

describe('rejections', () => {
  const peer = (op: object, id: Uint8Array = anna) => ({ op: { case: 'peer' as const, value: { peer: id, op } } })
  const invite = (op: object, id: Uint8Array = tokenHash) => ({
    op: { case: 'invite' as const, value: { tokenHash: id, op } },
  })
  const childOp = (op: object, id: Uint8Array = child) => ({ op: { case: 'child' as const, value: { child: id, op } } })
  const storeOp = (op: object) => ({ op: { case: 'store' as const, value: { op } } })
  const admission = (value: object) => peer({ case: 'admit', value: { status: 2, role: 2, addedAt: 0n, ...value } })
  const invitation = (value: object) => invite({ case: 'create', value: { expiresAt: 1n, uses: 1, role: 2, ...value } })
  const keep = (kind: 'keepDays' | 'keepCount', value: number) => ({ policy: { case: kind, value } })
  const named = (value: string) => storeOp({ case: 'setName', value })
  const short = new Uint8Array(31)

  const cases: readonly (readonly [string, object, string])[] = [
    ['nothing', {}, 'op_unset'],
    ['an empty batch', { op: { case: 'batch', value: { ops: [] } } }, 'batch_empty'],
    [
      'a nested batch',
      { op: { case: 'batch', value: { ops: [{ op: { case: 'batch', value: { ops: [] } } }] } } },
      'batch_nested',
    ],
    ['a peer op that says nothing', peer({ case: undefined }), 'op_unset'],
    ['a short peer key', peer({ case: 'setRole', value: 2 }, short), 'peer_malformed'],
    ['an unset status', admission({ status: 0 }), 'status_invalid'],
    ['an unknown status', admission({ status: 77 }), 'status_invalid'],
    ['an admission as dormant', admission({ status: 3 }), 'status_invalid'],
    ['an unset role', admission({ role: 0 }), 'role_invalid'],
    ['an unknown role', peer({ case: 'setRole', value: 4 }), 'role_invalid'],
    ['a negative role', peer({ case: 'setRole', value: -1 }), 'role_invalid'],
    ['a time beyond all clocks', admission({ addedAt: 2n ** 63n }), 'time_out_of_range'],
    ['an empty name', named(''), 'text_empty'],
    ['a long name', named('ä'.repeat(65)), 'text_too_long'],
    ['a name with a line break', named('a\nb'), 'text_malformed'],
    ['a name with an escape', named('a\u001b[31m'), 'text_malformed'],
    ['a name that turns text around', named('a\u202eb'), 'text_malformed'],
    ['a name that cannot be seen', named('\u200b'), 'text_malformed'],
    ['a name with a slash', named('a/b'), 'text_malformed'],
    ['a name that is a path', named('..'), 'text_malformed'],
    ['a name with a space at its end', named('a '), 'text_malformed'],
    ['a long device', peer({ case: 'setDevice', value: 'x'.repeat(129) }, creator), 'text_too_long'],
    ['a short token hash', invite({ case: 'cancel', value: {} }, short), 'token_hash_malformed'],
    ['an invite without a role', invitation({ role: 0 }), 'role_invalid'],
    ['an invite without uses', invitation({ uses: 0 }), 'uses_out_of_range'],
    ['an invite for everybody', invitation({ uses: 2 ** 32 - 1 }), 'uses_out_of_range'],
    ['an invite for ever', invitation({ expiresAt: 2n ** 64n - 1n }), 'time_out_of_range'],
    ['a claim by nobody', invite({ case: 'claim', value: { claimedBy: short, usesLeft: 0 } }), 'peer_malformed'],
    [
      'a claim that adds uses',
      invite({ case: 'claim', value: { claimedBy: anna, usesLeft: 10_000 } }),
      'uses_out_of_range',
    ],
    ['an invite op that says nothing', invite({ case: undefined }), 'op_unset'],
    ['a short child id', childOp({ case: 'setStatus', value: 1 }, short), 'child_malformed'],
    ['an unknown child status', childOp({ case: 'setStatus', value: 9 }), 'status_invalid'],
    ['an alias with a slash', childOp({ case: 'setAlias', value: 'a/b' }), 'text_malformed'],
    ['a child of no type', childOp({ case: 'add', value: { alias: 'a', storeType: 'KV' } }), 'store_type_malformed'],
    ['a child op that says nothing', childOp({ case: undefined }), 'op_unset'],
    ['a strategy that says nothing', storeOp({ case: 'setStrategy', value: {} }), 'strategy_malformed'],
    [
      'a strategy of no parent',
      storeOp({ case: 'setStrategy', value: { strategy: { case: 'inherited', value: { parent: short } } } }),
      'strategy_malformed',
    ],
    ['schema zero', storeOp({ case: 'activateSchema', value: { version: 0 } }), 'schema_out_of_range'],
    ['no copies', storeOp({ case: 'setReplication', value: { factor: 0 } }), 'replication_out_of_range'],
    [
      'a huge placement map',
      storeOp({ case: 'setReplication', value: { factor: 1, crush: new Uint8Array(4097) } }),
      'replication_out_of_range',
    ],
    ['a prune policy that says nothing', storeOp({ case: 'setPrunePolicy', value: {} }), 'prune_policy_invalid'],
    ['no days of history', storeOp({ case: 'setPrunePolicy', value: keep('keepDays', 0) }), 'prune_policy_invalid'],
    ['history for ever', storeOp({ case: 'setPrunePolicy', value: keep('keepDays', 36_526) }), 'prune_policy_invalid'],
    ['no history', storeOp({ case: 'setPrunePolicy', value: keep('keepCount', 0) }), 'prune_policy_invalid'],
    ['a store op that says nothing', storeOp({ case: undefined }), 'op_unset'],
  ]
  test.each(cases)('%s is rejected and touches no row', (_name, op, reason) => {
    const store = openTestStore()
    const rows = store.tables.system.entries()
    const message = create(system.SystemOpSchema, op)
    const fine = setName({ author: creator, name: 'ok' }).op.value
    for (const value of reason.startsWith('batch')
      ? [message]
      : [
          message,
          create(system.SystemOpSchema, {
            op: { case: 'batch', value: { ops: [fine, message] } },
          }),
        ])
      expect(store.apply(store.envelope({ case: 'system', value }))).toEqual(rejected(reason))
    expect(store.tables.system.entries()).toEqual(rows)
  })

  test('a field of a later version is rejected at every depth', () => {
    const store = openTestStore()
    const unknown = Uint8Array.of(0x9a, 0x06, 0x00)
    const wrap = (field: number, bytes: Uint8Array): Uint8Array =>
      concatBytes(Uint8Array.of(field * 8 + 2, bytes.length), bytes)
    const storeOpBytes = concatBytes(wrap(1, utf8Encode('x')), unknown)
    for (const bytes of [
      unknown,
      wrap(5, storeOpBytes),
      wrap(1, wrap(1, wrap(5, storeOpBytes))),
      wrap(1, concatBytes(wrap(1, wrap(5, wrap(1, utf8Encode('x')))), unknown)),
    ])
      expect(store.apply(store.envelope({ case: 'system', value: fromBinary(system.SystemOpSchema, bytes) }))).toEqual(
        rejected('op_unknown_field'),
      )
  })

  test('what is no envelope, sealed, or the kernel’s is a recorded no-op', () => {
    const store = openTestStore()
    expect(store.apply(undefined)).toEqual(rejected('envelope_malformed'))
    expect(store.apply(store.envelope({ case: undefined }))).toEqual(rejected('envelope_malformed'))
    expect(store.apply(store.envelope({ case: 'sealed', value: create(weaver.SealedOpSchema) }))).toEqual(
      rejected('sealed_unsupported'),
    )
    expect(store.apply(store.envelope({ case: 'ack', value: create(weaver.AckOpSchema) }))).toEqual(
      rejected('kernel_op'),
    )
  })

  test('mutated operations never throw, and a rejected one leaves no trace', () => {
    const seeds = cases.map(([, op]) => toBinary(system.SystemOpSchema, create(system.SystemOpSchema, op)))
    const mutated = fc
      .tuple(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat({ max: 200 }), fc.nat({ max: 255 })), { maxLength: 4 }),
      )
      .map(([seed, changes]) => {
        const bytes = seed.slice()
        for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte
        return bytes
      })
    fc.assert(
      fc.property(mutated, (bytes) => {
        let value: system.SystemOp
        try {
          value = fromBinary(system.SystemOpSchema, bytes)
        } catch {
          return
        }
        const store = openTestStore()
        const rows = store.tables.system.entries()
        const outcome = store.apply(store.envelope({ case: 'system', value }))
        if (outcome.kind === 'rejected') expect(store.tables.system.entries()).toEqual(rows)
        expect(() =>
          formatSExpr(createSystemLayer().summarize(store.envelope({ case: 'system', value }))),
        ).not.toThrow()
        for (const { key } of store.tables.system.entries())
          expect(encodeSystemKey(decodeSystemKey(key) ?? { kind: 'store', field: 'name' })).toEqual(key)
      }),
      { numRuns: 1000 },
    )
  })
})
