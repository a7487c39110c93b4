/**
 * Who may be in a handshake: so many at a time, and so many from one place.
 *
 * It is asked before anything is spent on a dialler, so whoever begins handshakes and says nothing, or says it slowly, takes
 * up his own share and nobody else's. Many places together can take up all there is; then the handshake that is longest under
 * way makes room for the next, where it can be given up.
 *
 * @module
 */
import { MAX_CONNECTIONS, MAX_HANDSHAKES, MAX_HANDSHAKES_PER_SOURCE } from './connection-limits.ts'

export interface Admission {
  /** The handshake is over and became a connection. */
  readonly connected: () => void
  /** The handshake or the connection is over. Idempotent. */
  readonly leave: () => void
}

export interface AcceptGate {
  /**
   * Undefined when there is no room. The source is whom it is counted against, see {@link sourceOf}; undefined where that
   * is not known for certain, so that nobody uses up the share of another. `giveUp` ends the handshake for the sake of
   * others, without it this one makes no room for them; the admission is left by then.
   */
  readonly enter: (source: string | undefined, giveUp?: () => void) => Admission | undefined
  /** Handshakes under way. */
  readonly handshakes: () => number
  /** True when there is no room for another connection, from here or from elsewhere. */
  readonly isFull: () => boolean
}

export interface AcceptGateOptions {
  /** Connections made here, for which there must be room too. */
  readonly outgoing: () => number
  /** Connections and handshakes of one source; no bound of its own without it. */
  readonly connectionsPerSource?: number
}

interface Counts {
  handshakes: number
  connections: number
}

/** Starts with nobody. */
export function createAcceptGate({ outgoing, connectionsPerSource = Infinity }: AcceptGateOptions): AcceptGate {
  const all: Counts = { handshakes: 0, connections: 0 }
  // As many entries as admissions at most.
  const sources = new Map<string, Counts>()
  const totalOf = ({ handshakes, connections }: Counts): number => handshakes + connections
  // Handshakes that can be given up, the one longest under way first.
  const yielding = new Set<() => void>()
  const isFull = (): boolean => totalOf(all) + outgoing() >= MAX_CONNECTIONS

  return {
    isFull,
    handshakes: () => all.handshakes,
    enter: (source, giveUp) => {
      const own = (source === undefined ? undefined : sources.get(source)) ?? { handshakes: 0, connections: 0 }
      const isShareTaken = own.handshakes >= MAX_HANDSHAKES_PER_SOURCE || totalOf(own) >= connectionsPerSource
      if (isShareTaken || isFull()) return undefined
      const [longest] = yielding
      if (all.handshakes >= MAX_HANDSHAKES) longest?.()
      if (all.handshakes >= MAX_HANDSHAKES) return undefined
      if (source !== undefined) sources.set(source, own)
      let stage: keyof Counts | 'left' = 'handshakes'
      const move = (to: keyof Counts | 'left'): void => {
        if (stage === 'left') return
        for (const counts of [all, own]) {
          counts[stage] -= 1
          if (to !== 'left') counts[to] += 1
        }
        stage = to
        yielding.delete(makeRoom)
        if (source !== undefined && totalOf(own) === 0) sources.delete(source)
      }
      const makeRoom = (): void => {
        move('left')
        giveUp?.()
      }
      if (giveUp !== undefined) yielding.add(makeRoom)
      for (const counts of [all, own]) counts.handshakes += 1
      return { connected: () => move('connections'), leave: () => move('left') }
    },
  }
}

/** Whom a dialler is counted against: an IPv4 address, or the network of an IPv6 host, which has all of it to itself. */
export function sourceOf(remoteIp: string): string {
  const mapped = /^::ffff:(?<v4>[0-9.]+)$/i.exec(remoteIp)?.groups?.['v4']
  if (mapped !== undefined || !remoteIp.includes(':')) return mapped ?? remoteIp
  const [head = '', tail = ''] = remoteIp.split('::')
  const groups = head === '' ? [] : head.split(':')
  const rest = tail === '' ? [] : tail.split(':')
  const isShort = remoteIp.includes('::')
  const all = isShort
    ? [...groups, ...Array.from({ length: 8 - groups.length - rest.length }, () => '0'), ...rest]
    : groups
  return all.slice(0, 4).join(':')
}
