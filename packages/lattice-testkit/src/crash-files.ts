/**
 * What a node finds on its disk after a crash.
 *
 * A commit of `log.db` and `meta.db` is on disk before anybody hears of it, so at any point between two statements what is
 * committed is there. `state.db` waits for the disk only when its write-ahead log is folded into the file: a power cut may
 * take the end of that log, in the middle of a page. In front of a write that never happened there may be rubbish.
 *
 * @module
 */
import { appendFileSync, cpSync, existsSync, readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import type { SeededRandom } from '@lattice/model/testing'

/** As much as one write of the disk may leave half done. */
const MAX_RUBBISH_BYTES = 5_000

/** Copies a data directory as the system would find it. Shared memory of a database does not survive its processes. */
export function copyAfterCrash(from: string, to: string): void {
  cpSync(from, to, { recursive: true, filter: (path) => !path.endsWith('-shm') })
}

/** What a state database was like when it was opened: as long as that is so, nothing was folded into it. */
export interface FileMark {
  readonly bytes: number
  readonly mtimeMs: number
}

export function markFile(path: string): FileMark | undefined {
  if (!existsSync(path)) return undefined
  const { size: bytes, mtimeMs } = statSync(path)
  return { bytes, mtimeMs }
}

export interface TearOptions {
  readonly random: SeededRandom
  /** By the path of a file in `before`: how it was when it was opened. */
  readonly marks: ReadonlyMap<string, FileMark>
  /** The directory whose copy is torn. */
  readonly before: string
}

/** Takes from a copy what a power cut may have taken. Answers how many files it changed. */
export function tearFiles(copy: string, { random, marks, before }: TearOptions): number {
  let torn = 0
  for (const path of readdirSync(copy, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.db-wal')) continue
    const file = path.slice(0, -'-wal'.length)
    const { size } = statSync(join(copy, path))
    if (size === 0) continue
    if (file.endsWith('state.db') && isUnfolded(marks.get(join(before, file)), join(before, file))) {
      truncateSync(join(copy, path), random.below(size + 1))
      torn += 1
    } else if (random.below(2) === 0) {
      appendFileSync(join(copy, path), random.bytes(random.below(MAX_RUBBISH_BYTES) + 1))
      torn += 1
    }
  }
  return torn
}

function isUnfolded(mark: FileMark | undefined, path: string): boolean {
  const now = markFile(path)
  return mark !== undefined && now !== undefined && mark.bytes === now.bytes && mark.mtimeMs === now.mtimeMs
}
