/** A log that begins with a foundation answers as one that has all of the history, whatever that is. */
import { create } from '@bufbuild/protobuf'
import {
  encodeUniversalOp,
  equalBytes,
  genesisStoreId,
  idKey,
  type IntentionId,
  NO_HINTS,
  type ParsedIntention,
  type PublicKey,
  type Signer,
  signIntention,
  type SignedIntention,
} from '@lattice/model'
import { weaver } from '@lattice/proto'
import * as fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { createFoundationWriter, type FoundationItem, type Kernel } from '../src/index.ts'
import { createCutoffDag } from './cutoff-dag.ts'
import { modelPolicy } from './cutoff-history.ts'
import { createCutoffProjector } from './cutoff-projector.ts'
import {
  crypto,
  openTestKernel,
  removeDirectories,
  signerOf,
  START_MS,
  temporaryDirectory,
  type TestKernel,
  type TestKernelOptions,
} from './harness.ts'
import { openAuthority } from './tracking-projector.ts'

afterEach(removeDirectories)

async function open(options: TestKernelOptions): Promise<TestKernel> {
  const about = { ackDelayMs: Infinity, membership: modelPolicy, authority: openAuthority }
  return openTestKernel({ ...about, projector: createCutoffProjector(), ...options })
}

function signerWith(key: PublicKey): Signer {
  for (let number = 1; number <= 8; number += 1)
    if (equalBytes(signerOf(number).publicKey, key)) return signerOf(number)
  throw new Error('every author has a signer')
}

/** What an author says of the state at its epoch. */
function ackOf(epoch: ParsedIntention, root: number): SignedIntention {
  const { author, timestamp } = epoch.intention
  const stateRoot = new Uint8Array(32).fill(root)
  return signIntention(crypto, signerWith(author), {
    intention: {
      author,
      timestamp: { wall: timestamp.wall, counter: timestamp.counter + 1 },
      storePrev: epoch.id,
      causalDeps: [epoch.id],
      hints: NO_HINTS,
      ops: encodeUniversalOp({
        kind: 'epochAck',
        schema: 0,
        value: create(weaver.EpochAckOpSchema, { epoch: epoch.id, stateRoot }),
      }),
    },
    close: true,
  })
}

function counting(kernel: Kernel): readonly IntentionId[] {
  const excluded = new Set(kernel.excluded(4096).flatMap(({ id, isLink }) => (isLink ? [] : [idKey(id)])))
  return kernel.epochs().flatMap(({ id, fault }) => (fault === undefined && !excluded.has(idKey(id)) ? [id] : []))
}

/** The log of a foundation in a directory of its own. */
function foundLog(kernel: Kernel, items: readonly FoundationItem[], epoch: ParsedIntention): string {
  const directory = temporaryDirectory()
  const about = { directory, storeId: kernel.storeId, crypto, signer: signerOf(99), membership: modelPolicy }
  const writer = createFoundationWriter({ ...about, clock: { wallMs: () => START_MS } })
  expect(writer.add([...items, { kind: 'ack', ack: ackOf(epoch, 7) }])).toEqual({ ok: true, value: undefined })
  expect(writer.finish()).toEqual({ ok: true, value: { base: epoch.id, root: new Uint8Array(32).fill(7) } })
  writer.close()
  return directory
}

const dags = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  authors: fc.integer({ min: 2, max: 5 }),
  runs: fc.integer({ min: 15, max: 45 }),
  timePasses: fc.boolean(),
})

test('a log over a foundation holds the same and places it alike, and hands the foundation on', async () => {
  let founded = 0
  await fc.assert(
    fc.asyncProperty(dags, fc.nat(), async (options, choice) => {
      const { genesis, intentions } = createCutoffDag(options)
      const storeId = genesisStoreId(genesis)
      const { kernel } = await open({ storeId })
      await kernel.ingest(intentions, undefined)
      const bases = counting(kernel)
      const base = bases[choice % Math.max(1, bases.length)]
      const epoch = intentions.find(({ id }) => base !== undefined && equalBytes(id, base))
      const foundation = base && kernel.foundation(base)
      if (epoch === undefined || base === undefined || foundation === undefined) return void (await kernel.close())
      founded += 1
      const items = foundation.read(0, 1e9)
      const made = await open({ storeId, directory: foundLog(kernel, items, epoch), signer: signerOf(99) })
      const set = kernel.over(base)?.rangeIndex()
      const ids = new Set(set === undefined ? [] : [...set.items(0, set.size())].map(({ id }) => idKey(id)))
      await made.kernel.ingest(
        intentions.filter(({ id }) => ids.has(idKey(id))),
        undefined,
      )
      // Some were looked at before what admits them again had come.
      await made.kernel.recheckFloating()
      expect(made.kernel.digest()).toEqual(kernel.over(base)?.digest())
      expect(made.kernel.frontier()).toEqual(kernel.frontier())
      expect(made.kernel.chainTips(100)).toEqual(kernel.chainTips(100))
      const faults = (of: Kernel): readonly unknown[] =>
        of
          .epochs()
          .flatMap(({ id, fault }) => (ids.has(idKey(id)) ? [`${idKey(id)} ${fault ?? 'counts'}`] : []))
          .sort()
      expect(faults(made.kernel)).toEqual(faults(kernel))
      const kept = intentions.filter(({ id }) => made.kernel.has(id))
      for (const a of kept) {
        for (const b of kept) {
          expect(made.kernel.isAncestor(a.id, b.id)).toBe(kernel.isAncestor(a.id, b.id))
        }
      }
      expect((await made.kernel.verify()).problems).toEqual([])
      // Another can begin with what it was given.
      expect(made.kernel.foundation()?.read(0, 1e9)).toEqual(items)
      await made.kernel.close()
      await kernel.close()
    }),
    { numRuns: 9, endOnFailure: true },
  )
  expect(founded).toBeGreaterThan(3)
})
