/** What a kernel acknowledges, when, and that it then falls silent. */
import { genesisStoreId, type ParsedIntention, toHex } from '@lattice/model'
import { createSeededRandom, type ManualScheduler } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { ACK_DELAY_MS, ACK_DEPS_MAX, ACK_RETRY_MS } from '../src/acknowledger.ts'
import type { Kernel, KernelOptions } from '../src/index.ts'
import { at, genesisOf, removeDirectories, signerOf, type TestKernel, write } from './harness.ts'
import { ACK } from './random-dag.ts'
import { done, openIn, timeline } from './timeline.ts'
import { appOp, trackingAuthority } from './tracking-projector.ts'

afterEach(removeDirectories)

const genesis = genesisOf(signerOf(1))
const storeId = genesisStoreId(genesis)

async function openAt(
  scheduler: ManualScheduler,
  number: number,
  options: Partial<KernelOptions> = {},
): Promise<TestKernel> {
  return openIn(scheduler, { storeId, genesis, signer: signerOf(number), ...options })
}

function acksOf(kernel: Kernel, number?: number): readonly ParsedIntention[] {
  const author = number === undefined ? undefined : toHex(signerOf(number).publicKey)
  return kernel
    .scanWitness(1, 4096)
    .map(({ parsed }) => parsed)
    .filter(({ op, intention }) => op.kind === 'ack' && (author === undefined || toHex(intention.author) === author))
}

