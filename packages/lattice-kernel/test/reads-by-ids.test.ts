/** Intentions by their ids: however they are asked for, they come in the order of the log, with what closes their runs. */
import { type IntentionId, isSigned, type ParsedIntention, toHex } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel } from '../src/index.ts'
import { at, createTestStore, removeDirectories, signerOf, write } from './harness.ts'

afterEach(removeDirectories)

const RUNS = [1, 1, 5, 80, 1, 200, 3, 1, 1, 90]

/** A log of runs of these lengths, by two authors in turn. */
async function createLog(): Promise<Kernel> {
  const { kernel, genesis } = await createTestStore()
  const tips = [genesis.id, genesis.id]
  const made: ParsedIntention[] = []
  for (const [run, length] of RUNS.entries()) {
    for (let index = 0; index < length; index += 1) {
      const author = run % 2
      const intention = write(signerOf(2 + author), {
        prev: tips[author] ?? genesis.id,
        at: at(1 + made.length),
        close: index === length - 1,
      })
      tips[author] = intention.id
      made.push(intention)
    }
  }
  await kernel.ingest(made, undefined)
  return kernel
}

/** What has to come, from the log alone: what was asked for and what follows it in its run. */
function expectedOf(log: readonly ParsedIntention[], ids: readonly IntentionId[]): readonly string[] {
  const asked = new Set(ids.map(toHex))
  const expected: string[] = []
  let isInside = false
  for (const intention of log) {
    const hex = toHex(intention.id)
    if (asked.has(hex)) isInside = true
    if (isInside) expected.push(hex)
    if (isSigned(intention)) isInside = false
  }
  return expected
}

function readAll(kernel: Kernel, ids: readonly IntentionId[], maxBytes: number): readonly string[] {
  const read: string[] = []
  const byBytes = new Map(kernel.scanWitness(1, 1000).map(({ parsed }) => [toHex(parsed.bytes), toHex(parsed.id)]))
  for (let left = ids; left.length > 0;) {
    const { intentions, rest } = kernel.read(left, maxBytes)
    read.push(...intentions.map(({ bytes }) => byBytes.get(toHex(bytes)) ?? 'unknown'))
    expect(rest.length).toBeLessThan(left.length)
    left = rest
  }
  return read
}

describe('intentions read by their ids', () => {
  test('are what was asked for and what closes it, in the order of the log, also in parts', async () => {
    const kernel = await createLog()
    const log = kernel.scanWitness(1, 1000).map(({ parsed }) => parsed)
    const random = createSeededRandom('reads')
    const draw = (below: number): number => (random.bytes(2)[0] ?? 0) % below
    const orders: readonly (readonly IntentionId[])[] = [
      log.map(({ id }) => id),
      log.map(({ id }) => id).reverse(),
      ...[2, 7, 40].map((oneIn) => log.filter(() => draw(oneIn) === 0).map(({ id }) => id)),
      log.slice(10, 12).map(({ id }) => id),
    ]
    for (const ids of orders) {
      for (const maxBytes of [1, 4_000, 1e9]) expect(readAll(kernel, ids, maxBytes)).toEqual(expectedOf(log, ids))
    }
    await kernel.close()
  })

  test('leave out what is not here', async () => {
    const kernel = await createLog()
    const { id: foreign } = write(signerOf(9), {
      prev: kernel.scanWitness(1, 1)[0]?.parsed.id ?? kernel.storeId,
      at: at(1),
    })
    const known = kernel.scanWitness(5, 1).map(({ parsed }) => parsed.id)
    expect(kernel.read([foreign, ...known, foreign], 1e9)).toMatchObject({ intentions: { length: 4 }, rest: [] })
    await kernel.close()
  })
})
