/**
 * The peers of a bootstrap: whom to try next, what each is asked for, and how much of it at once.
 *
 * How much one is asked for follows how fast it answered, so a slow one holds little; and the mean size of what came, so an answer has a
 * bounded size whatever the intentions are.
 *
 * @module
 */
import { assert, type Crypto, type IdKey, type PublicKey } from '@lattice/model'
import { createFetchedAnswer, type FetchedAnswer } from './fetched-answer.ts'
import { BOOTSTRAP_SHARE_BYTES, BOOTSTRAP_SHARE_MAX, BOOTSTRAP_SHARE_MIN, type NetworkLimits } from './limits.ts'
import type { LogRequest } from './log-client.ts'
import { createPeerRoster, type Enlisted, type PeerRoster } from './peer-roster.ts'

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
  /** The place of the latest that came; places of a log that takes over come after all before. */
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

export interface OverdueRequest {
  readonly member: BootstrapMember
  readonly ask: BootstrapMember['asks'][number]
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
  readonly enlist: () => readonly Enlisted[]
  readonly connected: (key: IdKey) => void
  /** Out, for good unless it is readmitted; answers its open requests. */
  readonly remove: (key: IdKey) => BootstrapMember['asks']
  /** One that was lost goes to the end of the list, unless it was lost too often. */
  readonly readmit: (key: IdKey) => void
  /** Its session begins anew; answers the requests that were open in the one before, and are no more. */
  readonly restart: (key: IdKey) => BootstrapMember['asks']
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
  readonly overdue: () => readonly OverdueRequest[]
  readonly hasOpen: () => boolean
  /** Nobody is left: neither connected, nor connecting, nor to be tried. */
  readonly isEmpty: () => boolean
  /** By the key of anyone of the list. */
  readonly peerOf: (key: IdKey) => PublicKey
}

/** Starts with all of `peers` to be tried. */
export function createMembers(options: BootstrapMembersOptions): BootstrapMembers {
  return new Members(options)
}

class Members implements BootstrapMembers {
  readonly #options: BootstrapMembersOptions
  readonly #roster: PeerRoster
  readonly #members = new Map<IdKey, BootstrapMember>()
  #answeredIds = 0
  #answeredBytes = 0

  constructor(options: BootstrapMembersOptions) {
    this.#options = options
    this.#roster = createPeerRoster(options.peers, options.max)
  }

  enlist(): readonly Enlisted[] {
    return this.#roster.enlist(this.#members.size)
  }
  connected(key: IdKey): void {
    // Whose log was lost comes after those that stayed.
    const served = this.#roster.connected(key)
    if (served === undefined) return
    this.#members.set(key, { peer: this.peerOf(key), key, asks: [], share: BOOTSTRAP_SHARE_MIN, served })
  }
  remove(key: IdKey): BootstrapMember['asks'] {
    this.#roster.remove(key)
    const asks = this.#members.get(key)?.asks ?? []
    this.#members.delete(key)
    return asks
  }
  readmit(key: IdKey): void {
    if (!this.#members.has(key)) this.#roster.readmit(key)
  }
  restart(key: IdKey): BootstrapMember['asks'] {
    return this.#members.get(key)?.asks.splice(0) ?? []
  }
  get(key: IdKey): BootstrapMember | undefined {
    return this.#members.get(key)
  }
  up(): readonly BootstrapMember[] {
    return [...this.#members.values()]
  }
  nextServer(): BootstrapMember | undefined {
    let next: BootstrapMember | undefined
    for (const member of this.#members.values()) {
      if (next === undefined || member.served < next.served) next = member
    }
    if (next !== undefined) next.served += 1
    return next
  }
  asked(member: BootstrapMember, request: LogRequest): void {
    assert(request.kind !== 'chain', 'a bootstrap asks for pages and ids')
    const atMs = this.#options.nowMs()
    if (request.kind === 'page') {
      member.asks.push({ kind: 'page', atMs, isOverdue: false })
      return
    }
    const answer = createFetchedAnswer(this.#options.crypto, request.ids)
    const count = request.ids.length
    member.asks.push({ kind: 'ids', atMs, answer, count, isOverdue: false, bytes: 0, lastIndex: -1 })
  }
  finished(member: BootstrapMember, bytes: number): void {
    const ask = member.asks.shift()
    assert(ask !== undefined, 'a request is open')
    if (ask.kind === 'page') return
    this.#adapt(member, this.#options.nowMs() - ask.atMs)
    this.#answeredIds += ask.count - ask.answer.pending.size
    this.#answeredBytes += bytes
  }
  shareOf({ share }: BootstrapMember): number {
    if (this.#answeredIds === 0 || this.#answeredBytes === 0) return share
    const fitting = Math.floor((BOOTSTRAP_SHARE_BYTES * this.#answeredIds) / this.#answeredBytes)
    return Math.max(1, Math.min(share, fitting))
  }
  overdue(): readonly OverdueRequest[] {
    const now = this.#options.nowMs()
    const late: OverdueRequest[] = []
    for (const member of this.#members.values()) {
      for (const ask of member.asks) {
        // A page has longer with each time that the log comes round: else two slow peers would never get on.
        const rounds = ask.kind === 'page' ? Math.min(member.served, PAGE_PATIENCE_ROUNDS) : 0
        if (ask.isOverdue || now - ask.atMs < this.#options.limits.bootstrapOverdueMs * 2 ** rounds) continue
        ask.isOverdue = true
        member.share = BOOTSTRAP_SHARE_MIN
        late.push({ member, ask })
      }
    }
    return late
  }
  hasOpen(): boolean {
    return [...this.#members.values()].some(({ asks }) => asks.length > 0)
  }
  isEmpty(): boolean {
    return this.#members.size + this.#roster.expected() === 0
  }
  peerOf(key: IdKey): PublicKey {
    return this.#roster.peerOf(key)
  }

  #adapt(member: BootstrapMember, tookMs: number): void {
    const { bootstrapShareMs: aimMs } = this.#options.limits
    if (tookMs < aimMs) member.share = Math.min(BOOTSTRAP_SHARE_MAX, member.share * 2)
    else if (tookMs > 2 * aimMs) member.share = Math.max(BOOTSTRAP_SHARE_MIN, member.share / 2)
  }
}
