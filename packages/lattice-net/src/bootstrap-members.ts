/**
 * The peers of a bootstrap: whom to try next, what each is asked for, and how much of it at once.
 *
 * A few are in use at a time; one that is lost makes room for the next of the list and does not come back. How much one is
 * asked for follows how fast it answered, so a slow one holds little; and the mean size of what came, so an answer has a
 * bounded size whatever the intentions are.
 *
 * @module
 */
import { assert, type Crypto, type IdKey, idKey, type PublicKey } from '@lattice/model'
import { createFetchedAnswer, type FetchedAnswer } from './fetched-answer.ts'
import { BOOTSTRAP_SHARE_BYTES, BOOTSTRAP_SHARE_MAX, BOOTSTRAP_SHARE_MIN, type NetworkLimits } from './limits.ts'
import type { LogRequest } from './log-client.ts'

/** Doublings of the time that a page may take, at most: well beyond the deadline of a step. */
const PAGE_PATIENCE_ROUNDS = 6

export interface OpenIds {
  readonly kind: 'ids'
  readonly atMs: number
  readonly answer: FetchedAnswer
  readonly count: number
  /** Its deadline passed, and others were asked. */
  isOverdue: boolean
  /** Of what came so far. */
  bytes: number
  /** The place of the latest that came. */
  lastIndex: number
}

export interface OpenPageRequest {
  readonly kind: 'page'
  readonly atMs: number
  isOverdue: boolean
}

/** A peer that is connected. */
export interface BootstrapMember {
  readonly peer: PublicKey
  readonly key: IdKey
  /** Open requests, oldest first. */
  readonly asks: (OpenIds | OpenPageRequest)[]
  /** Ids asked for at once. */
  share: number
  /** How many times its log was taken in hand. */
  served: number
}

export interface BootstrapMembersOptions {
  readonly crypto: Crypto
  readonly peers: readonly PublicKey[]
  /** In use at once. */
  readonly max: number
  readonly nowMs: () => number
  readonly limits: Pick<NetworkLimits, 'bootstrapShareMs' | 'bootstrapOverdueMs'>
}

export interface BootstrapMembers {
  /** Those to connect to now. */
  readonly enlist: () => readonly { readonly peer: PublicKey }[]
  readonly connected: (key: IdKey) => void
  /** Out for good; answers its open requests. */
  readonly remove: (key: IdKey) => BootstrapMember['asks']
  readonly get: (key: IdKey) => BootstrapMember | undefined
  /** Connected, in the order of the list. */
  readonly up: () => readonly BootstrapMember[]
  /** Whose log to take in hand next. Counts as served from now on. */
  readonly nextServer: () => BootstrapMember | undefined
  readonly asked: (member: BootstrapMember, request: LogRequest) => void
  /** The oldest request of the member is answered, by so many bytes of intentions. */
  readonly finished: (member: BootstrapMember, bytes: number) => void
  readonly shareOf: (member: BootstrapMember) => number
  /** Requests whose deadline passed since the last call. */
  readonly overdue: () => readonly { readonly member: BootstrapMember; readonly ask: OpenIds | OpenPageRequest }[]
  /** The log is another: places of the one before mean nothing. */
  readonly forgetPlaces: () => void
  readonly hasOpen: () => boolean
  /** Nobody is left: neither connected, nor connecting, nor to be tried. */
  readonly isEmpty: () => boolean
  /** By the key of anyone of the list. */
  readonly peerOf: (key: IdKey) => PublicKey
}

/** Starts with all of `peers` to be tried. */
export function createMembers(options: BootstrapMembersOptions): BootstrapMembers {
  const { crypto, max, nowMs, limits } = options
  const all = new Map(options.peers.map((peer) => [idKey(peer), peer]))
  const untried = [...all.keys()]
  const connecting = new Set<IdKey>()
  const members = new Map<IdKey, BootstrapMember>()
  let answeredIds = 0
  let answeredBytes = 0

  function peerOf(key: IdKey): PublicKey {
    const peer = all.get(key)
    assert(peer !== undefined, 'the peer is of the list')
    return peer
  }
  function adapt(member: BootstrapMember, tookMs: number): void {
    if (tookMs < limits.bootstrapShareMs) member.share = Math.min(BOOTSTRAP_SHARE_MAX, member.share * 2)
    else if (tookMs > 2 * limits.bootstrapShareMs) member.share = Math.max(BOOTSTRAP_SHARE_MIN, member.share / 2)
  }

  return {
    enlist: () => {
      const enlisted: { readonly peer: PublicKey }[] = []
      while (connecting.size + members.size < max) {
        const key = untried.shift()
        if (key === undefined) break
        connecting.add(key)
        enlisted.push({ peer: peerOf(key) })
      }
      return enlisted
    },
    connected: (key) => {
      if (!connecting.delete(key)) return
      members.set(key, { peer: peerOf(key), key, asks: [], share: BOOTSTRAP_SHARE_MIN, served: 0 })
    },
    remove: (key) => {
      connecting.delete(key)
      const asks = members.get(key)?.asks ?? []
      members.delete(key)
      return asks
    },
    get: (key) => members.get(key),
    up: () => [...members.values()],
    nextServer: () => {
      let next: BootstrapMember | undefined
      for (const member of members.values()) if (next === undefined || member.served < next.served) next = member
      if (next !== undefined) next.served += 1
      return next
    },
    asked: (member, request) => {
      assert(request.kind !== 'chain', 'a bootstrap asks for pages and ids')
      const atMs = nowMs()
      if (request.kind === 'page') member.asks.push({ kind: 'page', atMs, isOverdue: false })
      else {
        const answer = createFetchedAnswer(crypto, request.ids)
        const count = request.ids.length
        member.asks.push({ kind: 'ids', atMs, answer, count, isOverdue: false, bytes: 0, lastIndex: -1 })
      }
    },
    finished: (member, bytes) => {
      const ask = member.asks.shift()
      assert(ask !== undefined, 'a request is open')
      if (ask.kind === 'page') return
      adapt(member, nowMs() - ask.atMs)
      answeredIds += ask.count - ask.answer.pending.size
      answeredBytes += bytes
    },
    shareOf: ({ share }) => {
      if (answeredIds === 0 || answeredBytes === 0) return share
      const fitting = Math.floor((BOOTSTRAP_SHARE_BYTES * answeredIds) / answeredBytes)
      return Math.max(1, Math.min(share, fitting))
    },
    overdue: () => {
      const late: { readonly member: BootstrapMember; readonly ask: OpenIds | OpenPageRequest }[] = []
      for (const member of members.values()) {
        for (const ask of member.asks) {
          // A page has longer with each time that the log comes round: else two slow peers would never get on.
          const rounds = ask.kind === 'page' ? Math.min(member.served, PAGE_PATIENCE_ROUNDS) : 0
          if (ask.isOverdue || nowMs() - ask.atMs < limits.bootstrapOverdueMs * 2 ** rounds) continue
          ask.isOverdue = true
          member.share = BOOTSTRAP_SHARE_MIN
          late.push({ member, ask })
        }
      }
      return late
    },
    forgetPlaces: () => {
      for (const { asks } of members.values()) for (const ask of asks) if (ask.kind === 'ids') ask.lastIndex = -1
    },
    hasOpen: () => [...members.values()].some(({ asks }) => asks.length > 0),
    isEmpty: () => members.size + connecting.size + untried.length === 0,
    peerOf,
  }
}
