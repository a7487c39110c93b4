/** Whatever a peer sends in place of a foundation is refused with a reason, and nothing of it is left. */
import { readdirSync } from 'node:fs'
import { create } from '@bufbuild/protobuf'
import {
  assert,
  encodeUniversalOp,
  equalBytes,
  type Intention,
  type KnownOp,
  type ParsedIntention,
  parseSignedIntention,
  type Signer,
  signIntention,
  type SignedIntention,
  type StoreId,
} from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { weaver } from '@lattice/proto'
import type { MembershipPolicy } from '@lattice/store-base'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createFoundationWriter,
  decodeFoundationItem,
  encodeFoundationItem,
  type FoundationEnd,
  type FoundationItem,
  type FoundationWriter,
} from '../src/index.ts'
import { creator, others } from './epoch-nodes.ts'
import { itemsOf, newcomer, openScene } from './foundation-scene.ts'
import { crypto, genesisOf, removeDirectories, signerOf, START_MS, temporaryDirectory } from './harness.ts'
import { toldChainEnds } from './model-chain-ends.ts'
import { createModelPolicy } from './model-policy.ts'
import { appOp } from './tracking-projector.ts'

let items: readonly FoundationItem[] = []
let storeId: StoreId
let end: FoundationEnd

beforeAll(async () => {
  const { mesh, nodes, epoch } = await openScene()
  const [{ kernel }] = nodes
  items = itemsOf(kernel, epoch)
  ;({ storeId } = kernel)
  const root = kernel.snapshot().settled?.root
  assert(root !== undefined, 'there is a snapshot')
  end = { base: epoch, root }
  for (const node of nodes) await mesh.run(node.kernel.close())
})
afterAll(removeDirectories)

type Spine = Extract<FoundationItem, { kind: 'spine' }>
type Ack = Extract<FoundationItem, { kind: 'ack' }>

function open(
  directory = temporaryDirectory(),
  membership: MembershipPolicy = createModelPolicy(),
): { writer: FoundationWriter; directory: string } {
  const about = { directory, storeId, crypto, signer: newcomer, membership }
  return { writer: createFoundationWriter({ ...about, clock: { wallMs: () => START_MS } }), directory }
}

/** What becomes of them: the end, or the code of the refusal, after which nothing is left. */
function outcomeOf(list: readonly FoundationItem[], membership?: MembershipPolicy): FoundationEnd | string {
  const { writer, directory } = open(temporaryDirectory(), membership)
  const added = writer.add(list)
  const finished = added.ok ? writer.finish() : added
  if (finished.ok) {
    writer.close()
    expect(readdirSync(directory).sort()).toEqual(['foundation.db', 'log.db'])
    return finished.value
  }
  expect(writer.position()).toBe(0)
  expect(readdirSync(directory).filter((name) => !name.startsWith('foundation.db'))).toEqual([])
  writer.abort()
  expect(readdirSync(directory)).toEqual([])
  expect(finished.error.problem).toMatch(/^the foundation of the store is refused: /)
  return finished.error.code
}

function replaced(at: number, ...by: readonly FoundationItem[]): readonly FoundationItem[] {
  return [...items.slice(0, at), ...by, ...items.slice(at + 1)]
}

const indexOf = (kind: FoundationItem['kind'], nth = 0): number =>
  items.flatMap((item, index) => (item.kind === kind ? [index] : [])).at(nth) ?? expect.unreachable()
const spineAt = (nth: number): Spine => {
  const item = items[indexOf('spine', nth)]
  assert(item?.kind === 'spine', 'a record is there')
  return item
}
const acks = (): readonly Ack[] => items.flatMap((item) => (item.kind === 'ack' ? [item] : []))
const isOtherThan =
  (kind: FoundationItem['kind']): ((item: FoundationItem) => boolean) =>
  (item) =>
    item.kind !== kind

function parse(signed: SignedIntention): ParsedIntention {
  const parsed = parseSignedIntention(crypto, signed)
  assert(parsed.ok, 'it is an intention')
  return parsed.value
}

