/** A removal that takes very much: the set follows in turns, and comes to the same however that ends. */
import { cpSync } from 'node:fs'
import { idKey, type ParsedIntention } from '@lattice/model'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel, KernelEvent } from '../src/index.ts'
import { createHistory, keyOf, openCut } from './cutoff-history.ts'
import { removeDirectories, signerOf, temporaryDirectory } from './harness.ts'
import { admitOp } from './membership-model.ts'

afterEach(removeDirectories)

const WRITES = 1000

const range = (kernel: Kernel): number => kernel.rangeIndex().size()

/** A store of whose records a removal takes a thousand, and one that void that removal gives back. */
function createStory() {
  const history = createHistory()
  const mine = history.write(1, 'set mine 1')
  const many = Array.from({ length: WRITES }, (_, n) => history.write(3, `set many${n} 1`))
  const before = [...history.all]
  const removal = history.remove(2, 3, history.start)
  const after = [history.write(4, 'set more 1'), history.write(5, 'set most 1')]
  const voided = history.remove(1, 2, [mine])
  return { ...history, before, many, removal, after, voided }
}

async function openStory({ storeId, before }: ReturnType<typeof createStory>, directory = temporaryDirectory()) {
  const opened = await openCut({ storeId, signer: signerOf(9), directory })
  await opened.kernel.ingest(before, undefined)
  return { ...opened, directory }
}

/** Every turn of the event loop moves a part. */
async function moved(kernel: Kernel): Promise<void> {
  while (range(kernel) !== kernel.digest().witnessCount) await new Promise((resolve) => setImmediate(resolve))
}

async function comesToTheSame(kernel: Kernel, storeId: Kernel['storeId'], all: readonly ParsedIntention[]) {
  const { kernel: other } = await openCut({ storeId })
  await other.ingest(all, undefined)
  for (const each of [kernel, other]) await moved(each)
  expect(kernel.digest()).toEqual(other.digest())
  expect(kernel.frontier()).toEqual(other.frontier())
  expect(await kernel.stateDigest()).toEqual(await other.stateDigest())
  expect(await kernel.verify({ full: true })).toMatchObject({ outcome: 'sound' })
  await other.close()
}

describe('a removal that takes very much', () => {
  test('counts at once, and its set follows while others write', async () => {
    const story = createStory()
    const { kernel } = await openStory(story)
    const full = range(kernel)
    await kernel.ingest([story.removal], undefined)
    const { witnessCount } = kernel.digest()
    expect(witnessCount).toBe(full + 1 - WRITES)
    expect(kernel.tipOf(keyOf(3))).not.toEqual(story.many.at(-1)?.id)
    expect(range(kernel)).toBeGreaterThan(witnessCount)
    for (const one of story.after) await kernel.ingest([one], undefined)
    await comesToTheSame(kernel, story.storeId, [...story.before, story.removal, ...story.after])
    expect(range(kernel)).toBe(witnessCount + 2)
    await kernel.close()
  })

  test('is voided while its set still follows', async () => {
    const story = createStory()
    const { kernel } = await openStory(story)
    await kernel.ingest([story.removal], undefined)
    expect(range(kernel)).toBeGreaterThan(kernel.digest().witnessCount)
    await kernel.ingest([story.voided], undefined)
    await comesToTheSame(kernel, story.storeId, [...story.before, story.removal, story.voided])
    const authors = kernel.excluded(10).map(({ author }) => idKey(author))
    expect(authors).not.toContain(idKey(keyOf(3)))
    await kernel.close()
  })

  test.each([
    ['is closed', async (kernel: Kernel) => kernel.close()],
    ['crashes', async () => undefined],
  ])('comes to the same when the store %s meanwhile', async (_, end) => {
    const story = createStory()
    const { kernel, directory } = await openStory(story)
    await kernel.ingest([story.removal], undefined)
    expect(range(kernel)).toBeGreaterThan(kernel.digest().witnessCount)
    await end(kernel)
    const copied = temporaryDirectory()
    cpSync(directory, copied, { recursive: true })
    const again = await openCut({ storeId: story.storeId, signer: signerOf(9), directory: copied })
    await comesToTheSame(again.kernel, story.storeId, [...story.before, story.removal])
    await again.kernel.close()
    await kernel.close()
  })
})

describe('a demotion that concerns very much', () => {
  /** Turns of the event loop until the removal counts, and what was told meanwhile. */
  async function demote(isPrivileged: boolean) {
    const history = createHistory()
    for (let n = 0; n < WRITES; n += 1) history.write(2, `set many${n} 1`)
    if (isPrivileged) history.write(2, admitOp(keyOf(8), 'writer'))
    const { kernel } = await openCut({ storeId: history.storeId, signer: signerOf(9) })
    await kernel.ingest(history.all, undefined)
    const events: KernelEvent[] = []
    kernel.onEvent((event) => events.push(event))
    const demotion = history.remove(1, 2, history.start, { remains: 'writer' })
    let turns = 0
    let isOver = false
    const counting = (async () => {
      for (; !isOver; turns += 1) await new Promise((resolve) => setImmediate(resolve))
    })()
    await kernel.ingest([demotion], undefined)
    isOver = true
    await counting
    const next = history.write(2, 'set next 1', [demotion])
    await kernel.ingest([next], undefined)
    const kinds = events.map(({ kind }) => kind)
    await comesToTheSame(kernel, history.storeId, history.all)
    await kernel.close()
    return { turns, kinds }
  }

  test('leaves state as it is where there is nothing privileged, which is looked for in turns', async () => {
    const { turns, kinds } = await demote(false)
    expect(kinds).not.toContain('rebuilt')
    expect(turns).toBeGreaterThan(WRITES / 100)
  })

  test('has state made anew where there is something', async () => {
    const { kinds } = await demote(true)
    expect(kinds).toContain('rebuilt')
  })
})
