/** What waits, at its bounds: how much is held, who has to go, what waking all of it costs. */
import { create } from '@bufbuild/protobuf'
import {
  equalBytes,
  type IntentionId,
  type KnownOp,
  MAX_KERNEL_CAUSAL_DEPS,
  MAX_OPS_BYTES,
  MAX_RUN_LENGTH,
  type ParsedIntention,
  type SignedIntention,
} from '@lattice/model'
import { createManualScheduler } from '@lattice/model/testing'
import { weaver } from '@lattice/proto'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel, KernelEvent } from '../../src/index.ts'
import { at, createTestStore, removeDirectories, signerOf, turnScheduler, write } from '../harness.ts'
import { appOp } from '../tracking-projector.ts'
import { watchTurns } from './watch-turns.ts'

afterEach(removeDirectories)

const MAX_FLOATING = 65_536
const MAX_BYTES = 64 * 1024 * 1024
const PER_AUTHOR: number = MAX_FLOATING / 8
const BATCH = 2048
/** CPU time of a turn of the event loop: far above what a turn takes, far below what is felt. */
const TURN_MAX_MS = 150
const TIMEOUT_MS = 120_000
/** All of it takes half a minute: asked for by `LATTICE_BOUNDS`. */
const WHOLE: readonly string[] = process.env['LATTICE_BOUNDS'] === undefined ? [] : ['the whole of it']
/** One turn that takes up a list of thousands of causes. */
const LIST_TURN_MAX_MS = 1500
const FLOOD = 8192
/** CPU time of a write, or of one intention whose time has come, beside a flood: a few milliseconds without. */
const WRITE_MAX_MS = 15

/** A chain in runs as long as they may be, oldest first. */
function chainOf(
  author: number,
  options: { prev: IntentionId; deps?: IntentionId; length: number; fromMs: number },
): ParsedIntention[] {
  const chain: ParsedIntention[] = []
  let { prev } = options
  for (let n = 0; n < options.length; n += 1) {
    const deps = n === 0 && options.deps !== undefined ? [options.deps, prev] : [prev]
    const close = n % MAX_RUN_LENGTH === MAX_RUN_LENGTH - 1 || n === options.length - 1
    const parsed = write(signerOf(author), {
      prev,
      deps: dedupe(deps),
      at: at(options.fromMs, n),
      op: appOp('x'),
      close,
    })
    chain.push(parsed)
    prev = parsed.id
  }
  return chain
}

function dedupe(ids: readonly IntentionId[]): IntentionId[] {
  return ids.filter((id, index) => ids.findIndex((other) => equalBytes(id, other)) === index)
}

async function ingestAll(kernel: Kernel, all: readonly SignedIntention[]): Promise<void> {
  for (let from = 0; from < all.length; from += BATCH) await kernel.ingest(all.slice(from, from + BATCH), undefined)
}

function evictions(kernel: Kernel): Extract<KernelEvent, { kind: 'floating_evicted' }>[] {
  const seen: Extract<KernelEvent, { kind: 'floating_evicted' }>[] = []
  kernel.onEvent((event) => {
    if (event.kind === 'floating_evicted') seen.push(event)
  })
  return seen
}