/** The same with something changed, signed anew by whoever. */
function resigned(record: SignedIntention, signer: Signer, change: Partial<Intention>): ParsedIntention {
  const intention = { ...parse(record).intention, ...change }
  return signIntention(crypto, signer, { intention, close: true })
}

function signerWith(key: Uint8Array): Signer {
  const signer = [creator, ...others].find(({ publicKey }) => equalBytes(publicKey, key))
  assert(signer !== undefined, 'its author is one of the nodes')
  return signer
}

/** With another epoch in place of the base, and acks of that. */
function withBase(value: weaver.EpochOp): readonly FoundationItem[] {
  const op: KnownOp = { kind: 'epoch', schema: 0, value }
  const base = resigned(spineAt(-1).record, creator, { ops: encodeUniversalOp(op) })
  return withEnds([...items.slice(0, indexOf('spine', -1)), { ...spineAt(-1), record: base }])
}

/** With acks of what they end with, by those who vouch for it, who say that chains end as these do. */
function withEnds(list: readonly FoundationItem[]): readonly FoundationItem[] {
  const before = list.filter(isOtherThan('ack'))
  const base = before.at(-1)
  assert(base?.kind === 'spine', 'a foundation ends with its base')
  const acked = acks().map(({ ack }): Ack => {
    const { intention, op: said } = parse(ack)
    assert(said.kind === 'epochAck', 'it is an ack')
    const value = create(weaver.EpochAckOpSchema, {
      ...said.value,
      epoch: parse(base.record).id,
      chainEnds: toldChainEnds(before),
    })
    const ops = encodeUniversalOp({ kind: 'epochAck', schema: 0, value })
    return { kind: 'ack', ack: resigned(ack, signerWith(intention.author), { ops }) }
  })
  return [...before, ...acked]
}

function baseOp(): weaver.EpochOp {
  const { op } = parse(spineAt(-1).record)
  assert(op.kind === 'epoch', 'the base is an epoch')
  return op.value
}

function ackWith(
  signer: Signer,
  epoch: Uint8Array,
  stateRoot: Uint8Array,
  chainEnds: Uint8Array = toldChainEnds(items),
): FoundationItem {
  const ops = encodeUniversalOp({
    kind: 'epochAck',
    schema: 0,
    value: create(weaver.EpochAckOpSchema, { epoch, stateRoot, chainEnds }),
  })
  const [first] = acks()
  assert(first !== undefined, 'there are acks')
  return { kind: 'ack', ack: resigned(first.ack, signer, { author: signer.publicKey, ops }) }
}

