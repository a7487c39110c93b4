/** What every author has seen, against walks over all causes. */
import {
  causesOf,
  genesisStoreId,
  idKey,
  type IdKey,
  type ParsedIntention,
  type PublicKey,
  toHex,
  ZERO_HASH,
} from '@lattice/model'
import { createManualClock, createSeededRandom } from '@lattice/model/testing'
import { openDatabase } from '@lattice/storage'
import * as fc from 'fast-check'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel, Observations } from '../src/index.ts'
import { createQuietSpans, QUIET_TABLE } from '../src/quiet-spans.ts'
import {
  at,
  genesisOf,
  openTestKernel,
  removeDirectories,
  signerOf,
  START_MS,
  temporaryDirectory,
  write,
} from './harness.ts'
import { ACK, createRandomDag } from './random-dag.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

/** Of each intention, itself and all it follows. */
function pastsOf(intentions: readonly ParsedIntention[]): ReadonlyMap<IdKey, ReadonlySet<IdKey>> {
  const pasts = new Map<IdKey, Set<IdKey>>()
  for (const { id, intention } of intentions) {
    const past = new Set([idKey(id)])
    for (const cause of causesOf(intention)) for (const older of pasts.get(idKey(cause)) ?? []) past.add(older)
    pasts.set(idKey(id), past)
  }
  return pasts
}

interface Oracle {
  readonly seenBy: (author: PublicKey) => ReadonlySet<IdKey>
  readonly observe: (kernel: Kernel, members: readonly PublicKey[]) => unknown
}

function oracleOf(intentions: readonly ParsedIntention[]): Oracle {
  const pasts = pastsOf(intentions)
  const by = (author: PublicKey): ParsedIntention[] =>
    intentions.filter(({ intention }) => idKey(intention.author) === idKey(author))
  const seenBy = (author: PublicKey): ReadonlySet<IdKey> =>
    new Set(by(author).flatMap(({ id }) => [...(pasts.get(idKey(id)) ?? [])]))

  function rowOf(kernel: Kernel, author: PublicKey, all: readonly PublicKey[]): unknown {
    const past = seenBy(author)
    const missed = intentions.filter(({ id, op }) => !past.has(idKey(id)) && op.kind !== 'ack')
    const times = missed.map(({ id }) => kernel.get(id)?.witnessedMs ?? 0)
    const seen = all.flatMap((other) => {
      const known = by(other).filter(({ id }) => past.has(idKey(id)))
      if (known.length === 0) return []
      const position = Math.max(...known.map(({ id }) => kernel.get(id)?.position ?? -1))
      return [{ author: toHex(other), count: known.length, position }]
    })
    return {
      author: toHex(author),
      unseen: missed.length,
      unseenSinceMs: times.length === 0 ? undefined : Math.min(...times),
      seen: seen.toSorted((a, b) => (a.author < b.author ? -1 : 1)),
    }
  }

  return {
    seenBy,
    observe: (kernel, members) => {
      const authors = new Map(intentions.map(({ intention }) => [idKey(intention.author), intention.author]))
      const stable = intentions.filter(({ id }) => members.every((member) => seenBy(member).has(idKey(id))))
      const covered = new Set(stable.flatMap(({ intention }) => causesOf(intention).map((cause) => idKey(cause))))
      return {
        authors: [...authors.values()]
          .map((author) => rowOf(kernel, author, [...authors.values()]))
          .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
        stability: {
          count: members.length === 0 ? 0 : stable.length,
          ids: (members.length === 0 ? [] : stable)
            .filter(({ id }) => !covered.has(idKey(id)))
            .map(({ id }) => toHex(id))
            .toSorted(),
        },
      }
    },
  }
}

function plain({ authors, stability }: Observations): unknown {
  return {
    authors: authors
      .map(({ author, unseen, unseenSinceMs, seen }) => ({
        author: toHex(author),
        unseen,
        unseenSinceMs,
        seen: seen
          .map((cell) => ({ author: toHex(cell.author), count: cell.count, position: cell.position }))
          .toSorted((a, b) => (a.author < b.author ? -1 : 1)),
      }))
      .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
    stability: { count: stability.count, ids: stability.ids.map(toHex).toSorted() },
  }
}

