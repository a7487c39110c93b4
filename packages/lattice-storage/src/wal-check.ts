/**
 * Looks whether a write-ahead log still holds all that was committed to it.
 *
 * SQLite takes in a log up to the first frame that is not right, and forgets the rest without a word: after a crash that
 * is a commit that never was, but after damage it is commits that were acknowledged. The two can be told apart. A commit
 * is on the disk before the next one begins, so behind a frame that a crash left unfinished there is at most the end of
 * its own transaction, never another one.
 *
 * Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
 *
 * @module
 */
import { existsSync, readFileSync } from 'node:fs'
import { translateStorageError } from './translate-error.ts'

const HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24
/** Magic of a log whose checksums are over little-endian words; one more for big-endian ones. */
const MAGIC = 0x377f0682
const [PAGE_SIZE, SALT, HEADER_SUM] = [8, 16, 24]
const [FRAME_COMMIT, FRAME_SALT, FRAME_SUM] = [4, 8, 16]

interface Sum {
  readonly a: number
  readonly b: number
}

interface Frame {
  readonly page: number
  readonly isCommit: boolean
  readonly hasSalt: boolean
  readonly offset: number
}

/**
 * What the log beside the database at `path` has lost, as a sentence; undefined when nothing shows that it has. Throws
 * `StorageFailed` where it cannot be read.
 */
export function walProblem(path: string): string | undefined {
  const walPath = `${path}-wal`
  if (!existsSync(walPath)) return undefined
  const wal = readWal(walPath)
  if (wal.length < HEADER_BYTES + FRAME_HEADER_BYTES) return undefined
  const view = new DataView(wal.buffer, wal.byteOffset, wal.length)
  const magic = view.getUint32(0)
  const pageSize = view.getUint32(PAGE_SIZE)
  const isLittle = magic === MAGIC
  const isKnown = (isLittle || magic === MAGIC + 1) && pageSize >= 512 && pageSize <= 65_536
  const headerSum = isKnown ? sumOf(view, { from: 0, to: HEADER_SUM, isLittle }, { a: 0, b: 0 }) : undefined
  const isHeaderRight = headerSum?.a === view.getUint32(HEADER_SUM) && headerSum.b === view.getUint32(HEADER_SUM + 4)
  if (!isHeaderRight || headerSum === undefined) return headerProblem(path, view)
  const frames = framesOf(view, pageSize)
  const bad = firstBad(view, frames, { sum: headerSum, isLittle, pageSize })
  const after = frames.slice(bad).filter(({ hasSalt }) => hasSalt)
  // Only the frames of the transaction that a crash cut off may follow: a commit is the last of them.
  const commit = after.findIndex(({ isCommit }) => isCommit)
  if (commit < 0 || commit === after.length - 1) return undefined
  return `its write-ahead log is damaged at frame ${bad + 1}, and commits follow that one`
}

function readWal(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'log' })
  }
}

/** A header that is not right is one that a crash cut off, if all that the frames hold is in the file already. */
function headerProblem(path: string, wal: DataView): string | undefined {
  if (!existsSync(path)) return undefined
  const file = readFileSync(path)
  const pageSize = file.length < 18 ? 0 : file.readUInt16BE(16) === 1 ? 65_536 : file.readUInt16BE(16)
  if (pageSize < 512) return undefined
  const latest = new Map<number, number>()
  const all = framesOf(wal, pageSize)
  const pagesMax = file.length / pageSize + all.length
  for (const { page, offset } of all) {
    // Frames of one log have one salt and number pages that can be: what has not is no frame.
    const isOfFirst = [0, 4].every(
      (at) => wal.getUint32(offset + FRAME_SALT + at) === wal.getUint32(HEADER_BYTES + FRAME_SALT + at),
    )
    if (isOfFirst && page >= 1 && page <= pagesMax) latest.set(page, offset + FRAME_HEADER_BYTES)
  }
  const frames = Buffer.from(wal.buffer, wal.byteOffset, wal.byteLength)
  for (const [page, offset] of latest) {
    const stored = file.subarray((page - 1) * pageSize, page * pageSize)
    if (!stored.equals(frames.subarray(offset, offset + pageSize)))
      return 'the header of its write-ahead log is damaged'
  }
  return undefined
}

function framesOf(view: DataView, pageSize: number): readonly Frame[] {
  const frames: Frame[] = []
  const size = FRAME_HEADER_BYTES + pageSize
  for (let offset = HEADER_BYTES; offset + size <= view.byteLength; offset += size) {
    frames.push({
      page: view.getUint32(offset),
      isCommit: view.getUint32(offset + FRAME_COMMIT) > 0,
      hasSalt:
        view.getUint32(offset + FRAME_SALT) === view.getUint32(SALT) &&
        view.getUint32(offset + FRAME_SALT + 4) === view.getUint32(SALT + 4),
      offset,
    })
  }
  return frames
}

/** The first frame that SQLite would stop at. */
function firstBad(
  view: DataView,
  frames: readonly Frame[],
  { sum: start, isLittle, pageSize }: { readonly sum: Sum; readonly isLittle: boolean; readonly pageSize: number },
): number {
  let sum = start
  for (const [index, { offset, hasSalt }] of frames.entries()) {
    if (!hasSalt) return index
    sum = sumOf(view, { from: offset, to: offset + FRAME_SALT, isLittle }, sum)
    const page = offset + FRAME_HEADER_BYTES
    sum = sumOf(view, { from: page, to: page + pageSize, isLittle }, sum)
    if (sum.a !== view.getUint32(offset + FRAME_SUM) || sum.b !== view.getUint32(offset + FRAME_SUM + 4)) return index
  }
  return frames.length
}

interface Words {
  readonly from: number
  readonly to: number
  readonly isLittle: boolean
}

function sumOf(view: DataView, { from, to, isLittle }: Words, { a: startA, b: startB }: Sum): Sum {
  let [a, b] = [startA, startB]
  for (let offset = from; offset < to; offset += 8) {
    a = (a + view.getUint32(offset, isLittle) + b) >>> 0
    b = (b + view.getUint32(offset + 4, isLittle) + a) >>> 0
  }
  return { a, b }
}