describe('an ack', () => {
  test('is made some seconds after the first arrival, cites what nothing cites, and is signed', async () => {
    const scheduler = timeline()
    const { kernel } = await openAt(scheduler, 2)
    const one = write(signerOf(1), { prev: genesis.id, at: at(1) })
    const two = write(signerOf(1), { prev: one.id, at: at(2) })
    const three = write(signerOf(3), { prev: genesis.id, deps: [genesis.id], at: at(3) })
    await done(scheduler, kernel.ingest([one, two], undefined))
    await scheduler.advanceAsync(ACK_DELAY_MS - 1000)
    // What comes later does not put it off.
    await done(scheduler, kernel.ingest([three], undefined))
    expect(acksOf(kernel)).toEqual([])
    await scheduler.advanceAsync(1000)
    const [ack, ...more] = acksOf(kernel)
    expect(more).toEqual([])
    expect(ack?.intention.causalDeps.map(toHex)).toEqual([two.id, three.id].map(toHex).toSorted())
    expect(ack?.signature.length).toBe(64)
    expect(kernel.lag(signerOf(2).publicKey).unseen).toBe(0)
    await done(scheduler, kernel.close())
  })

  test('is not made for acks, nor where an own write cites all already, and what it covers is covered by the next', async () => {
    const scheduler = timeline()
    const { kernel } = await openAt(scheduler, 2)
    await scheduler.advanceAsync(ACK_DELAY_MS)
    const before = acksOf(kernel).length
    const his = write(signerOf(1), { prev: genesis.id, at: at(1) })
    await done(scheduler, kernel.ingest([his], undefined))
    await done(scheduler, kernel.submit(appOp('x'), { deps: () => [his.id] }))
    await scheduler.advanceAsync(ACK_DELAY_MS)
    expect(acksOf(kernel)).toHaveLength(before)
    const ack = write(signerOf(1), { prev: his.id, at: at(4), op: ACK })
    await done(scheduler, kernel.ingest([ack], undefined))
    await scheduler.advanceAsync(100 * ACK_DELAY_MS)
    expect(acksOf(kernel, 2)).toHaveLength(before)
    expect(await done(scheduler, kernel.emitAck())).toBeUndefined()
    const other = write(signerOf(3), { prev: genesis.id, at: at(5) })
    await done(scheduler, kernel.ingest([other], undefined))
    const id = await done(scheduler, kernel.emitAck())
    const made = id && kernel.get(id)?.parsed.intention.causalDeps.map(toHex)
    expect(made).toEqual([ack.id, other.id].map(toHex).toSorted())
    expect(await done(scheduler, kernel.emitAck())).toBeUndefined()
    await done(scheduler, kernel.close())
  })

  test('that is due while the store is held is made once it is not, with nothing else happening', async () => {
    const scheduler = timeline()
    let held: string | undefined = 'its chain is not known yet'
    const { kernel } = await openAt(scheduler, 2, { holdWrites: () => held })
    await done(scheduler, kernel.ingest([write(signerOf(1), { prev: genesis.id, at: at(1) })], undefined))
    await scheduler.advanceAsync(10 * ACK_RETRY_MS)
    expect(acksOf(kernel)).toEqual([])
    held = undefined
    await scheduler.advanceAsync(ACK_RETRY_MS)
    expect(acksOf(kernel)).toHaveLength(1)
    await done(scheduler, kernel.close())
  })

  test('that was due when the node ended is made after it opens again', async () => {
    const scheduler = timeline()
    const { kernel, options } = await openAt(scheduler, 2)
    await done(scheduler, kernel.ingest([write(signerOf(1), { prev: genesis.id, at: at(1) })], undefined))
    await scheduler.advanceAsync(ACK_DELAY_MS - 1)
    await done(scheduler, kernel.close())
    await scheduler.advanceAsync(10 * ACK_DELAY_MS)
    const { kernel: again } = await openAt(scheduler, 2, options)
    expect(acksOf(again)).toEqual([])
    await scheduler.advanceAsync(ACK_DELAY_MS)
    expect(acksOf(again)).toHaveLength(1)
    await done(scheduler, again.close())
    const { kernel: last } = await openAt(scheduler, 2, options)
    await scheduler.advanceAsync(ACK_DELAY_MS)
    expect(acksOf(last)).toHaveLength(1)
    await done(scheduler, last.close())
    expect(scheduler.pending()).toBe(0)
  })

  test('is made by whoever is admitted, once it is, and by nobody while the projection is stalled', async () => {
    const scheduler = timeline()
    const { kernel, projector } = await openAt(scheduler, 2, { authority: trackingAuthority })
    const one = write(signerOf(1), { prev: genesis.id, at: at(1) })
    await done(scheduler, kernel.ingest([one], undefined))
    await scheduler.advanceAsync(ACK_DELAY_MS)
    expect(acksOf(kernel)).toEqual([])
    await expect(done(scheduler, kernel.emitAck())).rejects.toMatchObject({ code: 'NOT_ADMITTED' })
    projector.faults.throwing = true
    const admit = appOp(`admit ${toHex(signerOf(2).publicKey)}`)
    const two = write(signerOf(1), { prev: one.id, at: at(2), op: admit })
    const three = write(signerOf(1), { prev: two.id, at: at(3), op: appOp('throw') })
    await done(scheduler, kernel.ingest([two, three], undefined))
    await scheduler.advanceAsync(ACK_DELAY_MS)
    expect(acksOf(kernel)).toEqual([])
    projector.faults.throwing = false
    await done(scheduler, kernel.retry())
    await scheduler.advanceAsync(ACK_DELAY_MS)
    expect(acksOf(kernel)).toHaveLength(1)
    await done(scheduler, kernel.close())
  })

  test('that fails is told to the log and tried again', async () => {
    const scheduler = timeline()
    const warnings: string[] = []
    let isAhead = true
    const { kernel } = await openAt(scheduler, 2, {
      peerTime: () => (isAhead ? { medianMs: at(-86_400_000).wall, count: 1 } : undefined),
      logger: { debug: () => {}, info: () => {}, warn: (event) => void warnings.push(event), error: () => {} },
    })
    await scheduler.advanceAsync(ACK_DELAY_MS)
    expect([warnings, acksOf(kernel).length]).toEqual([['acknowledging failed'], 0])
    isAhead = false
    await scheduler.advanceAsync(ACK_RETRY_MS)
    expect([warnings.length, acksOf(kernel).length]).toEqual([1, 1])
    await done(scheduler, kernel.close())
  })

  test('is signed wherever it stands in its group', async () => {
    const scheduler = timeline()
    const { kernel } = await openAt(scheduler, 2, { ackDelayMs: Infinity })
    const both = Promise.all([kernel.emitAck(), kernel.submit(appOp('after it'))])
    const [ack, after] = await done(scheduler, both)
    const [first, second] = [ack, after].map((id) => id && kernel.get(id)?.parsed)
    expect([first?.op.kind, first?.signature.length]).toEqual(['ack', 64])
    expect(second?.intention.storePrev).toEqual(ack)
    await done(scheduler, kernel.close())
  })

  test('is several where one cannot hold all', async () => {
    const scheduler = timeline()
    const { kernel } = await openAt(scheduler, 2, { ackDelayMs: Infinity })
    const count = ACK_DEPS_MAX + 10
    // One author whose chain forks at its beginning, as often as it takes.
    const tips = Array.from({ length: count }, (_, n) => write(signerOf(3), { prev: genesis.id, at: at(1, n) }))
    await done(scheduler, kernel.ingest(tips, undefined))
    expect(kernel.frontier().length).toBe(count)
    await done(scheduler, kernel.emitAck())
    const acks = acksOf(kernel)
    expect(acks.map(({ intention }) => intention.causalDeps.length)).toEqual([ACK_DEPS_MAX, 10])
    expect(kernel.frontier().length).toBe(1)
    expect(kernel.lag(signerOf(2).publicKey).unseen).toBe(0)
    await done(scheduler, kernel.close())
  })
})

