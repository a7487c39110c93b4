import { type IntentionId, idKey, toIntentionId, toPublicKey, utf8Encode } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { buildDag, convergesUnderAnyOrder, type DagOp, dagPlans } from '@lattice/testkit'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applyPayload } from './apply.ts'
import { counterStore } from './counter-store.ts'
import { encodePayload, MAX_NAME_BYTES, type Write } from './payload.ts'
import { decodeRow } from './row.ts'

// Few names, so that writes meet; amounts at the edge of 64 bits, so that sums wrap.
const writes: fc.Arbitrary<Write> = fc.record({
  name: fc.constantFrom('a', 'b'),
  change: fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('add' as const),
        by: fc.constantFrom(1n, -2n, 2n ** 63n - 1n, -(2n ** 63n)),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'reset' as const }) },
  ),
})
const payloads = fc.oneof(
  { weight: 9, arbitrary: writes.map(encodePayload) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }) },
)

test('any two causal orders give equal tables and equal verdicts', () => {
  convergesUnderAnyOrder(counterStore, payloads, { runs: 400 })
  // Fewer authors cite more of each other: resets that are seen, and replaced.
  convergesUnderAnyOrder(counterStore, payloads, { runs: 400, authors: 2, maxOps: 12 })
})

// Model: the adds that cite every reset that no other reset cites.
test('the value is what the graph of writes says', () => {
  fc.assert(
    fc.property(dagPlans(writes, { maxOps: 16, authors: 3 }), fc.nat(), (plan, seed) => {
      const dag = buildDag(plan)
      const table = createMemoryTable()
      for (const op of dag.order(seed)) applyPayload(table, { ...op, schema: 2, payload: encodePayload(op.content) })
      for (const name of ['a', 'b']) {
        const { total } = decodeRow(table.get(utf8Encode(name)))
        expect(total).toBe(modelValue(dag.ops.filter(({ content }) => content.name === name)))
      }
    }),
    { numRuns: 400 },
  )
})

function modelValue(ops: readonly DagOp<Write>[]): bigint {
  const cites = (op: DagOp<Write>, id: IntentionId) => op.deps.some((dep) => idKey(dep) === idKey(id))
  const resets = ops.filter(({ content }) => content.change.kind === 'reset')
  const standing = resets.filter(({ id }) => !resets.some((other) => cites(other, id)))
  const total = ops
    .filter((op) => standing.every(({ id }) => cites(op, id)))
    .reduce((sum, { content: { change } }) => sum + (change.kind === 'add' ? change.by : 0n), 0n)
  return BigInt.asIntN(64, total)
}

describe('a hostile payload', () => {
  const apply = (payload: Uint8Array, schema = 2) => {
    const table = createMemoryTable()
    const outcome = applyPayload(table, {
      id: toIntentionId(new Uint8Array(32).fill(1)),
      author: toPublicKey(new Uint8Array(32).fill(2)),
      timestamp: { wall: 1, counter: 0 },
      deps: [],
      follows: () => false,
      covers: () => false,
      schema,
      payload,
    })
    return { outcome, rows: table.size() }
  }
  const bytes = (...values: readonly number[]) => Uint8Array.from(values)
  const named = (name: string) => encodePayload({ name, change: { kind: 'add', by: 1n } })

  test.each([
    ['nothing', bytes(), 'payload_malformed'],
    ['no message', bytes(0xff), 'payload_malformed'],
    ['cut short', named('abc').subarray(0, 3), 'payload_malformed'],
    ['a name that is no text', bytes(0x0a, 1, 0xff, 0x10, 2), 'payload_malformed'],
    ['no change', bytes(0x0a, 1, 0x61), 'payload_malformed'],
    ['a field from the future', bytes(0x0a, 1, 0x61, 0x10, 2, 0x20, 1), 'payload_malformed'],
    ['a field from the future in a reset', bytes(0x0a, 1, 0x61, 0x1a, 2, 0x08, 1), 'payload_malformed'],
    // Schema 1 knows no field 3 and rejects it; here it must not pass for the add that it stands beside.
    ['an add that overrides a reset', bytes(0x0a, 1, 0x61, 0x1a, 0, 0x10, 2), 'payload_malformed'],
    ['a name given twice', bytes(0x0a, 1, 0x62, 0x0a, 1, 0x61, 0x10, 2), 'payload_malformed'],
    ['a number longer than it need be', bytes(0x0a, 1, 0x61, 0x10, 0x82, 0), 'payload_malformed'],
    ['an empty name', named(''), 'name_out_of_bounds'],
    ['a name too long', named('x'.repeat(MAX_NAME_BYTES + 1)), 'name_out_of_bounds'],
  ])('%s is rejected, and nothing is written', (_, payload, reason) => {
    expect(apply(payload)).toEqual({ outcome: { kind: 'rejected', reason }, rows: 0 })
  })

  test('of any bytes is applied or rejected, never thrown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (payload) => void apply(payload)),
      { numRuns: 2000 },
    )
  })

  test('with a reset that claims schema 1 is rejected, as nodes of that schema do', () => {
    const reset = encodePayload({ name: 'a', change: { kind: 'reset' } })
    expect(apply(reset, 1)).toEqual({ outcome: { kind: 'rejected', reason: 'reset_before_schema_2' }, rows: 0 })
    expect(apply(reset, 2).outcome.kind).toBe('applied')
  })
})
