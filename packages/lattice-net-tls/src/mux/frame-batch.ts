/**
 * Frames to be sent together, as one array: one copy, one TLS write, one system call for as many as fit.
 *
 * @module
 */
import { type FrameHeader, HEADER_BYTES, writeHeader } from './frame.ts'

export interface FrameBatch {
  readonly add: (header: FrameHeader, payload?: Uint8Array) => void
  /** Called once the bytes have been copied: their owner may change them then. */
  readonly after: (task: () => void) => void
  readonly hasRoom: () => boolean
  /** Everything added, copied; undefined when that is nothing. To be called once. */
  readonly bytes: () => Uint8Array | undefined
}

/** Has room until `maxBytes` are reached; the last frame may go beyond. */
export function createFrameBatch(maxBytes: number): FrameBatch {
  const frames: { readonly header: FrameHeader; readonly payload: Uint8Array | undefined }[] = []
  const tasks: (() => void)[] = []
  let length = 0
  return {
    add: (header, payload) => {
      frames.push({ header, payload })
      length += HEADER_BYTES + (payload?.length ?? 0)
    },
    after: (task) => {
      tasks.push(task)
    },
    hasRoom: () => length < maxBytes,
    bytes: () => {
      if (frames.length === 0) return undefined
      const bytes = new Uint8Array(length)
      let offset = 0
      for (const { header, payload } of frames) {
        writeHeader(bytes, offset, header)
        offset += HEADER_BYTES
        if (payload === undefined) continue
        bytes.set(payload, offset)
        offset += payload.length
      }
      for (const task of tasks) task()
      return bytes
    },
  }
}
