/**
 * Records what SQLite does to the files of a store without standing between them: it looks at the files at every storage
 * point and writes down what changed since the point before.
 *
 * In between, the order is SQLite's, as a system call trace of it shows. The header of a write-ahead log that begins anew
 * is synced before the first frame is written; the log is appended to frame by frame; at a commit it is synced where `synchronous` is 2; a checkpoint syncs it, writes
 * pages in ascending order into the main file and syncs that. What `synchronous` is was read back from SQLite, so a file
 * that is opened too carelessly has no syncs here either.
 *
 * @module
 */
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { StorageHooks, StoragePoint } from '@lattice/storage'
import type { DiskOp, DiskTrace, TraceMark } from './disk-trace.ts'

export interface SnapshotRecorder {
  readonly hooks: StorageHooks
  /** Looks at the files now. */
  readonly look: () => void
  /** Something was promised just now, on the strength of what the files hold. */
  readonly promised: () => void
  readonly trace: () => DiskTrace
  /** The points passed so far. */
  readonly points: () => number
}

const WAL = '-wal'
const WAL_HEADER = 32
const FRAME_HEADER = 24
const PAGE = 4096
/** Points after which a file may have changed: a statement writes to the file by itself only outside a transaction. */
const CHANGING: ReadonlySet<StoragePoint> = new Set(['open', 'opened', 'committed', 'close', 'closed'])

export function createSnapshotRecorder(directory: string): SnapshotRecorder {
  const ops: DiskOp[] = []
  const marks: TraceMark[] = []
  const synchronous = new Map<string, number>()
  const start = readFiles(directory, new Map())
  let before = new Map(start)
  let points = 0
  let promised = 0

  function look(): void {
    const now = readFiles(directory, before)
    for (const move of movesBetween(before, now)) ops.push(move)
    for (const file of mainFiles([...before.keys(), ...now.keys()])) {
      ops.push(...changesOf(file, { before, now, synchronous: synchronous.get(file) ?? 2 }))
    }
    before = now
  }

  return {
    hooks: {
      at: (point) => {
        points += 1
        if (CHANGING.has(point) || (point === 'written' && hasGrown(directory, before))) look()
      },
      configured: (path, settings) => {
        look()
        synchronous.set(basename(path), settings.synchronous)
      },
      syncing: (path) => {
        look()
        const before = ops.length
        return () => void ops.push({ kind: 'sync', file: basename(path), before })
      },
    },
    look,
    promised: () => {
      promised += 1
      marks.push({ ops: ops.length, promised })
    },
    trace: () => ({ start, ops, marks }),
    points: () => points,
  }
}

/** Names without what SQLite keeps beside them. */
function mainFiles(names: readonly string[]): readonly string[] {
  return [...new Set(names.map((name) => (name.endsWith(WAL) ? name.slice(0, -WAL.length) : name)))].sort()
}

function hasGrown(directory: string, before: ReadonlyMap<string, Buffer>): boolean {
  return readdirSync(directory).some((name) => statSync(join(directory, name)).size !== before.get(name)?.length)
}

function readFiles(directory: string, known: ReadonlyMap<string, Buffer>): Map<string, Buffer> {
  const names = existsSync(directory) ? readdirSync(directory).sort() : []
  return new Map(names.map((name) => [name, readWhole(join(directory, name), known.get(name))]))
}

/** The content; the very same buffer when it has not changed. */
function readWhole(path: string, known: Buffer | undefined): Buffer {
  const file = openSync(path, 'r')
  try {
    const content = Buffer.allocUnsafe(fstatSync(file).size)
    readSync(file, content, 0, content.length, 0)
    return known !== undefined && known.equals(content) ? known : content
  } finally {
    closeSync(file)
  }
}

/** A file that is gone and whose content stands elsewhere was renamed; `before` is then as if it had been so. */
function movesBetween(before: Map<string, Buffer>, now: ReadonlyMap<string, Buffer>): DiskOp[] {
  const moves: DiskOp[] = []
  for (const [file, content] of before) {
    if (now.has(file) || content.length === 0) continue
    const found = [...now].find(([name, other]) => !other.equals(before.get(name) ?? NOTHING) && other.equals(content))
    if (found === undefined) continue
    before.delete(file)
    before.set(found[0], found[1])
    moves.push({ kind: 'move', file, to: found[0] })
  }
  return moves
}

const NOTHING = Buffer.alloc(0)

interface Step {
  readonly before: ReadonlyMap<string, Buffer>
  readonly now: ReadonlyMap<string, Buffer>
  readonly synchronous: number
}

function changesOf(file: string, { before, now, synchronous }: Step): DiskOp[] {
  const wal = file + WAL
  const toWal = writesTo(wal, before.get(wal), now.get(wal))
  const toMain = writesTo(file, before.get(file), now.get(file))
  const ops: DiskOp[] = toWal.flatMap((op): DiskOp[] =>
    op.kind === 'write' && op.offset === 0 && op.bytes.length === WAL_HEADER && synchronous >= 1
      ? [op, { kind: 'sync', file: wal }]
      : [op],
  )
  // A file that is new is made under a rollback journal, which is gone again before anyone looks.
  const isJournaled = (before.get(file)?.length ?? 0) === 0
  const isCheckpoint = toMain.length > 0 && before.has(wal)
  if ((toWal.length > 0 && synchronous >= 2) || (isCheckpoint && synchronous >= 1))
    ops.push({ kind: 'sync', file: wal })
  ops.push(...toMain.map((op) => (isJournaled && op.kind === 'write' ? { ...op, atomic: true } : op)))
  if (toMain.length > 0 && synchronous >= 1) ops.push({ kind: 'sync', file })
  if (before.has(wal) && !now.has(wal)) ops.push({ kind: 'remove', file: wal })
  if (before.has(file) && !now.has(file)) ops.push({ kind: 'remove', file })
  return ops
}

/** The writes that make `after` of `before`, ascending, each as long as SQLite makes it. */
function writesTo(file: string, before: Buffer = Buffer.alloc(0), after?: Buffer): DiskOp[] {
  if (after === undefined || after === before) return []
  const ops: DiskOp[] = []
  for (const [offset, end] of unitsOf(file, after.length)) {
    if (isSame(before, after, [offset, end])) continue
    ops.push({ kind: 'write', file, offset, bytes: after.subarray(offset, end) })
  }
  if (after.length < before.length) ops.push({ kind: 'truncate', file, size: after.length })
  return ops
}

function isSame(before: Buffer, after: Buffer, [offset, end]: readonly [number, number]): boolean {
  return end <= before.length && before.compare(after, offset, end, offset, end) === 0
}

function* unitsOf(file: string, length: number): IterableIterator<readonly [number, number]> {
  if (!file.endsWith(WAL)) {
    for (let offset = 0; offset < length; offset += PAGE) yield [offset, Math.min(length, offset + PAGE)]
    return
  }
  if (length > 0) yield [0, Math.min(length, WAL_HEADER)]
  for (let offset = WAL_HEADER; offset < length; offset += FRAME_HEADER + PAGE) {
    yield [offset, Math.min(length, offset + FRAME_HEADER)]
    if (offset + FRAME_HEADER < length) yield [offset + FRAME_HEADER, Math.min(length, offset + FRAME_HEADER + PAGE)]
  }
}
