/**
 * What happened to the files of a directory, in order: each write, each sync, and what was promised to others by then.
 *
 * @module
 */
import { assert } from '@lattice/model'

export type DiskOp =
  | {
      readonly kind: 'write'
      readonly file: string
      readonly offset: number
      readonly bytes: Uint8Array
      /** There as a whole or not at all: a journal sees to it. */
      readonly atomic?: boolean
    }
  | { readonly kind: 'truncate'; readonly file: string; readonly size: number }
  /** Everything done to the file so far is on the disk, or what was done before operation number `before`. */
  | { readonly kind: 'sync'; readonly file: string; readonly before?: number }
  | { readonly kind: 'remove'; readonly file: string }
  | { readonly kind: 'move'; readonly file: string; readonly to: string }

/** After so many operations, so many promises had been made. */
export interface TraceMark {
  readonly ops: number
  readonly promised: number
}

export interface DiskTrace {
  /** What was there before, all of it on the disk. */
  readonly start: DiskImage
  readonly ops: readonly DiskOp[]
  /** In order of time. */
  readonly marks: readonly TraceMark[]
}

/** Files by name. */
export type DiskImage = ReadonlyMap<string, Uint8Array>

/** How many promises had been made when `ops` operations, and not one more, were done. */
export function promisedAfter({ marks }: DiskTrace, ops: number): number {
  return marks.reduce((most, mark) => (mark.ops <= ops ? Math.max(most, mark.promised) : most), 0)
}

/** The contents of files, changed by operations. */
export interface DiskFiles {
  readonly apply: (op: DiskOp) => void
  readonly image: () => Map<string, Uint8Array>
}

export function createDiskFiles(start: DiskImage = new Map()): DiskFiles {
  const files = new Map([...start].map(([name, bytes]) => [name, new GrowingFile(bytes)]))
  const fileOf = (name: string): GrowingFile => {
    const file = files.get(name) ?? new GrowingFile()
    files.set(name, file)
    return file
  }
  return {
    apply: (op) => {
      if (op.kind === 'write') fileOf(op.file).write(op.offset, op.bytes)
      else if (op.kind === 'truncate') fileOf(op.file).truncate(op.size)
      else if (op.kind === 'remove') files.delete(op.file)
      else if (op.kind === 'move') {
        const moved = files.get(op.file)
        assert(moved !== undefined, 'what is moved is there')
        files.delete(op.file)
        files.set(op.to, moved)
      }
    },
    image: () => new Map([...files].map(([name, file]) => [name, file.copy()])),
  }
}

class GrowingFile {
  private content: Uint8Array
  private size: number

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    // A copy, also of a Buffer, whose `slice` is a view.
    this.content = new Uint8Array(bytes)
    this.size = bytes.length
  }

  write(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length
    if (end > this.content.length) {
      const grown = new Uint8Array(Math.max(end, this.content.length * 2))
      grown.set(this.content.subarray(0, this.size))
      this.content = grown
    }
    this.content.set(bytes, offset)
    this.size = Math.max(this.size, end)
  }

  truncate(size: number): void {
    if (size > this.size) this.write(this.size, new Uint8Array(size - this.size))
    this.content.fill(0, size)
    this.size = size
  }

  copy(): Uint8Array {
    return this.content.slice(0, this.size)
  }
}
