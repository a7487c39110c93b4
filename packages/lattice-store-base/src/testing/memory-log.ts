/**
 * The log of a machine's host, in memory.
 *
 * Its beginning can be cut off, as pruning does, and its cursors can be made worthless, as replacing the log does.
 *
 * @module
 */
import { concatBytes, idKey, type IntentionId } from '@lattice/model'
import type { LoggedWrite, PlacedWrite, ReadLog } from '../read-log.ts'
import type { AppliedOp } from '../state-machine.ts'

export interface MemoryLog {
  readonly log: ReadLog
  readonly append: (op: AppliedOp, isRejected: boolean) => void
  /** Forgets the first so many operations. */
  readonly cut: (count: number) => void
  /** Makes every cursor that was given out one of another log. */
  readonly replace: () => void
}

const CURSOR_BYTES = 8

export function createMemoryLog(): MemoryLog {
  // From `base` on; a rejected operation is there and is no write.
  let base = 0
  let identity = 1
  let entries: { readonly id: IntentionId; readonly write: LoggedWrite | undefined }[] = []
  const writes = new Map<string, LoggedWrite | undefined>()

  const cursorAt = (position: number): Uint8Array => concatBytes(word(identity), word(position))

  function* from(position: number): Generator<PlacedWrite, undefined, undefined> {
    for (let next = position; next < base + entries.length; next += 1) {
      const write = entries[next - base]?.write
      if (write !== undefined) yield { ...write, cursor: cursorAt(next + 1) }
    }
    return undefined
  }

  return {
    log: {
      has: (id) => writes.has(idKey(id)),
      get: (id) => writes.get(idKey(id)),
      cursor: () => cursorAt(base + entries.length),
      after: (cursor) => {
        if (cursor.length !== CURSOR_BYTES) return undefined
        const view = new DataView(cursor.buffer, cursor.byteOffset)
        const position = view.getUint32(4)
        const isOfThisLog = view.getUint32(0) === identity && position >= base && position <= base + entries.length
        return isOfThisLog ? from(position) : undefined
      },
    },
    append: ({ id, author, timestamp, deps, schema, payload }, isRejected) => {
      const write = isRejected ? undefined : { id, author, timestamp, deps, schema, payload }
      entries.push({ id, write })
      writes.set(idKey(id), write)
    },
    cut: (count) => {
      for (const { id } of entries.slice(0, count)) writes.delete(idKey(id))
      const left = entries.slice(count)
      base += entries.length - left.length
      entries = left
    },
    replace: () => {
      identity += 1
    },
  }
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}
