/** The rules of membership and the kernel that goes by them, together: nodes that hold the same agree. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Kernel, type KernelOptions, openKernel } from '@lattice/kernel'
import { assert, genesisStoreId, type ParsedIntention, silentLogger, toHex } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { createManualClock, createSeededRandom } from '@lattice/model/testing'
import type { StorageHooks, StoragePoint } from '@lattice/storage'
import type { StateMachine } from '@lattice/store-base'
import { createMembershipPolicy, createSystemAuthority, createSystemLayer } from '@lattice/systemstore'
import * as fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { nullMachine } from '../src/index.ts'
import { createMembershipHistory, drawMembership, signerAt, START_MS } from './membership-history.ts'

const crypto = await openCrypto()
const directories: string[] = []
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true })
})

/** Each key names the greatest of its writers, so that every operation that counts is in the table or was. */
const machine: StateMachine = {
  ...nullMachine,
  apply: (table, { id, payload }) => {
    const before = table.get(payload)
    if (before === undefined || toHex(before) < toHex(id)) table.set(payload, id)
    return { kind: 'applied', events: [] }
  },
}

interface Failing {
  armed: StoragePoint | undefined
}

/** A node that may lose power at its next write. */
function createNode(all: readonly ParsedIntention[], signer: number) {
  const [genesis] = all
  assert(genesis !== undefined, 'a history begins with its genesis')
  const directory = mkdtempSync(join(tmpdir(), 'lattice-membership-'))
  directories.push(directory)
  const failing: Failing = { armed: undefined }
  const hooks: StorageHooks = {
    at: (point) => {
      if (point !== failing.armed) return
      failing.armed = undefined
      throw new Error('power lost')
    },
  }
  const options: KernelOptions = {
    directory,
    storeId: genesisStoreId(genesis),
    projector: createSystemLayer({ machine }),
    authority: createSystemAuthority(),
    membership: createMembershipPolicy(),
    signer: signerAt(crypto, signer),
    crypto,
    clock: createManualClock({ wallMs: START_MS + 1000 }),
    scheduler: {
      after: () => () => {},
      soon: (task) => {
        const handle = setImmediate(task)
        return () => clearImmediate(handle)
      },
    },
    logger: silentLogger,
    ackDelayMs: Infinity,
    storageHooks: hooks,
  }
  return { failing, open: async () => openKernel(options) }
}

const POINTS: readonly StoragePoint[] = ['write', 'commit', 'committed']

/** Takes in all of it, in some order, some of it twice, with restarts and crashes. */
async function deliver(all: readonly ParsedIntention[], seed: number): Promise<Kernel> {
  const random = createSeededRandom(seed)
  const { failing, open } = createNode(all, 90)
  let kernel = await open()
  const keys = new Map(all.map((parsed) => [parsed, random.below(1000)]))
  // Whole histories of chance come in pieces that are in order as often as not.
  const shuffled = all.toSorted((a, b) => (keys.get(a) ?? 0) - (keys.get(b) ?? 0))
  const inOrder = random.below(2) === 0
  const late = all.filter(() => inOrder && random.below(4) === 0)
  const arrivals = inOrder ? [...all.filter((parsed) => !late.includes(parsed)), ...late] : shuffled
  while (arrivals.length > 0) {
    const batch = arrivals.splice(0, 1 + random.below(10))
    if (random.below(6) === 0) failing.armed = POINTS[random.below(3)]
    await kernel.ingest(batch, undefined).catch(() => undefined)
    if (random.below(4) > 0 && failing.armed === undefined) continue
    await kernel.close().catch(() => undefined)
    failing.armed = undefined
    kernel = await open()
    arrivals.push(...batch)
  }
  // What a crash took comes again.
  await kernel.close().catch(() => undefined)
  kernel = await open()
  await kernel.ingest(all, undefined)
  await kernel.recheckFloating()
  return kernel
}

/** All that nodes have to agree on. */
async function told(kernel: Kernel): Promise<object> {
  await kernel.recheckFloating()
  const index = kernel.rangeIndex()
  const excluded = kernel.excluded(4096)
  const out = excluded.filter(({ isLink }) => !isLink).map(({ id }) => id)
  const reconciled = [...index.items(0, index.size())].map(({ id }) => toHex(id)).sort()
  const inSet = new Set(reconciled)
  return {
    reconciled,
    uncounted: [...new Set([...out, ...kernel.floating(4096).map(({ parsed }) => parsed.id)].map(toHex))].sort(),
    links: excluded
      .filter(({ isLink }) => isLink)
      .map(({ id }) => toHex(id))
      .sort(),
    digest: kernel.digest(),
    frontier: kernel.frontier(),
    epochs: kernel
      .epochs()
      .filter(({ id }) => inSet.has(toHex(id)))
      .map((epoch) => ({ ...epoch, id: toHex(epoch.id) }))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
    state: await kernel.stateDigest(),
  }
}

const plans = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  authors: fc.integer({ min: 3, max: 5 }),
  runs: fc.integer({ min: 5, max: 40 }),
})

test('nodes that hold the same intentions agree, whatever came first and whatever was interrupted', async () => {
  await fc.assert(
    fc.asyncProperty(plans, fc.integer(), fc.integer(), async (plan, ...seeds) => {
      const all = drawMembership(crypto, plan)
      const told_: object[] = []
      for (const seed of seeds) {
        const kernel = await deliver(all, seed)
        told_.push(await told(kernel))
        const before = await kernel.stateDigest()
        await kernel.rebuild()
        expect(await kernel.stateDigest()).toEqual(before)
        expect((await kernel.verify()).problems).toEqual([])
        await kernel.close()
      }
      expect(told_[1]).toEqual(told_[0])
    }),
    {
      // A grant that is witnessed where it came before what cuts it decides which removals stand.
      // What vouches for a record beside another is needed with all that it waits for.
      examples: [
        [{ seed: 17, authors: 3, runs: 35 }, 170_371_277, 2_147_483_627],
        [{ seed: 427_411, authors: 3, runs: 37 }, -1_039_952_015, 519_838_758],
      ],
      numRuns: Number(process.env['RUNS'] ?? 12),
      endOnFailure: true,
    },
  )
})

test('what does not cite what admits its author is witnessed nowhere, whatever becomes of the admission', async () => {
  const [creator, junior, shy, builder] = [0, 1, 2, 3] as const
  const history = createMembershipHistory(crypto)
  const promoted = history.write(creator, history.admit(junior, 'admin'), [])
  const peer = history.write(creator, history.admit(builder, 'writer'), [])
  const grant = history.write(junior, history.admit(shy, 'writer'), [promoted])
  const uncited = history.write(shy, 'a', [])
  const built = history.write(builder, 'b', [peer, uncited])
  const removal = history.write(creator, history.remove(junior), [])
  const all = history.all()
  const nodes = [all, [...all.filter((each) => each !== grant), grant]].map(async (order) => {
    const kernel = await createNode(all, 90).open()
    for (const parsed of order) await kernel.ingest([parsed], undefined)
    const ending = await told(kernel)
    const waiting = new Set(kernel.floating(10).map(({ parsed }) => toHex(parsed.id)))
    await kernel.close()
    return { ending, waits: [uncited, built, removal].map(({ id }) => waiting.has(toHex(id))) }
  })
  const [first, second] = await Promise.all(nodes)
  expect(second).toEqual(first)
  expect(first?.waits).toEqual([true, true, false])
})
