/**
 * The reading half of a stream's end: what has arrived and was not read yet, at most one window of it.
 *
 * @module
 */
import { assert } from '@lattice/model'
import { StreamLost } from '@lattice/net-types'
import { createDeferred, type Deferred } from './deferred.ts'

export interface Inbox {
  readonly read: () => Promise<Uint8Array | undefined>
  readonly push: (bytes: Uint8Array) => void
  /** The peer writes no more. */
  readonly end: () => void
  /** Drops what is unread; the read that waits rejects. */
  readonly fail: (message: string) => void
  /** Whether everything up to the peer's finish was read. */
  readonly isDrained: () => boolean
}

export interface InboxDeps {
  readonly windowBytes: number
  /** Called as bytes are read, or the end is reached. */
  readonly onTaken: (bytes: number) => void
}

export function createInbox({ windowBytes, onTaken }: InboxDeps): Inbox {
  const chunks: Uint8Array[] = []
  let unreadBytes = 0
  let ended = false
  let reader: Deferred<Uint8Array | undefined> | undefined

  const take = (): Uint8Array | undefined => {
    const bytes = chunks.shift()
    unreadBytes -= bytes?.length ?? 0
    onTaken(bytes?.length ?? 0)
    return bytes
  }
  const wake = (): void => {
    const waiting = reader
    reader = undefined
    waiting?.resolve(take())
  }

  return {
    read: async () => {
      assert(reader === undefined, 'a stream has one reader at a time')
      if (chunks.length > 0 || ended) return take()
      reader = createDeferred()
      return reader.promise
    },
    push: (bytes) => {
      unreadBytes += bytes.length
      assert(unreadBytes <= windowBytes, 'the writer stays within the window')
      chunks.push(bytes)
      wake()
    },
    end: () => {
      ended = true
      wake()
      if (chunks.length === 0) onTaken(0)
    },
    fail: (message) => {
      chunks.length = 0
      unreadBytes = 0
      const waiting = reader
      reader = undefined
      waiting?.reject(new StreamLost(message))
    },
    isDrained: () => ended && chunks.length === 0,
  }
}
