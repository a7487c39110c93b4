/** Every crash that could have happened in the life of a store, opened with the real kernel. */
import { createSeededRandom } from '@lattice/model/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { removeDirectories } from '../harness.ts'
import { createImageChecker, type ImageChecker } from './check-image.ts'
import { largeHistory, recordHistory, type RecordedHistory, SMALL_HISTORY } from './crash-history.ts'
import type { DiskOp, DiskTrace } from './disk-trace.ts'
import { type CrashImage, killImages, powerCutImages } from './crash-images.ts'

/** Images per test at most; `LATTICE_CRASH_IMAGES` asks for more, `LATTICE_CRASH_SEED` for others. */
const IMAGES = Number(process.env['LATTICE_CRASH_IMAGES'] ?? 800)
const SEED = Number(process.env['LATTICE_CRASH_SEED'] ?? 1)
/** Of a long life: each takes ten times as long to look at. */
const LARGE_IMAGES: number = Math.ceil(IMAGES / 32)
/** One in so many also lives on twice. */
const THOROUGH_EVERY = 16
const TIMEOUT_MS = 30_000 + IMAGES * 60

async function checkAll(checker: ImageChecker, images: Iterable<CrashImage>): Promise<number> {
  const failures: string[] = []
  let count = 0
  for (const image of images) {
    count += 1
    const problem = await checker.check(image, count % THOROUGH_EVERY === 0)
    if (problem !== undefined) failures.push(`${image.name}: ${problem}`)
    if (failures.length >= 5) break
  }
  expect(failures).toEqual([])
  return count
}

/** At most `limit` of them, spread over all. */
function* spread<T>(items: () => Iterable<T>, limit: number): IterableIterator<T> {
  let total = 0
  for (const _ of items()) total += 1
  const random = createSeededRandom(SEED)
  let left = Math.min(limit, total)
  for (const item of items()) {
    if (random.below(total) < left) {
      left -= 1
      yield item
    }
    total -= 1
  }
}

/** Some of the crashes while an image is opened. */
function* inOpening(crash: CrashImage, opening: DiskTrace): IterableIterator<CrashImage> {
  for (const image of spread(() => killImages(opening), 6)) {
    yield { ...image, name: `${crash.name}, ${image.name}`, promised: crash.promised }
  }
}

describe.each([
  { life: 'a short life', steps: SMALL_HISTORY, limit: IMAGES, every: () => 1, samples: 4 },
  {
    life: 'a life with checkpoints',
    steps: largeHistory({ runs: 26, runLength: 100, blob: 100_000 }),
    limit: LARGE_IMAGES,
    // Where state is folded into its file more often: those are few.
    every: (op: DiskOp) => (op.file === 'state.db' ? 40 : 1500),
    samples: 2,
  },
])('$life', ({ steps, limit, every, samples }) => {
  let history: RecordedHistory
  let checker: ImageChecker

  beforeAll(async () => {
    history = await recordHistory(steps)
    checker = createImageChecker(history)
  }, TIMEOUT_MS)
  afterAll(() => {
    checker.dispose()
    removeDirectories()
  })

  test('killed after any write: opens with all that was promised, as one chain', { timeout: TIMEOUT_MS }, async () => {
    const count = await checkAll(
      checker,
      spread(() => killImages(history.trace), limit),
    )
    expect(count).toBeGreaterThanOrEqual(Math.min(limit, history.trace.ops.length / 2))
  })

  test('power cut with any unsynced sectors lost: so too', { timeout: TIMEOUT_MS }, async () => {
    const cuts = (): Iterable<CrashImage> =>
      powerCutImages(history.trace, { random: createSeededRandom(SEED), samples, every })
    const count = await checkAll(checker, spread(cuts, Math.ceil(limit / 2)))
    expect(count).toBeGreaterThanOrEqual(Math.min(limit / 2, 6))
  })

  test('killed again while it opens after a crash: so too', { timeout: TIMEOUT_MS }, async () => {
    const crashes = (): Iterable<CrashImage> => killImages(history.trace)
    let count = 0
    for (const crash of spread(crashes, Math.ceil(limit / 25))) {
      const opening = await checker.recordOpening(crash)
      count += await checkAll(checker, inOpening(crash, opening))
    }
    expect(count).toBeGreaterThan(0)
  })
})
