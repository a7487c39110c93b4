/** Spoiled bytes of every kind, and what none of them may achieve. */
import { fromBinary, toBinary, create } from '@bufbuild/protobuf'
import {
  assert,
  checkWitnessPage,
  equalBytes,
  type IntentionId,
  type KnownOp,
  type ParsedIntention,
  type SignedIntention,
  toHex,
  toWitnessSeq,
  ZERO_HASH,
  encodeUniversalOp,
  signIntention,
  NO_HINTS,
} from '@lattice/model'
import { createSeededRandom, type SeededRandom } from '@lattice/model/testing'
import { weaver } from '@lattice/proto'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel } from '../../src/index.ts'
import { at, createTestStore, crypto, openTestKernel, removeDirectories, signerOf, write } from '../harness.ts'
import { appOp } from '../tracking-projector.ts'
import { bytesOf, changeByte, disorder, pick, spoil } from './mutate.ts'
import { watchTurns } from './watch-turns.ts'

afterEach(removeDirectories)

/** Spoiled intentions in all; `LATTICE_FUZZ` asks for more, `LATTICE_FUZZ_SEED` for others. */
const MUTATIONS = Number(process.env['LATTICE_FUZZ'] ?? 100_000)
const SEED = process.env['LATTICE_FUZZ_SEED'] ?? 'fuzz'
const TIMEOUT_MS: number = 60_000 + MUTATIONS * 2
/** CPU time of one turn of the event loop: far above what a turn takes, far below what is felt. */
const TURN_MAX_MS = 150
const KINDS: ReadonlySet<string> = new Set(['witnessed', 'duplicate', 'floating', 'invalid'])

interface Corpus {
  readonly honest: readonly ParsedIntention[]
  readonly ids: ReadonlyMap<string, ParsedIntention>
}

/** A batch as a peer would send it: two runs, single writes, cross references, a fork. */
function createCorpus(genesis: IntentionId, round: number): Corpus {
  const [bob, carol] = [signerOf(1000 + round * 2), signerOf(1001 + round * 2)]
  const honest: ParsedIntention[] = []
  const add = (signer: typeof bob, prev: IntentionId, close: boolean, deps = [prev]): ParsedIntention => {
    const n = honest.length
    const op = appOp(n % 5 === 4 ? 'reject' : `set k${n} v${round}`)
    const parsed = write(signer, { prev, deps, at: at(1 + round, n), op, close })
    honest.push(parsed)
    return parsed
  }
  let prev = add(bob, genesis, true).id
  const fork = prev
  for (let n = 1; n <= 12; n += 1) prev = add(bob, prev, n === 12).id
  let other = add(carol, genesis, true, [prev]).id
  for (let n = 1; n <= 8; n += 1) other = add(carol, other, n % 4 === 0, [other, prev].toSorted(compare)).id
  add(bob, fork, true)
  return { honest, ids: new Map(honest.map((parsed) => [toHex(parsed.id), parsed])) }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b)
}

/** Nothing is in the log but what its author signed, byte for byte. */
function expectOnlyHonest(kernel: Kernel, known: ReadonlyMap<string, ParsedIntention>): void {
  for (let from = 1; from <= kernel.stats().witnessCount; from += 4096) {
    for (const { parsed } of kernel.scanWitness(from, 4096)) {
      const original = known.get(toHex(parsed.id))
      assert(original !== undefined, 'what is witnessed was signed by its author')
      assert(equalBytes(original.bytes, parsed.bytes), 'byte for byte')
      // One that was stripped of it on the way is vouched for by the next of its author's chain.
      const isVouched = parsed.signature.length === 0 || equalBytes(original.signature, parsed.signature)
      assert(isVouched, 'with no signature but its own')
    }
  }
}

