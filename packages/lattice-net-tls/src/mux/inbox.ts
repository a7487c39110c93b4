/**
 * What arrived on a stream and was not read yet.
 *
 * Pieces are kept as they came, without a copy, as long as they are most of what they keep alive. Others, such as the
 * thousand frames of one byte that a hostile peer makes of a window, are gathered in blocks, so that unread bytes cost memory
 * in proportion to their number.
 *
 * @module
 */

/** Pieces below this are gathered: an object for each costs more than its bytes. */
const SMALL_BYTES = 1024
/** What small pieces are gathered in. */
const BLOCK_BYTES = 4096

export interface Inbox {
  readonly push: (bytes: Uint8Array) => void
  /** The oldest bytes; undefined when there are none. */
  readonly take: () => Uint8Array | undefined
  readonly isEmpty: () => boolean
  readonly clear: () => void
  /** Bytes of memory held, for tests of the bound. */
  readonly heldBytes: () => number
}

export function createInbox(): Inbox {
  let chunks: Uint8Array[] = []
  let first = 0
  /** The last chunk while it has room: how much of its block is used. */
  let blockUsed = 0

  function pushSmall(bytes: Uint8Array): void {
    const tail = chunks.at(-1)
    const room = blockUsed > 0 && tail !== undefined && first < chunks.length ? BLOCK_BYTES - blockUsed : 0
    if (tail === undefined || room < bytes.length) {
      const block = new Uint8Array(Math.max(BLOCK_BYTES, bytes.length))
      block.set(bytes)
      chunks.push(block.subarray(0, bytes.length))
      blockUsed = bytes.length
      return
    }
    const block = new Uint8Array(tail.buffer, 0, BLOCK_BYTES)
    block.set(bytes, blockUsed)
    blockUsed += bytes.length
    chunks[chunks.length - 1] = block.subarray(0, blockUsed)
  }

  return {
    push: (bytes) => {
      const isMostOfIt = bytes.length * 2 >= bytes.buffer.byteLength
      if (bytes.length < SMALL_BYTES || !isMostOfIt) return pushSmall(bytes)
      chunks.push(bytes)
      blockUsed = 0
    },
    take: () => {
      const bytes = chunks[first]
      if (bytes === undefined) return undefined
      first += 1
      if (first === chunks.length) {
        chunks = []
        first = 0
        blockUsed = 0
      } else if (first * 2 > chunks.length) {
        chunks.splice(0, first)
        first = 0
      }
      return bytes
    },
    isEmpty: () => first === chunks.length,
    clear: () => {
      chunks = []
      first = 0
      blockUsed = 0
    },
    heldBytes: () =>
      [...new Set(chunks.slice(first).map(({ buffer }) => buffer))].reduce((sum, b) => sum + b.byteLength, 0),
  }
}
