/**
 * What a crash can leave of the files, at any moment of a trace.
 *
 * A killed process leaves every write it made and nothing after: any prefix, the last write perhaps in part. A power cut
 * leaves what was synced, and of every write since then any of its sectors: whole or lost, in any order.
 *
 * @module
 */
import type { SeededRandom } from '@lattice/model/testing'
import {
  createDiskFiles,
  type DiskFiles,
  type DiskImage,
  type DiskOp,
  type DiskTrace,
  promisedAfter,
} from './disk-trace.ts'

export interface CrashImage {
  /** Names the image, so that it can be made again. */
  readonly name: string
  /** The files; to be asked for before the next image is. */
  readonly files: () => DiskImage
  /** How many of the promises made had been made before. */
  readonly promised: number
}

/** Whole or lost. */
export const SECTOR_BYTES = 512

/** Every prefix of the trace; with the last write whole, and cut at a sector. */
export function* killImages(trace: DiskTrace): IterableIterator<CrashImage> {
  const files = createDiskFiles(trace.start)
  for (const [index, op] of trace.ops.entries()) {
    const promised = promisedAfter(trace, index)
    if (op.kind === 'write' && op.atomic !== true && op.bytes.length > SECTOR_BYTES) {
      const cut = SECTOR_BYTES * (1 + (index % (Math.ceil(op.bytes.length / SECTOR_BYTES) - 1)))
      const torn = { ...op, bytes: op.bytes.subarray(0, cut) }
      yield { name: `killed in operation ${index} (${describeOp(op)})`, files: () => withOps(files, [torn]), promised }
    }
    files.apply(op)
    if (op.kind === 'sync') continue
    yield {
      name: `killed after operation ${index} (${describeOp(op)})`,
      files: files.image,
      promised: promisedAfter(trace, index + 1),
    }
  }
}

export interface PowerCutOptions {
  readonly random: SeededRandom
  /** Subsets of chance at each moment, besides the systematic ones. */
  readonly samples: number
  /** At one of so many moments before operations like this one. */
  readonly every: (next: DiskOp) => number
}

/** Done, and perhaps not on the disk. */
interface Pending {
  readonly op: DiskOp
  readonly index: number
}

type Write = Extract<DiskOp, { kind: 'write' }>

/** At each moment: nothing unsynced kept, all but one sector, one file's alone, newest without oldest, and by chance. */
export function* powerCutImages(trace: DiskTrace, options: PowerCutOptions): IterableIterator<CrashImage> {
  const { random, every } = options
  const durable = createDiskFiles(trace.start)
  let pending: Pending[] = []
  for (let index = 0; index <= trace.ops.length; index += 1) {
    const next = trace.ops[index]
    if (pending.length > 0 && (next === undefined || random.below(every(next)) === 0)) {
      const promised = promisedAfter(trace, index)
      const undone = pending.map(({ op }) => op)
      for (const [name, kept] of subsets(undone, options)) {
        yield { name: `power cut before operation ${index}, ${name}`, files: () => withOps(durable, kept), promised }
      }
    }
    if (next === undefined) return
    const op = next
    // The file system keeps the order of its names: what comes after a move finds the file moved.
    if (pending.some((done) => done.op.kind === 'move')) for (const done of pending.splice(0)) durable.apply(done.op)
    if (op.kind !== 'sync') pending.push({ op, index })
    else {
      const { file, before = index } = op
      const isSynced = (done: Pending): boolean => done.op.file === file && done.index < before
      for (const done of pending.filter(isSynced)) durable.apply(done.op)
      pending = pending.filter((done) => !isSynced(done))
    }
  }
}

function withOps(start: DiskFiles, ops: readonly DiskOp[]): DiskImage {
  const files = createDiskFiles(start.image())
  for (const op of ops) files.apply(op)
  return files.image()
}

function* subsets(
  pending: readonly DiskOp[],
  { random, samples }: PowerCutOptions,
): IterableIterator<readonly [string, readonly DiskOp[]]> {
  yield ['nothing kept', []]
  const writes = pending.filter((op) => op.kind === 'write')
  // What is removed or moved may come back as it was.
  if (writes.length < pending.length) yield ['names as before', writes]
  const files = [...new Set(pending.map(({ file }) => file))]
  if (files.length > 1) {
    for (const file of files) yield [`${file} alone`, pending.filter((op) => op.file === file)]
  }
  const sectors = writes.flatMap(sectorsOf)
  if (sectors.length === 0) return
  yield ['the last sector lost', without(pending, sectors.slice(-1))]
  yield ['the first sector lost', without(pending, sectors.slice(0, 1))]
  yield ['only the last sector', only(pending, sectors.slice(-1))]
  for (let sample = 0; sample < samples; sample += 1) {
    const odds = 1 + random.below(9)
    const lost = sectors.filter(() => random.below(10) < odds)
    yield [`sample ${sample}: ${lost.length} of ${sectors.length} sectors lost`, without(pending, lost)]
  }
}

/** One sector of one write. */
interface Sector {
  readonly write: Write
  readonly from: number
  readonly to: number
}

function sectorsOf(write: Write): Sector[] {
  if (write.atomic === true) return [{ write, from: 0, to: write.bytes.length }]
  const sectors: Sector[] = []
  for (let from = 0; from < write.bytes.length;) {
    const to = Math.min(write.bytes.length, from + SECTOR_BYTES - ((write.offset + from) % SECTOR_BYTES))
    sectors.push({ write, from, to })
    from = to
  }
  return sectors
}

function only(pending: readonly DiskOp[], kept: readonly Sector[]): readonly DiskOp[] {
  const chosen = new Set(kept.map(keyOf))
  return pending.flatMap((op): DiskOp[] => {
    if (op.kind !== 'write') return []
    return sectorsOf(op)
      .filter((sector) => chosen.has(keyOf(sector)))
      .map(({ from, to }) => ({ ...op, offset: op.offset + from, bytes: op.bytes.subarray(from, to) }))
  })
}

function without(pending: readonly DiskOp[], lost: readonly Sector[]): readonly DiskOp[] {
  const gone = new Set(lost.map(keyOf))
  return pending.flatMap((op): DiskOp[] => {
    if (op.kind !== 'write') return [op]
    return sectorsOf(op)
      .filter((sector) => !gone.has(keyOf(sector)))
      .map(({ from, to }) => ({ ...op, offset: op.offset + from, bytes: op.bytes.subarray(from, to) }))
  })
}

/** Sectors shared by two writes are two: the disk may have the older of both. */
const numbers = new WeakMap<Write, number>()
let numbered = 0

function keyOf({ write, from }: Sector): string {
  const number = numbers.get(write) ?? (numbered += 1)
  numbers.set(write, number)
  return `${number} ${from}`
}

function describeOp(op: DiskOp): string {
  return op.kind === 'write' ? `write ${op.bytes.length} at ${op.offset} of ${op.file}` : `${op.kind} ${op.file}`
}
