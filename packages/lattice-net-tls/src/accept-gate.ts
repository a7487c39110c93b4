/**
 * Who may be in a handshake: so many at a time, so many from one place, and each only so long.
 *
 * It is asked before anything is spent on a socket, so whoever opens sockets and says nothing, or says it slowly, takes up his
 * own share and nobody else's.
 *
 * @module
 */
import { sourceOf } from './address.ts'

/**
 * Connections at a time; beyond it dials are refused. A mesh's active peers are a few dozen.
 * @beyond The socket is closed before anything is spent on it.
 */
export const MAX_CONNECTIONS = 256
/**
 * Of these from one address: a household or an office behind one router.
 * @beyond The socket is closed before anything is spent on it.
 */
export const MAX_CONNECTIONS_PER_SOURCE = 64
/**
 * Handshakes under way at a time; a dialler beyond it is refused and tries again.
 * @beyond The socket is closed before anything is spent on it.
 */
export const MAX_HANDSHAKES = 64
/**
 * Of these from one address.
 * @beyond The socket is closed before anything is spent on it.
 */
export const MAX_HANDSHAKES_PER_SOURCE = 16

export interface Admission {
  /** The handshake is over and became a connection. */
  readonly connected: () => void
  /** The socket is closed. Idempotent. */
  readonly leave: () => void
}

export interface AcceptGate {
  /** Undefined when there is no room. */
  readonly enter: (remoteIp: string) => Admission | undefined
}

interface Counts {
  handshakes: number
  connections: number
}

/** Starts with nobody. `outgoing` counts the connections made here, for which there must be room too. */
export function createAcceptGate({ outgoing }: { readonly outgoing: () => number }): AcceptGate {
  const all: Counts = { handshakes: 0, connections: 0 }
  // As many entries as sockets at most.
  const sources = new Map<string, Counts>()

  return {
    enter: (remoteIp) => {
      const source = sourceOf(remoteIp)
      const own = sources.get(source) ?? { handshakes: 0, connections: 0 }
      const isFull =
        all.handshakes >= MAX_HANDSHAKES ||
        own.handshakes >= MAX_HANDSHAKES_PER_SOURCE ||
        all.handshakes + all.connections + outgoing() >= MAX_CONNECTIONS ||
        own.handshakes + own.connections >= MAX_CONNECTIONS_PER_SOURCE
      if (isFull) return undefined
      sources.set(source, own)
      let stage: keyof Counts | 'left' = 'handshakes'
      const move = (to: keyof Counts | 'left'): void => {
        if (stage === 'left') return
        for (const counts of [all, own]) {
          counts[stage] -= 1
          if (to !== 'left') counts[to] += 1
        }
        stage = to
        if (own.handshakes + own.connections === 0) sources.delete(source)
      }
      for (const counts of [all, own]) counts.handshakes += 1
      return { connected: () => move('connections'), leave: () => move('left') }
    },
  }
}
