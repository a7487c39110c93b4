/** The log is looked at in the background, a little at a time, and damage is told as soon as it is met. */
import type { Scheduler } from '@lattice/model'
import { afterEach, describe, expect, test } from 'vitest'
import type { KernelEvent, KernelOptions } from '../src/index.ts'
import { changeRecord, changeTable, createFilledStore, FIELDS, RECORDS } from './damage.ts'
import { openTestKernel, removeDirectories, turnScheduler } from './harness.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

const DAY_MS = 86_400_000

interface Timers extends Scheduler {
  readonly pending: () => readonly number[]
  /** Runs the next one; false when there is none. */
  readonly fire: () => boolean
}

function createTimers(): Timers {
  const waiting: { readonly delayMs: number; readonly task: () => void }[] = []
  return {
    soon: turnScheduler.soon,
    after: (delayMs, task) => {
      const timer = { delayMs, task }
      waiting.push(timer)
      return () => void waiting.splice(waiting.indexOf(timer), waiting.includes(timer) ? 1 : 0)
    },
    pending: () => waiting.map(({ delayMs }) => delayMs),
    fire: () => {
      const timer = waiting.shift()
      timer?.task()
      return timer !== undefined
    },
  }
}

async function openScrubbed(options: KernelOptions, passMs = DAY_MS) {
  const scheduler = createTimers()
  const { kernel } = await openTestKernel({ ...options, scheduler, scrub: { passMs } })
  const failures: Extract<KernelEvent, { kind: 'failed' }>[] = []
  kernel.onEvent((event) => event.kind === 'failed' && failures.push(event))
  return { kernel, scheduler, failures }
}

describe('the scrub', () => {
  test('of a sound log goes round without a word, and ends with the store', async () => {
    const { options } = await createFilledStore()
    const { kernel, scheduler, failures } = await openScrubbed(options)
    for (let turn = 0; turn < 20; turn += 1) expect(scheduler.fire()).toBe(true)
    await kernel.submit(appOp('set more v'))
    for (let turn = 0; turn < 20; turn += 1) expect(scheduler.fire()).toBe(true)
    expect(failures).toEqual([])
    await kernel.close()
    expect(scheduler.pending()).toEqual([])
  })

  test('tells how much was read, and when the last whole pass ended', async () => {
    const { options } = await createFilledStore()
    const { kernel, scheduler } = await openScrubbed(options)
    expect(kernel.scrubbed()).toEqual({ checked: 0, passEndedMs: undefined })
    const { witnessCount } = kernel.stats()
    for (let turns = 0; (kernel.scrubbed()?.checked ?? 0) < witnessCount; turns += 1) {
      expect(kernel.scrubbed()?.passEndedMs).toBeUndefined()
      expect(turns).toBeLessThan(1000)
      scheduler.fire()
    }
    expect(kernel.scrubbed()?.passEndedMs).toBe(options.clock.wallMs())
    await kernel.close()
    const { kernel: unread } = await openTestKernel(options)
    expect(unread.scrubbed()).toBeUndefined()
    await unread.close()
  })

  test('takes about a pass for all, in turns neither frequent nor far apart', async () => {
    const { options } = await createFilledStore()
    const day = await openScrubbed(options)
    expect(day.scheduler.pending()).toContain(600_000)
    await day.kernel.close()
    const short = await openScrubbed(options, 1000)
    expect(short.scheduler.pending()).toContain(1000)
    await short.kernel.close()
  })

  test.each([
    ['the signature of its author', FIELDS.signature],
    ['the signature of its witness', FIELDS.witnessSignature],
    ['its chain hash', FIELDS.chainHash],
    ['its intention', FIELDS.intention + 40],
  ])('finds a record of which %s changed, once', async (_, offset) => {
    const { options, directory } = await createFilledStore({ writes: 80 })
    changeRecord(directory, 9, (record) => {
      record[offset] = (record[offset] ?? 0) ^ 1
      return record
    })
    const { kernel, scheduler, failures } = await openScrubbed(options)
    // Many passes: one that finds nothing would go on for ever.
    for (let turn = 0; turn < 4000; turn += 1) scheduler.fire()
    expect(failures).toMatchObject([
      { error: { code: 'LOG_DAMAGED', detail: { record: expect.stringMatching(/witness (9|10)/u) } } },
    ])
    // What can be read can still be read, until whoever owns the store closes it.
    expect(kernel.scanWitness(20, 5)).toHaveLength(5)
    await kernel.close()
  })

  test('finds an id that leads nowhere, before the intention would be taken in twice', async () => {
    const { options, directory } = await createFilledStore()
    changeTable(directory, `DELETE FROM ids WHERE seq = ${RECORDS - 4}`)
    const { kernel, scheduler, failures } = await openScrubbed(options)
    // Many passes: one that finds nothing would go on for ever.
    for (let turn = 0; turn < 4000; turn += 1) scheduler.fire()
    expect(failures).toMatchObject([{ error: { code: 'LOG_DAMAGED' } }])
    await kernel.close()
  })

  test('is not there unless asked for', async () => {
    const { options } = await createFilledStore()
    const scheduler = createTimers()
    const { kernel } = await openTestKernel({ ...options, scheduler })
    expect(scheduler.pending()).not.toContain(600_000)
    await kernel.close()
  })
})
