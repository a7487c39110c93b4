/**
 * A connection over one or more paths. New streams go the best way there is; streams stay where they began.
 *
 * A path that is lost takes its streams with it and leaves the connection alive on the others, which are asked at once
 * whether they live: what cut one may have cut all, and not every transport notices soon.
 *
 * @module
 */
import { type AsyncQueue, type Cancel, createAsyncQueue, type PublicKey } from '@lattice/model'
import { type BiStream, type CloseReason, type Connection, StreamLost } from '@lattice/net-types'
import { closeWhole, type Path, wholeEnd } from './path.ts'

/**
 * Streams that wait to be served: as many as a transport lets a peer open, on some paths.
 * @beyond The stream is reset.
 */
const MAX_WAITING_STREAMS = 256

export interface CombinedConnectionOptions {
  readonly peer: PublicKey
  readonly outgoing: boolean
  /** A path is gone while the connection goes on. */
  readonly onPathLost: (rank: number) => void
  /** Runs a background task. */
  readonly spawn: (name: string, task: () => Promise<void>) => void
}

export interface CombinedConnection extends Connection {
  /** Takes a path in; it takes the place of an older one of its transport. False when the connection has ended. */
  readonly add: (path: Path) => boolean
  readonly hasPath: (rank: number) => boolean
  /** The end, for a reason that no path told. */
  readonly lose: (message: string) => void
}

/** Starts without a path: the first is to be added at once. */
export function createCombinedConnection(options: CombinedConnectionOptions): CombinedConnection {
  const combined = new Combined(options)
  return {
    peer: options.peer,
    outgoing: options.outgoing,
    closed: combined.closed,
    streams: combined.inbound,
    open: () => combined.open(),
    close: (message) => combined.close({ by: 'local', message }),
    path: () => combined.best()?.name ?? 'none',
    onImproved: (listener) => combined.onImproved(listener),
    add: (path) => combined.add(path),
    hasPath: (rank) => combined.hasPath(rank),
    lose: (message) => combined.end({ by: 'lost', message }),
  }
}

class Combined {
  readonly closed: Promise<CloseReason>
  readonly inbound: AsyncQueue<BiStream> = createAsyncQueue({ capacity: MAX_WAITING_STREAMS })
  readonly #options: CombinedConnectionOptions
  // One path per transport at most, the best first.
  #paths: readonly Path[] = []
  readonly #listeners = new Set<() => void>()
  #endedBy: CloseReason | undefined
  #resolveClosed: (reason: CloseReason) => void = ignore

  constructor(options: CombinedConnectionOptions) {
    this.#options = options
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
  }

  best(): Path | undefined {
    return this.#paths[0]
  }

  hasPath(rank: number): boolean {
    return this.#paths.some((path) => path.rank === rank)
  }

  onImproved(listener: () => void): Cancel {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  add(path: Path): boolean {
    if (this.#endedBy !== undefined) return false
    const before = this.best()
    const replaced = this.#paths.filter(({ rank }) => rank === path.rank)
    const others = this.#paths.filter(({ rank }) => rank !== path.rank)
    this.#paths = [...others, path].sort((a, b) => a.rank - b.rank)
    this.#options.spawn('path', () => this.#serve(path))
    for (const old of replaced) this.#closePath(old, 'replaced by a newer path')
    if (before !== undefined && path.rank < before.rank) for (const listener of this.#listeners) listener()
    return true
  }

  async open(): Promise<BiStream> {
    for (;;) {
      if (this.#endedBy !== undefined) throw new StreamLost(this.#endedBy.message)
      const path = this.best()
      if (path === undefined) throw new StreamLost('there is no path')
      try {
        return await path.connection.open()
      } catch (error) {
        // The path is going: its end is known in a moment, and then there may be another.
        const reason = await path.connection.closed
        if (this.#remove(path, reason)) continue
        if (this.#endedBy !== undefined) throw new StreamLost(reason.message, { cause: error })
      }
    }
  }

  async close(reason: CloseReason): Promise<void> {
    const paths = this.#paths
    this.end(reason)
    await Promise.all(paths.map((path) => path.connection.closed))
  }

  end(reason: CloseReason): void {
    if (this.#endedBy !== undefined) return
    this.#endedBy = reason
    const paths = this.#paths
    this.#paths = []
    this.inbound.close()
    this.#resolveClosed(reason)
    for (const path of paths) this.#options.spawn('close path', () => closeWhole(path, reason.message))
  }

  async #serve(path: Path): Promise<void> {
    for (let next = await path.streams.next(); next.done !== true; next = await path.streams.next()) {
      if (!this.inbound.push(next.value)) next.value.reset()
    }
    this.#remove(path, await path.connection.closed)
  }

  /** Takes a path out that has ended. True when the connection goes on. */
  #remove(path: Path, reason: CloseReason): boolean {
    if (this.#endedBy !== undefined) return false
    const whole = wholeEnd(reason)
    const isKnown = this.#paths.includes(path)
    const left = this.#paths.filter((other) => other !== path)
    if (whole !== undefined || left.length === 0) {
      // A path that was closed here, for it was of no use, is lost all the same.
      this.end(whole ?? { ...reason, by: reason.by === 'remote' ? 'remote' : 'lost' })
      return false
    }
    this.#paths = left
    if (isKnown) {
      for (const other of left) this.#options.spawn('probe path', () => other.probe())
      if (!this.hasPath(path.rank)) this.#options.onPathLost(path.rank)
    }
    return true
  }

  #closePath(path: Path, message: string): void {
    this.#options.spawn('close path', () => path.connection.close(message))
  }
}

function ignore(): void {
  // Replaced before it can be called.
}