describe('observations', () => {
  test('are what walks over all causes find, with forks and acks, step by step and after opening again', async () => {
    const dags = fc.record({
      seed: fc.integer({ min: 1, max: 1_000_000 }),
      authors: fc.integer({ min: 1, max: 5 }),
      runs: fc.integer({ min: 1, max: 30 }),
    })
    await fc.assert(
      fc.asyncProperty(dags, fc.subarray([1, 2, 3, 4, 5, 9]), async (options, numbers) => {
        const { genesis, intentions } = createRandomDag({ ...options, acks: true })
        const clock = createManualClock({ wallMs: START_MS + 1000 })
        const random = createSeededRandom(options.seed)
        const opened = await openTestKernel({ storeId: genesisStoreId(genesis), clock, signer: signerOf(77) })
        let { kernel } = opened
        const members = numbers.map((number) => signerOf(number).publicKey)
        for (let from = 0; from < intentions.length;) {
          const until = from + 1 + random.below(10)
          clock.advance(1 + random.below(1000))
          await kernel.ingest(intentions.slice(from, until), undefined)
          from = until
          if (random.below(4) === 0) {
            await kernel.close()
            ;({ kernel } = await openTestKernel({ ...opened.options }))
          }
          // What floats until its run is closed is not witnessed yet.
          const here = kernel.scanWitness(1, 4096).map(({ parsed }) => parsed)
          const observations = kernel.observations(members)
          expect(plain(observations)).toEqual(oracleOf(here).observe(kernel, members))
          const { seenBy } = oracleOf(here)
          const held = new Set(members.flatMap((member) => [...seenBy(member)]))
          const unheld = here.filter(({ id, op }) => !held.has(idKey(id)) && op.kind !== 'ack')
          expect(kernel.unseenByAll(members).unseen).toBe(unheld.length)
          for (const { author, seen, unseen, unseenSinceMs } of observations.authors) {
            expect(kernel.lag(author)).toEqual({ unseen, unseenSinceMs })
            for (const cell of seen) {
              const [record] = kernel.scanWitness(cell.seq, 1)
              const found = record && kernel.get(record.parsed.id)
              expect(found?.position).toBe(cell.position)
              expect(found && idKey(found.parsed.intention.author)).toBe(idKey(cell.author))
              expect(record && oracleOf(here).seenBy(author).has(idKey(record.parsed.id))).toBe(true)
            }
          }
        }
        await kernel.close()
      }),
      { numRuns: 15 },
    )
  })

  test('of an author that has written nothing: it has seen nothing, and nothing is stable for it', async () => {
    const genesis = genesisOf(signerOf(1))
    const { kernel } = await openTestKernel({ storeId: genesisStoreId(genesis), genesis, signer: signerOf(2) })
    const nobody = signerOf(9).publicKey
    expect(kernel.lag(nobody).unseen).toBe(1)
    expect(kernel.observations([signerOf(1).publicKey]).stability.count).toBe(1)
    expect(kernel.observations([signerOf(1).publicKey, nobody]).stability).toEqual({ count: 0, ids: [] })
    expect(kernel.observations([]).stability).toEqual({ count: 0, ids: [] })
    await kernel.close()
  })

  test('follow a write that is refused after it was appended, and one that comes in its place', async () => {
    const genesis = genesisOf(signerOf(1))
    const { kernel } = await openTestKernel({ storeId: genesisStoreId(genesis), genesis, signer: signerOf(2) })
    const tips = Array.from({ length: 20 }, (_, n) => write(signerOf(3), { prev: genesis.id, at: at(1, n) }))
    await kernel.ingest(tips, undefined)
    const cite = { deps: () => tips.map(({ id }) => id) }
    // More than a write can cite: an ack is made before it, and taken back with it.
    await expect(kernel.submit(appOp('reject'), cite)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(kernel.lag(signerOf(2).publicKey).unseen).toBe(21)
    await kernel.submit(appOp('set k v'), cite)
    expect(kernel.lag(signerOf(2).publicKey).unseen).toBe(0)
    expect(kernel.lag(signerOf(1).publicKey).unseen).toBe(21)
    await kernel.close()
  })
})

describe('the spans of intentions that call for no ack', () => {
  type Step =
    | { readonly kind: 'add'; readonly lane: number; readonly quiet: boolean }
    | { readonly kind: 'back' | 'save' | 'load' }
  const steps: fc.Arbitrary<Step[]> = fc.array(
    fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({ kind: fc.constant('add' as const), lane: fc.nat({ max: 2 }), quiet: fc.boolean() }),
      },
      { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('back' as const, 'save' as const, 'load' as const) }) },
    ),
    { maxLength: 60 },
  )

  // Model: an array of lanes of flags.
  test('count and find as a list of flags would, over checkpoints, returns to them, and what is taken back', () => {
    const database = openDatabase({
      path: join(temporaryDirectory(), 'spans.db'),
      contents: 'other',
      durability: 'normal',
      applicationId: 1,
      migrations: [QUIET_TABLE],
    })
    const signer = signerOf(1)
    const genesis = genesisOf(signer)
    const [loud, quiet] = [appOp('x'), ACK].map((op) => write(signer, { prev: genesis.id, at: at(1), op }))
    if (loud === undefined || quiet === undefined) throw new Error('both were made')
    fc.assert(
      fc.property(steps, (history) => {
        database.transaction(() => database.prepare('DELETE FROM quiet').run())
        const spans = createQuietSpans(database)
        let lanes: boolean[][] = [[], [], []]
        let saved = structuredClone(lanes)
        let last: number | undefined
        const entryOf = (lane: number, isQuiet: boolean, position: number): Parameters<typeof spans.advance>[0] => ({
          parsed: isQuiet ? quiet : loud,
          meta: { seq: 1, author: 0, lane, position, generation: 1, timestamp: at(1) },
          witnessedMs: 0,
          chainHash: ZERO_HASH,
          witnessSignature: new Uint8Array(0),
        })
        for (const step of history) {
          if (step.kind === 'add') {
            const flags = lanes[step.lane] ?? []
            spans.advance(entryOf(step.lane, step.quiet, flags.length))
            flags.push(step.quiet)
            last = step.lane
          } else if (step.kind === 'back' && last !== undefined) {
            const flags = lanes[last] ?? []
            const flag = flags.pop() ?? false
            spans.retreat(entryOf(last, flag, flags.length))
            last = undefined
          } else if (step.kind === 'save') {
            database.transaction(spans.checkpoint)
            saved = structuredClone(lanes)
            last = undefined
          } else if (step.kind === 'load') {
            spans.load()
            lanes = structuredClone(saved)
            last = undefined
          }
          for (const [lane, flags] of lanes.entries()) {
            for (let position = -1; position <= flags.length; position += 1) {
              const count = flags.slice(0, position + 1).filter(Boolean).length
              expect(spans.countUpTo(lane, position)).toBe(count)
              const next = flags.findIndex((flag, index) => index > position && !flag)
              expect(spans.nextLoud(lane, position)).toBe(next < 0 ? Math.max(flags.length, position + 1) : next)
            }
          }
        }
      }),
      { numRuns: 60 },
    )
    database.close()
  })
})
