/**
 * Random histories of several authors, with runs, forks and cross references, made without a kernel.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { compareHlc, type Hlc, type IntentionId, type KnownOp, type ParsedIntention, sortDeps } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { weaver } from '@lattice/proto'
import { at, genesisOf, signerOf, write } from './harness.ts'
import { appOp } from './tracking-projector.ts'

export interface RandomDag {
  readonly genesis: ParsedIntention
  /** In a causal order, the genesis first. */
  readonly intentions: readonly ParsedIntention[]
}

/** An ack, as a payload. */
export const ACK: KnownOp = { kind: 'ack', schema: 0, value: create(weaver.AckOpSchema) }

interface Made {
  readonly parsed: ParsedIntention
  readonly timestamp: Hlc
}

export interface RandomDagOptions {
  readonly seed: number
  readonly authors: number
  readonly runs: number
  readonly forks?: boolean
  /** Some are acks. */
  readonly acks?: boolean
}

export function createRandomDag({ seed, authors, runs, forks = true, acks = false }: RandomDagOptions): RandomDag {
  const random = createSeededRandom(seed)
  const genesis = genesisOf(signerOf(1))
  const made: Made[] = [{ parsed: genesis, timestamp: at(0) }]
  // Closed ends of each author's chain that a next run may go on from.
  const ends: Made[][] = Array.from({ length: authors }, () => [{ parsed: genesis, timestamp: at(0) }])

  function makeRun(author: number): void {
    const own = ends[author] ?? []
    const isFork = forks && random.below(8) === 0
    let prev = own[isFork ? random.below(own.length) : own.length - 1]
    const length = 1 + random.below(4)
    for (let index = 0; index < length && prev !== undefined; index += 1) {
      const deps: IntentionId[] = [prev.parsed.id]
      let newest = prev.timestamp
      for (let count = random.below(3); count > 0; count -= 1) {
        // Only closed intentions are seen by others; `made` holds whole runs.
        const seen = made[random.below(made.length)]
        if (seen === undefined) continue
        deps.push(seen.parsed.id)
        if (compareHlc(seen.timestamp, newest) > 0) newest = seen.timestamp
      }
      const timestamp: Hlc = { wall: newest.wall, counter: newest.counter + 1 + random.below(3) }
      const word = ['set', 'set', 'reject', 'count'][random.below(4)] ?? 'set'
      const app = appOp(`${word} k${random.below(5)} v${random.below(100)}`)
      const op = acks && random.below(3) > 0 ? ACK : app
      const close = index === length - 1
      const parsed = write(signerOf(author + 1), {
        prev: prev.parsed.id,
        deps: sortDeps(deps),
        at: timestamp,
        op,
        close,
      })
      prev = { parsed, timestamp }
      run.push(prev)
    }
    const last = run.at(-1)
    if (last !== undefined) own.push(last)
    made.push(...run.splice(0))
  }

  const run: Made[] = []
  for (let count = 0; count < runs; count += 1) makeRun(random.below(authors))
  return { genesis, intentions: made.map(({ parsed }) => parsed) }
}

/** The same items in an order of chance, some of them twice. */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = createSeededRandom(seed)
  const all = [...items, ...items.filter(() => random.below(6) === 0)]
  for (let index = all.length - 1; index > 0; index -= 1) {
    const other = random.below(index + 1)
    const [a, b] = [all[index], all[other]]
    if (a === undefined || b === undefined) continue
    all[index] = b
    all[other] = a
  }
  return all
}