describe('a batch spoiled at every byte', () => {
  const PER_ROUND = 5000
  const PER_BATCH = 250

  test(`${MUTATIONS} times is refused or floats, and the honest one goes in`, { timeout: TIMEOUT_MS }, async () => {
    const random = createSeededRandom(SEED)
    const { kernel, genesis } = await createTestStore()
    const known = new Map([[toHex(genesis.id), genesis]])
    const turns = watchTurns()
    const seen = new Map<string, number>()
    let place = 0
    for (let done = 0, round = 0; done < MUTATIONS; round += 1) {
      const { honest, ids } = createCorpus(genesis.id, round)
      for (const [id, parsed] of ids) known.set(id, parsed)
      const size = bytesOf(honest)
      for (let sent = 0; sent < PER_ROUND; sent += PER_BATCH) {
        const batch = Array.from({ length: PER_BATCH }, (_, n): SignedIntention => {
          // Three of four change one byte, and go through all bytes in turn; so every byte is met many times.
          if (n % 4 === 3) return spoil(honest, random)
          place += 1
          return changeByte(honest, place % size, random)
        })
        await ingestTyped(kernel, batch, seen)
        done += PER_BATCH
      }
      await ingestTyped(kernel, disorder(honest, random), seen)
      const outcomes = await kernel.ingest(honest, undefined)
      const kinds = new Set(outcomes.map(({ kind }) => kind))
      expect([...kinds].every((kind) => kind === 'witnessed' || kind === 'duplicate')).toBe(true)
      expect(honest.every(({ id }) => kernel.has(id))).toBe(true)
    }
    expectOnlyHonest(kernel, known)
    expect(kernel.stats().witnessCount).toBe(known.size)
    expect(kernel.stats().floatingCount).toBeLessThanOrEqual(65_536)
    expect(kernel.stats().floatingBytes).toBeLessThanOrEqual(64 * 1024 * 1024)
    // Each way out was taken.
    for (const code of ['bad_signature', 'truncated', 'trailing_bytes', 'missing_causes', 'unsigned', 'bad_version']) {
      expect(seen.get(code) ?? 0).toBeGreaterThan(0)
    }
    expect(turns.longestMs()).toBeLessThan(TURN_MAX_MS)
    turns.stop()
    await expectSameElsewhere(kernel, [...known.values()])
    await kernel.close()
  })
})

async function ingestTyped(
  kernel: Kernel,
  batch: readonly SignedIntention[],
  seen: Map<string, number>,
): Promise<void> {
  const outcomes = await kernel.ingest(batch, undefined)
  assert(outcomes.length === batch.length, 'one outcome each')
  for (const outcome of outcomes) {
    assert(KINDS.has(outcome.kind), 'of a kind that is known')
    const code = outcome.kind === 'invalid' ? outcome.code : outcome.kind === 'floating' ? outcome.reason : outcome.kind
    seen.set(code, (seen.get(code) ?? 0) + 1)
  }
}

/** A node that never met the spoiled ones holds the same. */
async function expectSameElsewhere(kernel: Kernel, honest: readonly SignedIntention[]): Promise<void> {
  const { kernel: clean } = await openTestKernel({ storeId: kernel.storeId, signer: signerOf(9) })
  await clean.ingest(honest, undefined)
  expect(clean.digest().fingerprint).toEqual(kernel.digest().fingerprint)
  expect(await clean.stateDigest()).toEqual(await kernel.stateDigest())
  await clean.close()
}

describe('envelopes', () => {
  const COUNT: number = Math.ceil(MUTATIONS / 10)

  test('of the wire, spoiled, decode to what is refused or not at all', { timeout: TIMEOUT_MS }, async () => {
    const random = createSeededRandom(`${SEED} wire`)
    const { kernel, genesis } = await createTestStore()
    const { honest, ids } = createCorpus(genesis.id, 0)
    const wires = honest.map(({ bytes, signature }) =>
      toBinary(weaver.SignedIntentionSchema, create(weaver.SignedIntentionSchema, { intention: bytes, signature })),
    )
    let decoded = 0
    let batch: SignedIntention[] = []
    for (let n = 0; n < COUNT; n += 1) {
      const spoiled = spoilMessage(pick(wires, random), random)
      try {
        const { intention, signature } = fromBinary(weaver.SignedIntentionSchema, spoiled)
        batch.push({ bytes: intention, signature })
        decoded += 1
      } catch (error) {
        expect(error).toBeInstanceOf(Error)
      }
      if (batch.length < 250 && n < COUNT - 1) continue
      await ingestTyped(kernel, batch, new Map())
      batch = []
    }
    expect(decoded).toBeGreaterThan(COUNT / 10)
    await kernel.ingest(honest, undefined)
    expectOnlyHonest(kernel, new Map([...ids, [toHex(genesis.id), genesis]]))
    await kernel.close()
  })

  test('of operations, spoiled and signed by a member, mean the same everywhere and stall nobody', async () => {
    const random = createSeededRandom(`${SEED} ops`)
    const { kernel, genesis } = await createTestStore()
    const ack: KnownOp = { kind: 'ack', schema: 0, value: create(weaver.AckOpSchema) }
    const originals = [appOp('set key value'), appOp('reject'), ack].map((op) => encodeUniversalOp(op))
    const bob = signerOf(2)
    const intentions: ParsedIntention[] = []
    let prev = genesis.id
    const count = Math.max(1000, MUTATIONS / 50)
    for (let n = 0; n < count; n += 1) {
      const ops = spoilMessage(pick(originals, random), random)
      const parsed = signAnyway(bob, { prev, ops, n })
      if (parsed === undefined) continue
      intentions.push(parsed)
      prev = parsed.id
    }
    expect(intentions.length).toBeGreaterThan(count / 2)
    const outcomes = await kernel.ingest(intentions, undefined)
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['witnessed']))
    expect(kernel.projection().stalled).toBeUndefined()
    await expectSameElsewhere(kernel, [genesis, ...disorder(intentions, random), ...intentions])
    await kernel.close()
  })
})

