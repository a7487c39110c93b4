import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { compareBytes, type IntentionId, utf8Encode } from '@lattice/model'
import { root } from '@lattice/proto'
import { rootStore } from '@lattice/rootstore'
import type { StateMachine } from '@lattice/store-base'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { convergesUnderAnyOrder, type DagPayload } from '../src/index.ts'

type Operation = NonNullable<MessageInitShape<typeof root.RootPayloadSchema>['operation']>

const encode = (payload: MessageInitShape<typeof root.RootPayloadSchema>): Uint8Array =>
  toBinary(root.RootPayloadSchema, create(root.RootPayloadSchema, payload))
const op = (operation: Operation): Uint8Array => encode({ operation })

// Few names, so that operations meet; a bad one among them.
const appIds = fc.constantFrom('a', 'b', 'No Id')
const subdomains = fc.constantFrom('x', 'y', 'www')
/** Which operations are named, as places in the history; of any kind, also later ones. */
const places = fc.uniqueArray(fc.nat({ max: 23 }), { maxLength: 3 })
const named = (ids: readonly IntentionId[], at: readonly number[]): IntentionId[] =>
  at.flatMap((place) => ids[place % Math.max(ids.length, 1)] ?? [])
const unique = (ids: readonly IntentionId[]): IntentionId[] => [...new Set(ids)].sort(compareBytes)

const PART_BYTES = 120 * 1024

const keys = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.boolean()), { minLength: 1, maxLength: 3 }).map((writes) =>
  encode({
    operations: writes.map(([key, isPut]) => ({
      key: Uint8Array.of(key),
      operation: isPut ? { case: 'put', value: Uint8Array.of(key) } : { case: 'delete', value: {} },
    })),
  }),
)
const apps = fc
  .record({ subdomain: subdomains, appId: appIds, isSet: fc.boolean() })
  .map(({ subdomain, appId, isSet }) =>
    op(
      isSet
        ? { case: 'setApp', value: { subdomain, binding: { appId, storeId: new Uint8Array(32).fill(appId.length) } } }
        : { case: 'unsetApp', value: { subdomain } },
    ),
  )
const parts = fc
  .record({ appId: appIds, byte: fc.nat({ max: 3 }) })
  .map(({ appId, byte }) => op({ case: 'putPart', value: { appId, data: new Uint8Array(byte).fill(byte) } }))
const bundles: fc.Arbitrary<DagPayload> = fc
  .record({ appId: appIds, listed: places, dropped: places, isInline: fc.boolean() })
  .map(({ appId, listed, dropped, isInline }) => (ids) => {
    const list = [...new Set(named(ids, listed))]
    const content: MessageInitShape<typeof root.BundleRecordSchema>['content'] = isInline
      ? { case: 'inline', value: Uint8Array.of(1) }
      : { case: 'parts', value: { ids: list } }
    const size = BigInt(isInline ? 1 : Math.max(1, (list.length - 1) * PART_BYTES + 1))
    const record = { manifest: { id: appId }, size, hash: new Uint8Array(32), content }
    return op({ case: 'putBundle', value: { record, droppedParts: unique(named(ids, dropped)) } })
  })
const removals: fc.Arbitrary<DagPayload> = fc.record({ appId: appIds, dropped: places }).map(
  ({ appId, dropped }) =>
    (ids) =>
      op({ case: 'unsetBundle', value: { appId, droppedParts: unique(named(ids, dropped)) } }),
)
const drops: fc.Arbitrary<DagPayload> = fc.record({ appId: appIds, dropped: places }).map(
  ({ appId, dropped }) =>
    (ids) =>
      op({ case: 'dropParts', value: { appId, parts: unique(named(ids, dropped)) } }),
)
/** Removals of few names, and purges of what any operations of the history may have left. */
const unset = subdomains.map((subdomain) => op({ case: 'unsetApp', value: { subdomain } }))
const many = fc.array(fc.nat({ max: 23 }), { minLength: 1, maxLength: 12, size: 'max' })
const purges: fc.Arbitrary<DagPayload> = fc
  .record({ app: subdomains, bundle: appIds, key: fc.constantFrom(1, 2), at: many, isKey: fc.boolean() })
  .map(({ app, bundle, key, at, isKey }) => (ids) => {
    const tombstones = unique(named(ids, at))
    if (isKey) return encode({ purges: [{ key: Uint8Array.of(key), tombstones }] })
    const of = (name: string) => [{ key: utf8Encode(name), tombstones }]
    return op({ case: 'purgeNames', value: { apps: of(app), bundles: of(bundle) } })
  })

const payloads: fc.Arbitrary<DagPayload> = fc.oneof(
  { weight: 2, arbitrary: keys },
  { weight: 2, arbitrary: apps },
  { weight: 4, arbitrary: parts },
  { weight: 4, arbitrary: bundles },
  { weight: 2, arbitrary: removals },
  { weight: 2, arbitrary: drops },
  { weight: 3, arbitrary: purges },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
)

describe('the root store', () => {
  test('converges, whatever its operations name and in whatever order they arrive', () => {
    const verdicts = new Map<string, number>()
    const counting: StateMachine = {
      ...(rootStore as StateMachine),
      apply: (table, applied) => {
        const outcome = rootStore.apply(table, applied)
        const verdict = outcome.kind === 'rejected' ? outcome.reason : `applied ${(applied.payload[0] ?? 0) >> 3}`
        verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
        return outcome
      },
    }
    convergesUnderAnyOrder(counting, payloads, { runs: 400 })
    // The histories reach every kind of operation, and the refusal that depends on the past.
    for (const kind of [1, 2, 3, 4, 5, 6, 7, 8, 9]) expect(verdicts.get(`applied ${kind}`)).toBeGreaterThan(20)
    expect(verdicts.get('part_not_in_past')).toBeGreaterThan(20)
  })

  test('converges where what is left of removed names is purged', () => {
    let dropped = 0
    const counting: StateMachine = {
      ...(rootStore as StateMachine),
      apply: (table, applied) => {
        const before = [...table.scan({})].length
        const outcome = rootStore.apply(table, applied)
        dropped += Math.max(0, before - [...table.scan({})].length)
        return outcome
      },
    }
    convergesUnderAnyOrder(counting, fc.oneof(unset, keys, apps, removals, purges), { runs: 400, maxOps: 40 })
    expect(dropped).toBeGreaterThan(30)
  })

  test('converges among few who rely on each other', () => {
    convergesUnderAnyOrder(rootStore as StateMachine, fc.oneof(parts, bundles, drops), {
      runs: 300,
      authors: 2,
      maxOps: 12,
    })
  })

  test('that dropped whatever is named would not, and this is how that is found', () => {
    const trusting: StateMachine = {
      ...(rootStore as StateMachine),
      apply: (table, applied) => rootStore.apply(table, { ...applied, follows: () => true }),
    }
    expect(() => convergesUnderAnyOrder(trusting, fc.oneof(parts, drops), { runs: 2000, authors: 3 })).toThrow(
      'two orders end differently',
    )
  })
})
