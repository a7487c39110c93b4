/** Who has to acknowledge an epoch goes before all know its word: nodes cut with the same beside it, or one begins anew. */
import { create } from '@bufbuild/protobuf'
import { type ParsedIntention, toHex } from '@lattice/model'
import { weaver } from '@lattice/proto'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel } from '../src/index.ts'
import { removeDirectories } from './harness.ts'
import { createPruneHistory, type PruneHistory, shuffled } from './prune-history.ts'
import { openPruning, until } from './prune-pair.ts'

afterEach(removeDirectories)

/** 0 made it, 1 goes, 2 stays; 3 is a reader, for whom nobody waits. */
const [MAKER, GOES, STAYS, READER] = [0, 1, 2, 3] as const

interface Scene {
  readonly history: PruneHistory
  readonly epoch: ParsedIntention
  /** By the reader, beside the epoch. */
  readonly beside: readonly ParsedIntention[]
  readonly root: Uint8Array
  /** Has the epoch, and what comes with it, but nobody's word. */
  readonly open: () => Promise<Kernel>
}

async function take(kernel: Kernel, history: PruneHistory, what: readonly ParsedIntention[]): Promise<void> {
  await kernel.ingest(shuffled(history, what), undefined)
}

async function createScene(seed: number): Promise<Scene> {
  const history = createPruneHistory(seed, { isLastReader: true })
  history.writes(16, history.active())
  const epoch = history.prune(MAKER)
  const start = [...history.all]
  const beside = history.writes(2, [READER])
  const kernels: Kernel[] = []
  const open = async (): Promise<Kernel> => {
    const { kernel } = await openPruning(history)
    const made = until(kernel, (event) => event.kind === 'snapshot_made' && toHex(event.epoch) === toHex(epoch.id))
    await take(kernel, history, start)
    await made
    kernels.push(kernel)
    return kernel
  }
  const first = await open()
  const { candidate, settled } = first.snapshot()
  const root = candidate?.root ?? settled?.root ?? new Uint8Array()
  return {
    history,
    epoch,
    beside,
    root,
    open: async () => (kernels.length === 1 ? (kernels.push(first), first) : open()),
  }
}

function idsOf(kernel: Kernel): readonly string[] {
  const index = kernel.rangeIndex()
  return [...index.items(0, index.size())].map(({ id }) => toHex(id)).sort()
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await new Promise<void>((resolve) => void setImmediate(resolve))
}

/** Something that has all in its past that who stays has seen. */
function partingOf(history: PruneHistory): ParsedIntention {
  return history.epoch(STAYS, { case: 'initial', value: create(weaver.InitialCauseSchema) }, [history.creator])
}

const isCut = (kernel: Kernel): boolean => kernel.base() !== undefined

describe('where one who has acknowledged is removed by who does not know its word', () => {
  test('who cut by its word, and who comes later, have the same', async () => {
    for (const seed of [3, 11, 12]) {
      const { history, beside, root, epoch, open } = await createScene(seed)
      const [early, late] = [await open(), await open()]
      const others = [history.ack(MAKER, epoch, root), history.ack(STAYS, epoch, root)]
      const gone = history.remove(MAKER, GOES)
      const word = [...beside, history.ack(GOES, epoch, root, beside)]
      // One has all that have to acknowledge; the other knows that one of them is out.
      const cut = until(early, ({ kind }) => kind === 'pruned')
      await take(early, history, [...others, ...word])
      await cut
      await take(late, history, [...others, gone])
      await turns()
      expect([isCut(late), late.pruning()]).toMatchObject([false, { state: 'waiting', waitsFor: 'settlement' }])
      expect(late.over(epoch.id)).toBeDefined()
      // Who stays has cut like the first, and sees now who is out.
      history.sees(STAYS, [...word, gone])
      const parting = [partingOf(history)]
      const cutLate = until(late, ({ kind }) => kind === 'pruned')
      await take(late, history, [...word, ...parting])
      await cutLate
      await take(early, history, [gone, ...parting])
      await turns()
      expect(idsOf(late)).toEqual(idsOf(early))
      for (const { id } of beside) expect([early.has(id), late.has(id)]).toEqual([true, true])
      expect(late.digest()).toEqual(early.digest())
      expect(toHex(await late.stateDigest())).toBe(toHex(await early.stateDigest()))
      for (const kernel of [early, late]) await kernel.close()
    }
  })

  test('its word does not count where all had seen it go before', async () => {
    const { history, beside, root, epoch, open } = await createScene(5)
    const kernel = await open()
    const others = [history.ack(MAKER, epoch, root), history.ack(STAYS, epoch, root)]
    const gone = history.remove(MAKER, GOES)
    history.sees(STAYS, [gone])
    const parting = [partingOf(history)]
    const word = [...beside, history.ack(GOES, epoch, root, beside)]
    const cut = until(kernel, ({ kind }) => kind === 'pruned')
    await take(kernel, history, [...others, gone, ...parting])
    await cut
    await kernel.close()
    // Who has the writes beside waits for another cut, and would begin anew where it asks one who has cut.
    const other = await open()
    await take(other, history, [...others, gone, ...parting, ...word])
    await turns()
    expect(other.pruning()).toMatchObject({ state: 'waiting', waitsFor: 'beside' })
    expect(other.over(epoch.id)).toBeUndefined()
    await other.close()
  })
})