/** What a member can sign; a payload that makes the intention invalid in itself is not worth its bytes. */
function signAnyway(
  signer: ReturnType<typeof signerOf>,
  { prev, ops, n }: { readonly prev: IntentionId; readonly ops: Uint8Array; readonly n: number },
): ParsedIntention | undefined {
  const intention = {
    author: signer.publicKey,
    timestamp: at(1, n),
    storePrev: prev,
    causalDeps: [prev],
    hints: NO_HINTS,
    ops,
  }
  try {
    return signIntention(crypto, signer, { intention, close: true })
  } catch {
    return undefined
  }
}

function spoilMessage(message: Uint8Array, random: SeededRandom): Uint8Array {
  const copy = new Uint8Array(message)
  switch (random.below(4)) {
    case 0:
      return copy.subarray(0, random.below(copy.length))
    case 1:
      return new Uint8Array(Buffer.concat([copy, random.bytes(1 + random.below(16))]))
    default: {
      // The tags and lengths stand first.
      const at_ = random.below(random.below(2) === 0 ? Math.min(8, copy.length) : copy.length)
      copy[at_] = random.below(256)
      return copy
    }
  }
}

describe('a page of witness records', () => {
  test('spoiled anywhere is refused, or says what the true one says', { timeout: TIMEOUT_MS }, async () => {
    const random = createSeededRandom(`${SEED} page`)
    const { kernel, genesis } = await createTestStore()
    await kernel.ingest(createCorpus(genesis.id, 0).honest, undefined)
    for (let n = 0; n < 5; n += 1) await kernel.submit(appOp(`set k${n} v`))
    const { records } = kernel.witnessPage(1, 4096)
    const check = (page: typeof records): ReturnType<typeof checkWitnessPage> =>
      checkWitnessPage({
        crypto,
        storeId: kernel.storeId,
        witness: signerOf(1).publicKey,
        fromSeq: toWitnessSeq(1),
        prevHash: ZERO_HASH,
        records: page,
      })
    const truth = check(records)
    assert(truth.ok, 'the true page is good')
    let refused = 0
    const count = Math.ceil(MUTATIONS / 20)
    for (let n = 0; n < count; n += 1) {
      const outcome = check(spoilPage(records, random))
      if (!outcome.ok) {
        refused += 1
        continue
      }
      expect(outcome.value.entries).toEqual(truth.value.entries.slice(0, outcome.value.entries.length))
    }
    expect(refused).toBeGreaterThan(count / 2)
    await kernel.close()
  })
})

type Records = ReturnType<Kernel['witnessPage']>['records']

function spoilPage(records: Records, random: SeededRandom): Records {
  const index = random.below(records.length)
  const record = records[index]
  assert(record !== undefined, 'a record is picked')
  switch (random.below(7)) {
    case 0:
      return records.slice(0, index)
    case 1:
      return records.slice(index)
    case 2:
      return records.toSpliced(index, 1)
    case 3:
      return records.toSpliced(index, 0, record)
    case 4:
      return records.toSpliced(index, 1, { ...record, signature: random.bytes(64) })
    case 5:
      return records.toSpliced(index, 1, { ...record, content: spoilMessage(record.content, random) })
    default: {
      const content = record.content.slice()
      const place = random.below(content.length)
      content[place] = (content[place] ?? 0) ^ (1 << random.below(8))
      return records.toSpliced(index, 1, { ...record, content })
    }
  }
}