describe('a foundation', () => {
  test('is taken as it is, and the epoch and root are those of who sent it', () => {
    expect(outcomeOf(items)).toEqual(end)
  })

  test('that ends too early is incomplete, or too few vouch for it', () => {
    const last = indexOf('spine', -1)
    for (let length = 0; length <= last; length += 1) {
      expect(['incomplete', 'misplaced', 'not_authentic']).toContain(outcomeOf(items.slice(0, length)))
    }
    expect(outcomeOf(items.slice(0, last + 1))).toBe('no_quorum')
    expect(outcomeOf(items.slice(0, last + 2))).toBe('no_quorum')
    expect(outcomeOf(items.slice(0, last + 3))).toEqual(end)
  })

  test('has nothing twice', () => {
    for (let at = 0; at < items.length; at += 1) {
      const item = items[at] ?? expect.unreachable()
      expect(['duplicate', 'out_of_order', 'misplaced', 'reference', 'incomplete', 'wrong_store']).toContain(
        outcomeOf(replaced(at, item, item)),
      )
    }
  })

  test('comes in its order, or in one that says the same', () => {
    let refused = 0
    for (let at = 0; at + 1 < items.length; at += 1) {
      const [one, next] = [items[at] ?? expect.unreachable(), items[at + 1] ?? expect.unreachable()]
      const outcome = outcomeOf([...items.slice(0, at), next, one, ...items.slice(at + 2)])
      if (typeof outcome === 'string') refused += 1
      else {
        expect(outcome).toEqual(end)
        expect([one.kind, next.kind]).toEqual(one.kind === 'ack' ? ['ack', 'ack'] : ['anchor', 'anchor'])
      }
    }
    expect(refused).toBeGreaterThan(items.length / 2)
  })

  test('lacks nothing that follows from the rest', () => {
    for (let at = 0; at < items.length; at += 1) {
      const outcome = outcomeOf(replaced(at))
      if (typeof outcome === 'string') continue
      // Two acks are enough; and of what somebody cited nobody here knows.
      expect(['ack', 'anchor']).toContain(items[at]?.kind)
    }
  })

  test('is refused or means the same with any byte of it changed', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), (which, where, by) => {
        const at = which % items.length
        const item = items[at] ?? expect.unreachable()
        const encoded = encodeFoundationItem(item).slice()
        encoded[where % encoded.length] = (encoded[where % encoded.length] ?? 0) ^ by
        const changed = decodeFoundationItem(encoded)
        if (!changed.ok) return
        const outcome = outcomeOf(replaced(at, changed.value))
        if (typeof outcome !== 'string') expect(outcome).toEqual(end)
      }),
      { numRuns: 40 },
    )
  })

  test('is of the store, signed by those it says, and made of records alone', () => {
    const genesis = { ...spineAt(0), record: genesisOf(creator, 9) }
    expect(outcomeOf(replaced(indexOf('spine', 0), genesis))).toBe('wrong_store')
    expect(outcomeOf(replaced(indexOf('spine', 1), spineAt(0)))).toBe('wrong_store')
    const grant = indexOf('spine', 1)
    const { record } = spineAt(1)
    const stolen = resigned(record, signerOf(50), { author: signerOf(50).publicKey })
    expect(outcomeOf(replaced(grant, { ...spineAt(1), record: stolen }))).toBe('misplaced')
    const forged = { bytes: record.bytes, signature: new Uint8Array(64).fill(3) }
    expect(outcomeOf(replaced(grant, { ...spineAt(1), record: forged }))).toBe('not_authentic')
    const unsigned = { bytes: record.bytes, signature: new Uint8Array(0) }
    expect(outcomeOf([...items.slice(0, grant), { ...spineAt(1), record: unsigned }, ...items.slice(grant + 2)])).toBe(
      'not_authentic',
    )
    const other = resigned(record, creator, { ops: encodeUniversalOp(appOp('set a 1')) })
    expect(outcomeOf(replaced(grant, { ...spineAt(1), record: other }))).toBe('not_a_record')
    const junk = { bytes: Uint8Array.of(1, 2, 3), signature: record.signature }
    expect(outcomeOf(replaced(grant, { ...spineAt(1), record: junk }))).toBe('not_a_record')
    const closing: FoundationItem = { kind: 'closing', intention: record, place: spineAt(1).place }
    expect(outcomeOf(replaced(grant, closing))).toBe('out_of_order')
  })

  test.each(['parent_unknown', 'parent_void', 'admin_unknown'] as const)(
    'is not judged where its base waits for what its store has from the parent: %s',
    (fault) => {
      const policy = createModelPolicy()
      const waiting: MembershipPolicy = {
        ...policy,
        resolve: (history) => ({ ...policy.resolve(history), faultOf: () => fault }),
      }
      expect(outcomeOf(withBase(baseOp()), waiting)).toBe('base_undecided')
    },
  )

  test('has a base that counts by the rules', () => {
    const value = baseOp()
    expect(outcomeOf(withBase(value))).toMatchObject({ root: end.root })
    expect(outcomeOf(withBase({ ...value, seq: value.seq + 1n }))).toBe('base_invalid')
    expect(outcomeOf(withBase({ ...value, requiredAcks: [] }))).toBe('not_authentic')
    const removals = [create(weaver.RemovalSchema, { peer: signerOf(60).publicKey })]
    const cause = create(weaver.EpochCauseSchema, {
      cause: {
        case: 'membership',
        value: create(weaver.MembershipCauseSchema, { removals: [...removals, ...removals] }),
      },
    })
    expect(outcomeOf(withBase({ ...value, cause }))).toBe('base_invalid')
    // A grant is no epoch, wherever it stands.
    const grant = { ...spineAt(-1), record: resigned(spineAt(1).record, creator, parse(spineAt(-1).record).intention) }
    const ops = parse(spineAt(1).record).intention.ops
    const last = { ...grant, record: resigned(spineAt(-1).record, creator, { ops }) }
    expect(outcomeOf(replaced(indexOf('spine', -1), last))).toBe('incomplete')
  })

  test('is vouched for by those who have to, for one state', () => {
    const before = items.filter(isOtherThan('ack'))
    const [one, two] = others
    assert(one !== undefined && two !== undefined, 'there are two')
    const wrong = new Uint8Array(32).fill(9)
    expect(outcomeOf([...before, ackWith(creator, end.base, end.root), ackWith(one, end.base, end.root)])).toEqual(end)
    expect(outcomeOf([...before, ackWith(creator, end.base, end.root), ackWith(one, end.base, wrong)])).toBe('diverged')
    // Who signed two states vouches for none of them, and keeps nobody out.
    const twice = [ackWith(two, end.base, end.root), ackWith(two, end.base, wrong)]
    expect(outcomeOf([...before, ackWith(creator, end.base, end.root), ...twice])).toBe('no_quorum')
    const enough = [ackWith(creator, end.base, end.root), ackWith(one, end.base, end.root)]
    expect(outcomeOf([...before, ...enough, ...twice])).toEqual(end)
    // One of three that differs is outvoted, whether it is this or the other that is right.
    expect(outcomeOf([...before, ...enough, ackWith(two, end.base, wrong)])).toEqual(end)
    const lie = [ackWith(one, end.base, wrong), ackWith(two, end.base, wrong)]
    expect(outcomeOf([...before, ackWith(creator, end.base, end.root), ...lie])).toEqual({ ...end, root: wrong })
    expect(outcomeOf([...before, ackWith(creator, end.base, wrong)])).toBe('no_quorum')
    expect(outcomeOf([...before, ackWith(signerOf(50), end.base, end.root)])).toBe('not_authentic')
    expect(outcomeOf([...before, ackWith(two, spineAt(1).record.bytes.slice(0, 32), end.root)])).toBe('not_a_record')
    expect(outcomeOf([...before, ackWith(two, end.base, new Uint8Array(0))])).toBe('not_a_record')
    const [first] = acks()
    assert(first !== undefined, 'there are acks')
    const open: FoundationItem = { kind: 'ack', ack: { bytes: first.ack.bytes, signature: new Uint8Array(0) } }
    expect(outcomeOf([...before, open])).toBe('not_authentic')
    expect(outcomeOf([...before, { kind: 'ack', ack: spineAt(1).record }])).toBe('not_a_record')
    // Who says the same again says nothing, however often.
    const { intention } = parse(first.ack)
    const later = { wall: intention.timestamp.wall + 1, counter: 0 }
    const again = resigned(first.ack, signerWith(intention.author), { timestamp: later })
    expect(outcomeOf([...items, { kind: 'ack', ack: again }])).toBe('duplicate')
  })

  test('has chains end where those who vouch for it say: of the same authors, at the same times', () => {
    // Nothing else shows whose what is gone was, where it stood, and when it was written.
    const laneOf = (number: number) => {
      const item = items[indexOf('lane', number)]
      return item?.kind === 'lane' ? item : expect.unreachable()
    }
    const at = items.findIndex(
      (item) => item.kind === 'anchor' && item.place.position === laneOf(item.place.lane).head && item.place.lane > 0,
    )
    const gone = items[at]
    assert(gone?.kind === 'anchor', 'a chain ends with what is gone')
    const { wall, counter } = gone.timestamp
    const lies = [
      replaced(at, { ...gone, timestamp: { wall, counter: counter + 1 } }),
      replaced(indexOf('author', laneOf(gone.place.lane).author), { kind: 'author', key: signerOf(50).publicKey }),
    ]
    for (const lie of lies) {
      expect(outcomeOf(lie)).toBe('ends_differ')
      expect(outcomeOf(withEnds(lie))).toMatchObject({ root: end.root })
    }
  })

  test('is vouched for by nobody who says that chains end elsewhere, or does not say where', () => {
    const before = items.filter(isOtherThan('ack'))
    const [one, two] = others
    assert(one !== undefined && two !== undefined, 'there are two')
    const by = (signer: Signer, chainEnds?: Uint8Array): FoundationItem =>
      ackWith(signer, end.base, end.root, chainEnds)
    const other = by(one, new Uint8Array(32))
    expect(outcomeOf([...before, by(creator), other])).toBe('diverged')
    expect(outcomeOf([...before, by(creator), other, by(two)])).toEqual(end)
    expect(outcomeOf([...before, by(creator), other, by(two, new Uint8Array(32))])).toBe('ends_differ')
    expect(outcomeOf([...before, by(creator), by(one, new Uint8Array(0))])).toBe('not_a_record')
  })

  test('reaches nowhere above its base, and refers to what is there', () => {
    const lane = indexOf('lane', 1)
    const item = items[lane]
    assert(item?.kind === 'lane', 'there is a second lane')
    const changed = (change: Partial<typeof item>): string | FoundationEnd =>
      outcomeOf(replaced(lane, { ...item, ...change }))
    expect(changed({ head: item.head + 1 })).toBe('misplaced')
    expect(changed({ head: 0 })).toBe('reference')
    expect(changed({ author: 99 })).toBe('reference')
    expect(changed({ author: 0 })).toBe('incomplete')
    expect(changed({ parent: { lane: 5, position: 0 } })).toBe('reference')
    expect(changed({ parent: { lane: 0, position: 1 } })).toBe('reference')
    expect(changed({ parent: undefined })).toBe('reference')
    expect(changed({ head: 2 ** 32 - 1 })).toBe('misplaced')
    const spine = spineAt(2)
    const placed = (change: Partial<Spine['place']>): string | FoundationEnd =>
      outcomeOf(replaced(indexOf('spine', 2), { ...spine, place: { ...spine.place, ...change } }))
    expect(
      placed({
        vector: [
          [0, 2],
          [1, 4000],
        ],
      }),
    ).toBe('above_base')
    expect(
      placed({
        vector: [
          [0, 2],
          [9, 1],
        ],
      }),
    ).toBe('reference')
    expect(placed({ vector: [[0, 1]] })).toBe('misplaced')
    expect(placed({ lane: 7 })).toBe('misplaced')
    expect(placed({ position: 4000 })).toBe('misplaced')
    expect(placed({ generation: 1 })).toBe('misplaced')
    expect(placed({ generation: 0 })).toBe('misplaced')
  })

  test('of any other items is refused as well', () => {
    const random = createSeededRandom(4)
    for (let round = 0; round < 12; round += 1) {
      const drawn = Array.from(
        { length: 1 + random.below(items.length) },
        () => items[random.below(items.length)] ?? expect.unreachable(),
      )
      expect(typeof outcomeOf(drawn)).toBe('string')
    }
  })

  test('goes on after a refusal with the next from the start, and after closing where it was', () => {
    const { writer, directory } = open()
    expect(writer.add(items.slice(0, 4)).ok).toBe(true)
    writer.close()
    const again = open(directory).writer
    expect(again.position()).toBe(4)
    expect(again.add(items.slice(0, 1)).ok).toBe(false)
    expect(again.position()).toBe(0)
    expect(again.add(items).ok).toBe(true)
    expect(again.finish()).toEqual({ ok: true, value: end })
    // Asked once more, since the answer may be lost.
    expect(again.finish()).toEqual({ ok: true, value: end })
    again.close()
  })
})