describe('a floating pool that is full', () => {
  test('by one author gives up its oldest, and wakes as one cascade', { timeout: TIMEOUT_MS }, async () => {
    const { kernel, genesis } = await createTestStore()
    const evicted = evictions(kernel)
    const chain = chainOf(10, { prev: genesis.id, length: PER_AUTHOR + 2, fromMs: 1 })
    await ingestAll(kernel, chain.slice(1))
    expect(kernel.stats()).toMatchObject({ floatingCount: PER_AUTHOR, evictedCount: 1, witnessCount: 1 })
    expect(evicted).toEqual([{ kind: 'floating_evicted', author: signerOf(10).publicKey, count: 1 }])
    expect(kernel.get(chain[1]?.id ?? genesis.id)).toBeUndefined()
    const turns = watchTurns()
    await kernel.ingest(chain.slice(0, 2), undefined)
    turns.stop()
    await kernel.ingest(chain, undefined)
    expect(kernel.stats()).toMatchObject({ floatingCount: 0, witnessCount: chain.length + 1, forkCount: 0 })
    expect(turns.longestMs()).toBeLessThan(TURN_MAX_MS)
    await kernel.close()
  })

  test.each(WHOLE)(
    '%s holds 65,536, gives up the oldest of the greediest, and wakes as one cascade',
    { timeout: TIMEOUT_MS },
    async () => {
      const { kernel, genesis } = await createTestStore()
      const evicted = evictions(kernel)
      const [missing] = chainOf(10, { prev: genesis.id, length: 1, fromMs: 1 })
      if (missing === undefined) throw new RangeError('there is one')
      const chains: ParsedIntention[][] = []
      for (let author = 0; author < 8; author += 1) {
        const before = chains.at(-1)?.at(-1)?.id
        const prev = author === 0 ? missing.id : genesis.id
        const first = before === undefined ? {} : { deps: before }
        chains.push(chainOf(10 + author, { prev, ...first, length: PER_AUTHOR, fromMs: 2 + author }))
      }
      await ingestAll(kernel, chains.flat())
      expect(kernel.stats()).toMatchObject({ floatingCount: MAX_FLOATING, evictedCount: 0, witnessCount: 1 })
      const [strange, stranger] = chainOf(99, { prev: genesis.id, length: 2, fromMs: 5 })
      if (strange === undefined || stranger === undefined) throw new RangeError('there are two')
      await kernel.ingest([stranger], undefined)
      expect(kernel.stats()).toMatchObject({ floatingCount: MAX_FLOATING, evictedCount: 1 })
      const greedy = chains.findIndex(([first]) => first !== undefined && kernel.get(first.id) === undefined)
      expect(evicted).toEqual([{ kind: 'floating_evicted', author: signerOf(10 + greedy).publicKey, count: 1 }])
      await kernel.ingest([strange], undefined)
      await ingestAll(kernel, chains[greedy]?.slice(0, 2) ?? [])
      const turns = watchTurns()
      await kernel.ingest([missing], undefined)
      turns.stop()
      expect(kernel.stats()).toMatchObject({ floatingCount: 0, witnessCount: MAX_FLOATING + 4, forkCount: 0 })
      expect(turns.longestMs()).toBeLessThan(TURN_MAX_MS)
      await kernel.close()
    },
  )

  test('holds 64 MiB, an eighth of it by one author, whose oldest go first', { timeout: TIMEOUT_MS }, async () => {
    const { kernel, genesis } = await createTestStore()
    const evicted = evictions(kernel)
    const value = new Uint8Array(MAX_OPS_BYTES - 8)
    const op: KnownOp = { kind: 'appData', schema: 1, value }
    const each = 72
    const sent = Array.from({ length: 9 }, (_, author) =>
      Array.from({ length: each }, (__, n) =>
        write(signerOf(50 + author), { prev: genesis.id, at: at(1, n), op, close: false }),
      ),
    )
    for (const [index, batch] of sent.entries()) {
      await kernel.ingest(batch, undefined)
      const { floatingBytes } = kernel.stats()
      expect(floatingBytes).toBeLessThanOrEqual((MAX_BYTES / 8) * Math.min(8, index + 1))
    }
    const { floatingCount, floatingBytes, evictedCount } = kernel.stats()
    expect(floatingBytes).toBeGreaterThan(MAX_BYTES * 0.95)
    expect(floatingCount + evictedCount).toBe(9 * each)
    expect(evicted.reduce((sum, { count }) => sum + count, 0)).toBe(evictedCount)
    for (const batch of sent) {
      const kept = batch.map(({ id }) => kernel.get(id) !== undefined)
      // Of each author the newest, without a hole.
      expect(kept).toEqual(kept.toSorted((a, b) => Number(a) - Number(b)))
    }
    await kernel.close()
  })
})

describe('lists of causes at their limit', () => {
  test(
    'that arrive backwards cost what they hold, and name few of what is missing',
    { timeout: TIMEOUT_MS },
    async () => {
      const { kernel, genesis } = await createTestStore()
      const causes = chainOf(2, { prev: genesis.id, length: MAX_KERNEL_CAUSAL_DEPS, fromMs: 1 })
      const ack: KnownOp = { kind: 'ack', schema: 0, value: create(weaver.AckOpSchema) }
      const deps = causes.map(({ id }) => id)
      const acks = Array.from({ length: 64 }, (_, n) =>
        write(signerOf(100 + n), { prev: genesis.id, deps, at: at(9), op: ack }),
      )
      const outcomes = await kernel.ingest(acks, undefined)
      expect(outcomes[0]).toMatchObject({ kind: 'floating', reason: 'missing_causes' })
      const [first] = outcomes
      expect(first?.kind === 'floating' ? first.missing.length : 0).toBe(64)
      const turns = watchTurns()
      for (let end = causes.length; end > 0; end -= MAX_RUN_LENGTH) {
        await kernel.ingest(causes.slice(end - MAX_RUN_LENGTH, end), undefined)
      }
      expect(kernel.stats()).toMatchObject({ floatingCount: 0, witnessCount: 1 + causes.length + acks.length })
      expect(turns.longestMs()).toBeLessThan(LIST_TURN_MAX_MS)
      turns.stop()
      await kernel.close()
    },
  )
})

describe('a flood from the future', () => {
  test(
    'holds back its own, and costs neither the writes of others nor the passing of time much',
    { timeout: TIMEOUT_MS },
    async () => {
      const scheduler = createManualScheduler()
      scheduler.clock.setWallMs(at(0).wall)
      const { kernel, genesis } = await createTestStore({
        clock: scheduler.clock,
        scheduler: { ...scheduler, soon: turnScheduler.soon },
      })
      // Each due at a time of its own: a chain of one author may be far longer than what others may.
      const flood = Array.from({ length: FLOOD }, (_, n) =>
        write(signerOf(200 + (n % 4)), { prev: genesis.id, at: at(61_000 + n * 20, n) }),
      )
      await ingestAll(kernel, flood)
      expect(kernel.stats()).toMatchObject({ floatingCount: FLOOD, witnessCount: 1 })
      const started = process.threadCpuUsage()
      for (let n = 0; n < 50; n += 1) await kernel.submit(appOp('meanwhile'))
      expect(cpuMs(started) / 50).toBeLessThan(WRITE_MAX_MS)
      const due = process.threadCpuUsage()
      for (let n = 0; n < 50; n += 1) {
        const seen = kernel.waitFor(flood[n]?.id ?? genesis.id)
        scheduler.advance(n === 0 ? 1000 : 20)
        await seen
      }
      expect(cpuMs(due) / 50).toBeLessThan(WRITE_MAX_MS)
      await kernel.close()
    },
  )
})

function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(since)
  return (user + system) / 1000
}