describe('nodes that exchange all they witness', () => {
  test('fall silent: each acknowledges once more after the last write, and nothing follows', async () => {
    const meshes = fc.record({
      seed: fc.integer({ min: 1, max: 1_000_000 }),
      nodes: fc.integer({ min: 2, max: 4 }),
      writes: fc.integer({ min: 0, max: 12 }),
    })
    await fc.assert(
      fc.asyncProperty(meshes, async ({ seed, nodes, writes }) => {
        const scheduler = timeline()
        const random = createSeededRandom(seed)
        const numbers = Array.from({ length: nodes }, (_, index) => index + 1)
        const kernels: Kernel[] = []
        for (const number of numbers) kernels.push((await openAt(scheduler, number)).kernel)
        for (const [index, kernel] of kernels.entries()) {
          kernel.onWitnessed(({ intentions, source }) => {
            if (source !== undefined) return
            for (const [other, target] of kernels.entries()) {
              if (other === index) continue
              scheduler.after(random.below(20_000), () => {
                target.ingest([...intentions], signerOf(index + 1).publicKey).catch(() => {})
              })
            }
          })
        }
        for (let n = 0; n < writes; n += 1) {
          const kernel = kernels[random.below(nodes)]
          if (kernel !== undefined) await done(scheduler, kernel.submit(appOp(`w ${n}`)))
          await scheduler.advanceAsync(random.below(12_000))
        }
        const countAcks = (): number => Math.max(...kernels.map((kernel) => acksOf(kernel).length))
        const before = countAcks()
        await scheduler.advanceAsync(120_000)
        const after = countAcks()
        // The writes that were still under way may arrive in several delays of the ack.
        expect(after - before).toBeLessThanOrEqual(nodes * (1 + Math.ceil(20_000 / ACK_DELAY_MS)))
        await scheduler.advanceAsync(3_600_000)
        expect(countAcks()).toBe(after)
        expect(scheduler.pending()).toBe(0)
        const [first] = kernels
        for (const kernel of kernels) {
          expect(kernel.digest()).toEqual(first?.digest())
          for (const number of numbers) expect(kernel.lag(signerOf(number).publicKey).unseen).toBe(0)
          const { stability } = kernel.observations(numbers.map((number) => signerOf(number).publicKey))
          expect(stability.count).toBeGreaterThanOrEqual(1 + writes)
        }
        for (const kernel of kernels) await done(scheduler, kernel.close())
      }),
      { numRuns: 8 },
    )
  })
})
